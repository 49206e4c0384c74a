"""Options that several verbs share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, get_type_hints

from cyclopts import App, ArgumentCollection, Group, Parameter
from cyclopts.config import Dict
from cyclopts.validators import Number

from resight.shipped import SHIPPED

if TYPE_CHECKING:
    from resight.gallery import Where

__all__ = [
    "EXPERT",
    "Count",
    "Data",
    "Device",
    "DistanceName",
    "Layout",
    "ModelName",
    "NamePattern",
    "Names",
    "PlainDistance",
    "SkipUnreadable",
    "Threads",
    "TorchThreads",
    "WatchThreads",
    "by_camera",
    "chosen",
    "for_experts",
    "read_for",
    "recipe",
    "where_of",
]

T = TypeVar("T")

EXPERT = Parameter(group=Group("Expert options", sort_key=1))
"""Heading of the options that few people need."""

ModelName = Annotated[
    str,
    Parameter(
        help=f"{', '.join(SHIPPED)} (in the package), FILE.onnx, FILE.xml, openvino:FILE.onnx, a run folder, published "
        "weights such as omz-0277, NETWORK:FILE with weights of others, for example osnet-0.25:osnet_x0_25_market1501.pth, or lomo."
    ),
]


def _check_distance(_: Any, name: str) -> None:
    """Refuse an unknown distance before any work. NumPy is imported here, so that `resight --help` does not wait for it."""
    from resight.distances import LEARNED, distance_named

    if name not in ("auto", *LEARNED):
        distance_named(name, "auto", *LEARNED)


DistanceName = Annotated[
    str,
    Parameter(
        validator=_check_distance,
        help="Distance between vectors: auto is the model's own; or euclidean, cosine, kissme or xqda. The last two are learned "
        "from the training images of each division of the data set.",
    ),
]
PlainDistance = Annotated[
    str, Parameter(validator=_check_distance, help="Distance between vectors: euclidean or cosine; auto is the model's own.")
]
Device = Annotated[
    Literal["auto", "cpu", "cuda"], Parameter(help="Processor or GPU for networks in PyTorch; auto takes a GPU if there is one.")
]
Count = Annotated[int, Parameter(validator=Number(gte=0))]
Threads = Annotated[Count, Parameter(help="Processor threads of the model; 0 is one for each usable core.")]
WatchThreads = Annotated[
    Count, Parameter(help="Processor threads of the detector, and as many of the model; 0 shares the usable cores between the two.")
]
TorchThreads = Annotated[Count, Parameter(help="Processor threads of PyTorch; 0 leaves the number to PyTorch.")]
Layout = Annotated[
    str, Parameter(help="Layout of the data set, such as market1501 or folder; auto recognises it. An unknown name lists them all.")
]
Data = Annotated[list[Path], Parameter(negative=())]
"""Folders of data sets, or tables; each verb says in its help what it reads of them."""
NamePattern = Annotated[
    str,
    Parameter(
        help="Pattern of file names in a folder, such as `{identity}/{camera}_{*}`. Each field takes as much as it can; `{*}` is "
        "anything, and `{**}` also spans folders."
    ),
]
SkipUnreadable = Annotated[
    bool,
    Parameter(negative=(), help="Leave out images that cannot be read, and name them. Decodes each image once more."),
]
Names = Annotated[list[str] | None, Parameter(negative=())]
"""An option that can be given several times."""


def chosen(name: str) -> str:
    """Value of an option as the library takes it: empty instead of ``auto``."""
    return "" if name == "auto" else name


def read_for(distance: str) -> tuple[str, ...]:
    """Parts of a data set that an evaluation reads: a learned distance learns from the training images."""
    from resight.distances import LEARNED

    return (*(("train",) if distance in LEARNED else ()), "query", "gallery")


def recipe(app: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """Fill a verb's configuration from the file that --recipe names. Flags override it."""
    for argument in arguments:
        if argument.name == "--recipe" and argument.tokens:
            from resight.configuration import configure, read_recipe

            path = argument.tokens[0].value
            values = read_recipe(path)
            (kind,) = (one.hint for one in arguments if isinstance(one.hint, type) and is_dataclass(one.hint))
            configure(kind, values, source=path)
            Dict(values, use_commands_as_keys=False, source=path)(app, commands, arguments)


def for_experts(kind: type[T], *usual: str) -> type[T]:
    """A configuration whose options stand under a heading of their own in the help, all but the `usual` ones."""
    hints = get_type_hints(kind)
    about = {name: hint if name in usual else Annotated[hint, EXPERT] for name, hint in hints.items()}
    return dataclass(frozen=True, kw_only=True)(type(kind.__name__, (kind,), {"__annotations__": about, "__doc__": kind.__doc__}))


def where_of(
    *,
    camera: list[str] | None = None,
    since: str = "",
    until: str = "",
    identity: list[str] | None = None,
    id: list[str] | None = None,
    older_than: datetime | None = None,
    newer_than: datetime | None = None,
) -> Where:
    """Turn filter options into the sightings they select."""
    from resight.gallery import Where, parse_time

    return Where(
        cameras=None if camera is None else frozenset(camera),
        identities=None if identity is None else frozenset(identity),
        ids=None if id is None else frozenset(id),
        since=parse_time(since) if since else None,
        until=parse_time(until) if until else None,
        older_than=older_than,
        newer_than=newer_than,
    )


def by_camera(given: Sequence[str] | None, names: Sequence[str], option: str) -> dict[str, str]:
    """Values of an option by the name of their camera; a value without a name, such as a file's, is for the only camera."""
    from resight.configuration import nearest_name
    from resight.errors import ConfigurationError

    found = {}
    for text in given or ():
        name, equals, value = text.partition("=")
        if equals and name in names:
            found[name] = value
        elif len(names) == 1 and (not equals or Path(text).exists()):
            found[names[0]] = text
        else:
            wrong = f"{name!r} is not a watched camera{nearest_name(name, names)}" if equals else "for which camera is this"
            raise ConfigurationError(f"{option} {text}: {wrong}; expected NAME=VALUE, with {', '.join(names)}")
    return found
