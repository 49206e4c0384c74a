"""Configurations: frozen dataclasses, filled from TOML recipes, named by their SHA-256.

Each verb has its own dataclass beside the code that it configures. This module holds what they share.
"""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import json
import tomllib
import types
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from resight.errors import ConfigurationError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = ["configure", "fingerprint", "nearest_name", "read_recipe", "to_dict"]

C = TypeVar("C", bound="DataclassInstance")

_RECIPES = Path(__file__).parent / "recipes"


def nearest_name(name: str, known: Iterable[str]) -> str:
    """A hint for a misspelt name: `` (did you mean 'x'?)``, or an empty string if nothing is close."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.7)
    return f" (did you mean {close[0]!r}?)" if close else ""


def configure(kind: type[C], values: Mapping[str, Any], *, source: str = "configuration") -> C:
    """Fill a configuration from plain values.

    Parameters
    ----------
    kind : type
        A frozen dataclass whose fields are str, int, float, bool, one of these or None, or a tuple of one of these.
    values : mapping
        Field names and values, for example a recipe's. Fields left out keep their default.
    source : str
        Origin of the values, for messages.

    Returns
    -------
    kind

    Raises
    ------
    ConfigurationError
        If a key is unknown (the nearest known one is named), a value has another type, or `kind` itself refuses a value.
    """
    hints = typing.get_type_hints(kind)
    known = [field.name for field in dataclasses.fields(kind)]
    filled = {}
    for name, value in values.items():
        if name not in known:
            raise ConfigurationError(f"{source}: unknown key {name!r}{nearest_name(name, known)}; known: {', '.join(known)}")
        accepted = typing.get_args(hints[name]) if isinstance(hints[name], types.UnionType) else (hints[name],)
        fitting = [wanted for wanted in accepted if _is(value, wanted)]
        if not fitting:
            wanted = " or ".join(map(_described, accepted))
            raise ConfigurationError(f"{source}: {name} = {value!r} is a {type(value).__name__}; expected {wanted}")
        filled[name] = _as(value, fitting[0])
    return kind(**filled)


def _is(value: Any, kind: Any) -> bool:
    """Tell if a plain value can stand for a type.

    JSON and TOML have lists for tuples and write whole floats as integers. All else must match exactly: True is not 1.
    """
    if typing.get_origin(kind) is tuple:
        return isinstance(value, list | tuple) and all(_is(item, typing.get_args(kind)[0]) for item in value)
    plain = typing.get_origin(kind) or kind
    return type(value) is plain or (plain is float and type(value) is int)


def _as(value: Any, kind: Any) -> Any:
    if typing.get_origin(kind) is tuple:
        return tuple(_as(item, typing.get_args(kind)[0]) for item in value)
    return float(value) if kind is float else value


def _described(kind: Any) -> str:
    if typing.get_origin(kind) is tuple:
        return f"a list of {_described(typing.get_args(kind)[0])}"
    return "none" if kind is types.NoneType else (typing.get_origin(kind) or kind).__name__


def read_recipe(path: str | Path) -> dict[str, Any]:
    """Read a TOML recipe: one table of configuration fields.

    Parameters
    ----------
    path : str or Path
        A file, or, if there is no such file, a recipe of the package, such as ``fine-tune/student-160x64.toml``, with or without
        ``recipes/`` before it.

    Returns
    -------
    dict

    Raises
    ------
    ConfigurationError
        If there is no such recipe, or it cannot be read.
    """
    path = Path(path)
    own = {file.relative_to(_RECIPES).as_posix(): file for file in sorted(_RECIPES.glob("*/*.toml"))}
    try:
        file = path if path.exists() else own.get(path.as_posix().removeprefix("recipes/"), path)
        with file.open("rb") as stream:
            return tomllib.load(stream)
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"cannot read the recipe {path}: there is no such file; the package has {', '.join(own)}"
        ) from error
    except OSError as error:
        raise ConfigurationError(f"cannot read the recipe {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the recipe {path} is not TOML: {error}") from error


def to_dict(configuration: DataclassInstance) -> dict[str, Any]:
    """A configuration as plain JSON values, in the order of its fields."""
    values: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(configuration), allow_nan=False))  # tuples become lists
    return values


def fingerprint(configuration: DataclassInstance) -> str:
    """SHA-256 of a configuration's values, as 64 hexadecimal digits; equal for equal configurations on every machine."""
    text = json.dumps(to_dict(configuration), sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
