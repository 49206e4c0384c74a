"""`resight model`: look at models, and describe models of others."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from resight.cli.options import Count, ModelName
from resight.cli.terminal import say, write_result

__all__ = ["describe", "inspect"]

Three = Annotated[tuple[float, float, float] | None, Parameter(negative=())]


def inspect(model: ModelName, /, *, json: Path | None = None) -> None:
    """Show what a model takes and gives, and what is missing before it can be used.

    Parameters
    ----------
    json
        Also write this to a file.
    """
    from resight.models.inspect import inspect_model

    found = inspect_model(model)
    for kind in ("inputs", "outputs"):
        for one in found.get(kind, []):
            say(f"{kind[:-1]} {one['name']}: {one['type']} [{', '.join(map(str, one['shape']))}]")
    if found["missing"]:
        say(f"cannot be used yet: {found['missing']}")
        say("If it was trained on RGB images with ImageNet's mean and deviation, as most networks of PyTorch are, write")
        say(f"  resight model describe {model} --colour rgb --mean 0.485 0.456 0.406 --std 0.229 0.224 0.225")
    else:
        height, width = found["size"]
        say(f"{found['name']}: {height}x{width} pixels to {found['embedding_size']} numbers, {found['distance']} distance")
        if not found["ours"]:
            say(", ".join(f"{name} {_text(value)}" for name, value in found["description"].items()))
        say(f"{found['parameters']} parameters, SHA-256 {found['sha256'] or 'none: not trained'}")
        say(f"terms: {found['terms']}")
    write_result(json, found)


def describe(
    file: str,
    /,
    *,
    height: Count = 0,
    width: Count = 0,
    colour: Literal["rgb", "bgr"] | None = None,
    mean: Three = None,
    std: Three = None,
    range: Literal[1, 255] | None = None,
    layout: Literal["nchw", "nhwc"] | None = None,
    output: str = "",
    distance: Literal["cosine", "euclidean"] | None = None,
) -> None:
    """Write FILE.json beside a model of others, so that every command can use the model. Options left out keep what is there.

    Parameters
    ----------
    file
        FILE.onnx or FILE.xml.
    height
        Input height in pixels, if the file leaves it open.
    width
        Input width in pixels, if the file leaves it open.
    colour
        Order of the colours that the network sees.
    mean
        Mean of each colour: the network sees (value / 255 * RANGE - MEAN) / STD.
    std
        Deviation of each colour.
    range
        Value of white before mean and std: 1 or 255.
    layout
        Order of the dimensions, if the file leaves it open.
    output
        Name of the output with the vectors, if there are several.
    distance
        Distance between two vectors; cosine by default.
    """
    from resight.errors import ConfigurationError
    from resight.models.inspect import describe_model

    if bool(height) != bool(width):
        raise ConfigurationError("give both --height and --width, or neither")
    given: dict[str, Any] = {"size": (height, width) if height else (), "colour": colour, "mean": mean, "std": std, "range": range}
    given |= {"layout": layout, "output": output, "distance": distance}
    path, found = describe_model(file, {name: value for name, value in given.items() if value})
    say(f"{path}: {found.size[0]}x{found.size[1]} pixels to {found.embedding_size} numbers, {found.distance} distance")


def _text(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
