"""Who may do what: tokens, their roles, and the cameras that they are limited to."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import threading
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from resight.datasets.names import camera_name, nfc
from resight.errors import AccessError, ConfigurationError
from resight.files import write_text
from resight.gallery import Record, Where

__all__ = ["ROLES", "AccessFile", "Caller", "FindCaller", "new_token", "remove_token", "single_token"]

ROLES = ("viewer", "operator", "admin")
"""Each may do what those before it may."""

_LONGEST_NAME = 100


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Whoever holds a token.

    Attributes
    ----------
    name : str
        As the audit log calls them.
    role : str
        One of `ROLES`.
    cameras : frozenset of str or None
        The sightings of other cameras, and of unknown ones, do not exist for them; None is without limit.
    """

    name: str
    role: str
    cameras: frozenset[str] | None = None

    def may(self, role: str) -> bool:
        """Whether they may do what a role may."""
        return ROLES.index(self.role) >= ROLES.index(role)

    def sees(self, record: Record) -> bool:
        """Whether a sighting exists for them."""
        return self.cameras is None or nfc(record.camera) in self.cameras

    def narrow(self, where: Where) -> Where:
        """Those of the sightings that are meant which exist for them. Raises `AccessError` if another camera is named."""
        if self.cameras is None:
            return where
        if where.cameras is None:
            return replace(where, cameras=self.cameras)
        self.check_cameras(where.cameras)
        return where

    def check_cameras(self, cameras: frozenset[str]) -> None:
        """Raises `AccessError` if one of the cameras is not theirs."""
        if self.cameras is not None and (others := cameras - self.cameras):
            named = ", ".join(sorted(others)) if others != {""} else "sightings without a camera"
            raise AccessError(f"this token may not see {named[:200]}; it sees {', '.join(sorted(self.cameras))}")


FindCaller = Callable[[str], Caller | None]
"""From a token to whoever holds it; None if nobody does."""


def single_token(token: str, caller: Caller) -> FindCaller:
    """One token for one caller."""
    expected = _sha256(token)
    return lambda given: caller if secrets.compare_digest(_sha256(given), expected) else None


class AccessFile:
    """The tokens of a file. It is read again when it changes, so that a token that is taken out of it is of no use any more.

    Parameters
    ----------
    path : Path
        Written by `new_token`. It holds no token, only their SHA-256.

    Raises
    ------
    ConfigurationError
        If it cannot be read or used.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._seen: tuple[int, ...] = ()
        self._callers: dict[str, Caller] = {}
        self.find("")

    def find(self, token: str) -> Caller | None:
        """Whoever holds a token. Raises `ConfigurationError` while the file cannot be used: then nobody has access."""
        with self._lock:
            seen = _state(self.path)
            if seen != self._seen:
                self._callers = {sha256: caller for sha256, (caller, _) in _read(self.path).items()}
                self._seen = seen
        return self._callers.get(_sha256(token))


def new_token(path: Path, name: str, role: str, cameras: Sequence[str] | None = None) -> str:
    """Make a token and add it to a file, which is made if there is none.

    Parameters
    ----------
    path : Path
    name : str
        Of the person or program that will hold it. A token of the same name loses its use.
    role : str
        One of `ROLES`.
    cameras : sequence of str, optional
        That it is limited to.

    Returns
    -------
    str
        The token, which is kept nowhere.

    Raises
    ------
    ConfigurationError
        If the name or role cannot be used, or the file cannot be read.
    StorageError
        If it cannot be written.
    """
    token = secrets.token_urlsafe(32)
    caller = Caller(name=name, role=role, cameras=None if cameras is None else frozenset(map(camera_name, cameras)))
    _check(caller, path)
    kept = {sha256: entry for sha256, entry in (_read(path) if path.exists() else {}).items() if entry[0].name != name}
    _write(path, kept | {_sha256(token): (caller, datetime.now(UTC).isoformat(timespec="seconds"))})
    return token


def remove_token(path: Path, name: str) -> None:
    """Take the token of a name out of a file. Raises `ConfigurationError` if there is none, and `StorageError`."""
    entries = _read(path)
    kept = {sha256: entry for sha256, entry in entries.items() if entry[0].name != name}
    if len(kept) == len(entries):
        names = ", ".join(sorted(caller.name for caller, _ in entries.values())) or "none"
        raise ConfigurationError(f"{path} has no token of {name!r}; it has: {names}")
    _write(path, kept)


def _sha256(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def _state(path: Path) -> tuple[int, ...]:
    try:
        status = path.stat()
    except OSError as error:
        raise ConfigurationError(
            f"the access file {path} cannot be read: {error.strerror or error}; see `resight access`"
        ) from error
    return status.st_mtime_ns, status.st_size, status.st_ino


def _read(path: Path) -> dict[str, tuple[Caller, str]]:
    """Callers and when their token was made, by the token's SHA-256."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
        entries: dict[str, tuple[Caller, str]] = {}
        for entry in values.pop("token", []):
            cameras = entry.get("cameras")
            if not (cameras is None or (isinstance(cameras, list) and all(isinstance(camera, str) for camera in cameras))):
                raise ValueError("cameras are no list of texts")
            if unknown := entry.keys() - {"name", "role", "cameras", "sha256", "created"}:
                raise ValueError(f"unknown key {sorted(unknown)[0]}")
            caller = Caller(
                name=entry["name"], role=entry["role"], cameras=None if cameras is None else frozenset(map(camera_name, cameras))
            )
            _check(caller, path)
            if not re.fullmatch("[0-9a-f]{64}", entry["sha256"]):
                raise ValueError(f"the SHA-256 of {caller.name} is none")
            entries[entry["sha256"]] = caller, str(entry.get("created", ""))
        if values:
            raise ValueError(f"unknown key {sorted(values)[0]}")
        return entries
    except OSError as error:
        raise ConfigurationError(
            f"the access file {path} cannot be read: {error.strerror or error}; see `resight access`"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigurationError(f"the access file {path} cannot be used ({error}); write it by `resight access`") from error


def _check(caller: Caller, path: Path) -> None:
    if caller.role not in ROLES:
        raise ConfigurationError(f"{path}: role {caller.role!r} is unknown; expected {', '.join(ROLES)}")
    texts: list[Any] = [caller.name, *(caller.cameras or ())]
    if not caller.name or any(not isinstance(text, str) or len(text) > _LONGEST_NAME or not _plain(text) for text in texts):
        raise ConfigurationError(
            f"{path}: the name {caller.name!r} or a camera cannot be used; expected at most 100 plain characters"
        )


def _plain(text: str) -> bool:
    return all(character.isprintable() for character in text)


def _write(path: Path, entries: dict[str, tuple[Caller, str]]) -> None:
    lines = ["# Who may use `resight serve`, by `resight access`. Tokens are kept by their SHA-256 alone."]
    for sha256, (caller, created) in entries.items():
        values: dict[str, Any] = {"name": caller.name, "role": caller.role}
        values |= {} if caller.cameras is None else {"cameras": sorted(caller.cameras)}
        values |= {"sha256": sha256, "created": created}
        # Texts of JSON and lists of them are texts and lists of TOML where all characters are printable.
        lines += ["", "[[token]]", *(f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in values.items())]
    write_text(path, "\n".join(lines) + "\n", private=True)
