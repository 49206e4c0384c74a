"""Description of the images that a model of others expects: a small JSON file beside it, since the model does not say it itself."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resight.configuration import configure, to_dict
from resight.distances import distance_named
from resight.errors import ConfigurationError, WeightsError
from resight.files import write_json
from resight.images import Pixels
from resight.images.preprocessing import LARGEST_SIDE, check_colours

__all__ = [
    "INPUTS",
    "Description",
    "GraphInput",
    "description_files",
    "input_of",
    "output_of",
    "read_description",
    "write_description",
]

_MOST_BYTES = 100_000
_ANY = (1.0, 1.0, 1.0)  # in the place of what is not described


@dataclass(frozen=True, kw_only=True)
class Description:
    """Images that a model of others expects, and how its vectors are compared.

    The network sees ``(value / 255 * range - mean) / std`` for each channel of each pixel.

    Attributes
    ----------
    size : tuple of (height, width)
        Input size in pixels; empty if the graph fixes it.
    colour : str
        Order of the channels: ``"rgb"`` or ``"bgr"``.
    mean, std : tuple of 3 floats
        Mean and deviation of each channel, in the order of `colour`.
    range : int
        Value of white before mean and deviation: 1 or 255.
    layout : str
        ``"nchw"`` or ``"nhwc"``; empty if the shape of the input says it.
    output : str
        Output with the vectors; empty if only one has two dimensions.
    distance : str
        Distance between two vectors: ``"cosine"`` or ``"euclidean"``.
    """

    size: tuple[int, ...] = ()
    colour: str = ""
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    range: int = 1
    layout: str = ""
    output: str = ""
    distance: str = "cosine"

    def __post_init__(self) -> None:
        if self.size and (len(self.size) != 2 or not all(0 < side <= LARGEST_SIDE for side in self.size)):
            raise ConfigurationError(f"size = {list(self.size)}; expected height and width in pixels, such as [256, 128]")
        if self.colour not in ("", "rgb", "bgr"):
            raise ConfigurationError(f"colour = {self.colour!r}; expected rgb or bgr")
        check_colours(self.mean or _ANY, self.std or _ANY)
        if self.range not in (1, 255):
            raise ConfigurationError(f"range = {self.range}; expected 1 or 255, the value of white before mean and std")
        if self.range == 1 and self.mean and max(self.mean) > 2:
            raise ConfigurationError(f"mean = {list(self.mean)} is for pixels from 0 to 255; write range 255 as well")
        if self.layout not in ("", "nchw", "nhwc"):
            raise ConfigurationError(f"layout = {self.layout!r}; expected nchw or nhwc")
        distance_named(self.distance)


@dataclass(frozen=True, kw_only=True)
class GraphInput:
    """The input of a graph, made of uint8 RGB images (n, height, width, 3).

    Attributes
    ----------
    name : str
    kind : str
        ``"uint8"``, ``"float32"`` or ``"float16"``.
    planes : bool
        Three planes an image, not three numbers a pixel.
    bgr : bool
    scale, shift : tuple of 3 floats
        The graph sees ``pixels * scale + shift``, unless it takes bytes.
    """

    name: str = "images"
    kind: str = "uint8"
    planes: bool = False
    bgr: bool = False
    scale: tuple[float, ...] = (1.0, 1.0, 1.0)
    shift: tuple[float, ...] = (0.0, 0.0, 0.0)

    def __call__(self, pixels: Pixels) -> NDArray[Any]:
        """Prepare images."""
        images: NDArray[Any] = pixels[..., ::-1] if self.bgr else pixels
        if self.kind != "uint8":
            images = (images * np.asarray(self.scale, np.float32) + np.asarray(self.shift, np.float32)).astype(self.kind)
        return np.ascontiguousarray(images.transpose(0, 3, 1, 2) if self.planes else images)


INPUTS = {
    "uint8": GraphInput(),
    "nchw-float": GraphInput(
        kind="float32",
        planes=True,
        scale=(1 / 255 / 0.229, 1 / 255 / 0.224, 1 / 255 / 0.225),
        shift=(-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225),
    ),
    "nchw-255": GraphInput(kind="float32", planes=True),
}
"""Inputs of the files that `resight export` writes: RGB bytes; planes with ImageNet's mean and deviation; planes from 0 to 255."""


def description_files(model: str | Path) -> list[Path]:
    """Files that may describe a model: ``m.json`` or ``m.onnx.json`` for ``m.onnx``."""
    path = Path(model)
    return [path.with_suffix(".json"), path.with_name(f"{path.name}.json")]


def read_description(model: str | Path) -> Description | None:
    """Read the JSON file beside a model; None if there is none. Raises `WeightsError`."""
    found = [path for path in description_files(model) if path.is_file()]
    if not found:
        return None
    path = found[0]
    if len(found) > 1:
        raise WeightsError(f"{model} has two descriptions, {found[0].name} and {found[1].name}; keep one of them")
    try:
        with path.open("rb") as stream:
            data = stream.read(_MOST_BYTES + 1)
        if len(data) > _MOST_BYTES:
            raise ValueError(f"more than {_MOST_BYTES} bytes")
        values = json.loads(data)
        if not isinstance(values, dict):
            raise ValueError("not a JSON object")
        return configure(Description, values, source=str(path))
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read: {error.strerror}") from error
    except ConfigurationError as error:
        raise WeightsError(f"{str(error) if str(path) in str(error) else f'{path}: {error}'}; it describes {model}") from error
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"{path}: not the description of a model ({error})") from error


def write_description(model: str | Path, description: Description) -> Path:
    """Write the JSON file beside a model, over the one that is there. Raises `StorageError`."""
    files = description_files(model)
    path = next((file for file in files if file.is_file()), files[0])
    write_json(path, {name: value for name, value in to_dict(description).items() if value not in ("", [])})
    return path


def input_of(given: Description | None, name: str, kind: str, sides: Sequence[int | str]) -> tuple[GraphInput, Description]:
    """Join what a graph says of its only input with what its description says.

    Parameters
    ----------
    given : Description, optional
    name, kind : str
        Name and type of the input.
    sides : sequence of int or str
        Its sides; an open one is a text.

    Returns
    -------
    GraphInput
    Description
        With size and layout.

    Raises
    ------
    WeightsError
        If something is missing, which the message names, or if both contradict each other.
    """
    own = given or Description()
    if kind not in ("uint8", "float16", "float32") or len(sides) != 4:
        expected = "expected float32, float16 or uint8 images of four dimensions"
        raise WeightsError(f"its input {name} is {kind} {list(sides)}; {expected}")
    layout = own.layout or _layout(sides)
    channels, height, width = (sides[place] for place in ((1, 2, 3) if layout == "nchw" else (3, 1, 2)))
    if layout and isinstance(channels, int) and channels != 3:
        raise WeightsError(f"its input {name} has {channels} channels in the layout {layout}; expected 3")
    size = own.size or tuple(side for side in (height, width) if isinstance(side, int))
    if layout and own.size and any(isinstance(side, int) and side != own.size[n] for n, side in enumerate((height, width))):
        raise WeightsError(f"its graph takes images of {height}x{width} pixels; its description says {own.size[0]}x{own.size[1]}")
    floats = kind != "uint8"
    if not floats and (own.mean or own.std):
        raise WeightsError("its graph takes bytes; leave mean and std out of its description")
    needed = {"layout": layout, "size": len(size) == 2, "colour": own.colour}
    needed |= {"mean": own.mean, "std": own.std} if floats else {}
    missing = [key for key, value in needed.items() if not value]
    if missing:
        raise WeightsError(
            f"a model without Resight's metadata, so that its preprocessing is unknown; nothing says its {', '.join(missing)}; "
            "`resight model inspect FILE` shows what it takes, and `resight model describe FILE` writes the rest beside it"
        )
    scale: tuple[float, ...] = (1.0,) * 3
    shift: tuple[float, ...] = (0.0,) * 3
    if floats:
        scale = tuple(own.range / 255 / deviation for deviation in own.std)
        shift = tuple(-mean / deviation for mean, deviation in zip(own.mean, own.std, strict=True))
    taken = GraphInput(name=name, kind=kind, planes=layout == "nchw", bgr=own.colour == "bgr", scale=scale, shift=shift)
    return taken, replace(own, size=size, layout=layout)


def output_of(given: Description, outputs: Mapping[str, Sequence[int | None]]) -> tuple[str, int]:
    """Find the output with the vectors.

    Parameters
    ----------
    given : Description
    outputs : mapping of str to sequence of int or None
        Shape of each output; an open side is None.

    Returns
    -------
    tuple of (str, int)
        Its name, and the numbers in one vector.

    Raises
    ------
    WeightsError
        If none is known to hold vectors.
    """
    if given.output and given.output not in outputs:
        raise WeightsError(f"it has no output {given.output!r}; it has {', '.join(outputs)}")
    fitting = [name for name, shape in outputs.items() if len(shape) == 2 or set(shape[2:]) == {1}]
    name = given.output or (fitting[0] if len(fitting) == 1 else "")
    if not name:
        shown = ", ".join(f"{one} {list(shape)}" for one, shape in outputs.items())
        raise WeightsError(f"its outputs are {shown}; `resight model describe FILE --output NAME` says which one holds the vectors")
    size = outputs[name][1] if name in fitting else None
    if size is None or size < 1:
        raise WeightsError(f"its output {name} has the shape {list(outputs[name])}; expected one vector an image, [n, d]")
    return name, size


def _layout(sides: Sequence[int | str]) -> str:
    """Layout, if only one place can hold the channels."""
    if sides[1] == 3 and sides[3] != 3:
        return "nchw"
    return "nhwc" if sides[3] == 3 and sides[1] != 3 else ""
