"""Options that several verbs share."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from cyclopts import App, ArgumentCollection, Parameter
from cyclopts.config import Dict

__all__ = ["DeviceName", "DistanceName", "Names", "recipe"]

DistanceName = Literal["", "euclidean", "cosine", "kissme", "xqda"]
DeviceName = Literal["auto", "cpu", "cuda"]
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
