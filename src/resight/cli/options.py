"""Options that several verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, ArgumentCollection, Parameter
from cyclopts.config import Dict
from cyclopts.validators import Number

from resight.shipped import SHIPPED

__all__ = [
    "Count",
    "Data",
    "Device",
    "DistanceName",
    "Layout",
    "ModelName",
    "NamePattern",
    "Names",
    "PlainDistance",
    "Threads",
    "TorchThreads",
    "chosen",
    "recipe",
]

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
    Literal["auto", "cpu", "cuda"], Parameter(help="Where a network of PyTorch computes; auto takes a GPU if there is one.")
]
Count = Annotated[int, Parameter(validator=Number(gte=0))]
Threads = Annotated[Count, Parameter(help="Of the model, on the processor; 0 is one for each usable core.")]
TorchThreads = Annotated[Count, Parameter(help="Of the processor, for networks; 0 leaves it to PyTorch.")]
Layout = Annotated[
    str, Parameter(help="Layout of the data set, such as market1501 or folder; auto recognises it. A wrong name lists them all.")
]
Data = Annotated[
    list[Path], Parameter(negative=(), help="Folder of a data set, or a table. Given several times, the sets are taken together.")
]
NamePattern = Annotated[
    str,
    Parameter(
        help="Meaning of file names in a folder, such as {identity}/{camera}_{*}: each field takes as much as it can, {*} is "
        "anything, "
        "{**} also spans folders."
    ),
]
Names = Annotated[list[str] | None, Parameter(negative=())]
"""An option that may be given several times."""


def chosen(name: str) -> str:
    """The value of an option as the library takes it, where empty stands for ``auto``."""
    return "" if name == "auto" else name


def recipe(kind: type[Any]) -> Any:
    """A Cyclopts configuration source: the file named by --recipe, whose fields the flags override."""

    def apply(app: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
        for argument in arguments:
            if argument.name == "--recipe" and argument.tokens:
                from resight.configuration import configure, read_recipe

                path = argument.tokens[0].value
                values = read_recipe(path)
                configure(kind, values, source=path)
                Dict(values, use_commands_as_keys=False, source=path)(app, commands, arguments)

    return apply
