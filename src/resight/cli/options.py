"""Options that several verbs share."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from cyclopts import App, ArgumentCollection, Parameter
from cyclopts.config import Dict

__all__ = ["Device", "DistanceName", "Layout", "Names", "Threads", "TorchThreads", "recipe"]

DistanceName = Literal["", "euclidean", "cosine", "kissme", "xqda"]
Device = Annotated[
    Literal["auto", "cpu", "cuda"], Parameter(help="Where a network of PyTorch computes; auto takes a GPU if there is one.")
]
Threads = Annotated[int, Parameter(help="Of the model, on the processor; 0 is one for each usable core.")]
TorchThreads = Annotated[int, Parameter(help="Of the processor, for networks; 0 leaves it to PyTorch.")]
Layout = Annotated[
    str, Parameter(help="Of the data set: market1501, dukemtmc, viper, cuhk01, folder or synthetic; auto recognises it.")
]
Names = Annotated[list[str] | None, Parameter(negative=())]
"""An option that may be given several times."""


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
