"""Options that several verbs share."""

from __future__ import annotations

from dataclasses import dataclass, is_dataclass
from typing import Annotated, Literal, TypeVar, get_type_hints

from cyclopts import App, ArgumentCollection, Group, Parameter
from cyclopts.config import Dict
from cyclopts.validators import Number

from resight.shipped import SHIPPED

__all__ = [
    "EXPERT",
    "Count",
    "Device",
    "DistanceName",
    "Layout",
    "ModelName",
    "Names",
    "PlainDistance",
    "Threads",
    "TorchThreads",
    "chosen",
    "for_experts",
    "recipe",
]

T = TypeVar("T")

EXPERT = Parameter(group=Group("Expert options", sort_key=1))
"""Heading of the options that few people need."""

ModelName = Annotated[
    str,
    Parameter(
        help=f"{', '.join(SHIPPED)} (in the package), FILE.onnx, openvino:FILE.onnx, a run folder, NETWORK:FILE with foreign "
        "weights, for example osnet-0.25:osnet_x0_25_market1501.pth, or lomo."
    ),
]
DistanceName = Literal["auto", "euclidean", "cosine", "kissme", "xqda"]
PlainDistance = Literal["auto", "euclidean", "cosine"]
Device = Annotated[
    Literal["auto", "cpu", "cuda"], Parameter(help="Processor or GPU for networks in PyTorch; auto takes a GPU if there is one.")
]
Count = Annotated[int, Parameter(validator=Number(gte=0))]
Threads = Annotated[Count, Parameter(help="Processor threads of the model; 0 is one for each usable core.")]
TorchThreads = Annotated[Count, Parameter(help="Processor threads of PyTorch; 0 leaves the number to PyTorch.")]
Layout = Annotated[
    str, Parameter(help="Layout of the data set: market1501, dukemtmc, viper, cuhk01, folder or synthetic; auto recognises it.")
]
Names = Annotated[list[str] | None, Parameter(negative=())]
"""An option that can be given several times."""


def chosen(name: str) -> str:
    """Value of an option as the library takes it: empty instead of ``auto``."""
    return "" if name == "auto" else name


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
