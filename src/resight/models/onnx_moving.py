"""Shapes of what operators give that move numbers around, and the numbers themselves if they are few and whole.

A graph takes the shape of an image apart and puts another one together, so that some shapes depend on numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["MOST_KNOWN", "MOVING", "Attributes", "Inputs", "Shape", "Tensor", "axis_of", "numbers_of", "one_of"]

MOST_KNOWN = 1024
"""Most whole numbers of one tensor that are worked out; a shape has a handful."""

Shape = tuple[int, ...]
Numbers = NDArray[np.int64]


class Tensor(NamedTuple):
    """A tensor of a graph: its shape, and its values if they are known whole numbers."""

    shape: Shape
    values: Numbers | None = None


Attributes = Mapping[str, Any]
"""Attributes by name: a list of whole numbers, bytes, or a `Tensor`."""

Inputs = Sequence[Tensor]


def numbers_of(inputs: Inputs, attributes: Attributes, place: int, name: str, default: Any = None) -> list[int] | None:
    """Whole numbers that are an attribute in some versions of ONNX and an input in others."""
    if name in attributes:
        return list(attributes[name])
    if place < len(inputs) and (inputs[place].shape or inputs[place].values is not None):
        return _known(inputs[place])
    return default  # type: ignore[no-any-return]


def _known(one: Tensor) -> list[int]:
    if one.values is None:
        raise ValueError("a shape that depends on pixels")
    return [int(number) for number in one.values.reshape(-1)]


def one_of(attributes: Attributes, name: str, default: int) -> int:
    return int((attributes.get(name) or [default])[0])


def axis_of(axis: int, dimensions: int) -> int:
    if not -dimensions <= axis < dimensions:
        raise IndexError(f"axis {axis}")
    return axis % dimensions


def _reshape(inputs: Inputs, attributes: Attributes) -> list[Tensor]:
    shape = inputs[0].shape
    wanted = numbers_of(inputs, attributes, 1, "shape") or []
    if not one_of(attributes, "allowzero", 0):
        wanted = [shape[place] if side == 0 else side for place, side in enumerate(wanted)]
    if wanted.count(-1) == 1:
        wanted[wanted.index(-1)] = prod(shape) // max(-prod(wanted), 1)
    if prod(wanted) != prod(shape) or min(wanted, default=0) < 0:
        raise ValueError(f"{shape} into {wanted}")
    values = inputs[0].values
    return [Tensor(tuple(wanted), None if values is None else values.reshape(wanted))]


def _transpose(inputs: Inputs, attributes: Attributes) -> Shape:
    shape = inputs[0].shape
    order = attributes.get("perm") or [*range(len(shape))][::-1]
    if sorted(order) != [*range(len(shape))]:
        raise ValueError(f"perm {order}")
    return tuple(shape[axis] for axis in order)


def _squeeze(inputs: Inputs, attributes: Attributes) -> list[Tensor]:
    shape, values = inputs[0]
    axes = numbers_of(inputs, attributes, 1, "axes")
    gone = {axis_of(axis, len(shape)) for axis in axes} if axes is not None else {p for p, side in enumerate(shape) if side == 1}
    if any(shape[axis] != 1 for axis in gone):
        raise ValueError(f"axes {axes} of {shape}")
    left = tuple(side for place, side in enumerate(shape) if place not in gone)
    return [Tensor(left, None if values is None else values.reshape(left))]


def _unsqueeze(inputs: Inputs, attributes: Attributes) -> list[Tensor]:
    shape, values = inputs[0]
    axes = numbers_of(inputs, attributes, 1, "axes") or []
    new = {axis_of(axis, len(shape) + len(axes)) for axis in axes}
    rest = iter(shape)
    grown = tuple(1 if place in new else next(rest) for place in range(len(shape) + len(new)))
    return [Tensor(grown, None if values is None else values.reshape(grown))]


def _concat(inputs: Inputs, attributes: Attributes) -> list[Tensor]:
    first = inputs[0].shape
    axis = axis_of(one_of(attributes, "axis", 1), len(first))
    rest = {(*one.shape[:axis], *one.shape[axis + 1 :]) for one in inputs}
    if len(rest) != 1:
        raise ValueError("parts that do not fit")
    shape = (*first[:axis], sum(one.shape[axis] for one in inputs), *first[axis + 1 :])
    known = [one.values for one in inputs if one.values is not None]
    whole = len(known) == len(inputs) and prod(shape) <= MOST_KNOWN
    return [Tensor(shape, np.concatenate(known, axis) if whole else None)]


def _split(inputs: Inputs, attributes: Attributes) -> list[Tensor]:
    shape = inputs[0].shape
    axis = axis_of(one_of(attributes, "axis", 0), len(shape))
    parts = numbers_of(inputs, attributes, 1, "split")
    if parts is None:
        count = one_of(attributes, "num_outputs", 2)
        if count > MOST_KNOWN:
            raise ValueError(f"{count} parts")
        size = -(-shape[axis] // max(count, 1))
        parts = [min(size, shape[axis] - start) for start in range(0, shape[axis], size)] if size else []
    if sum(parts) != shape[axis] or min(parts, default=0) < 0:
        raise ValueError(f"parts {parts} of {shape}")
    return [Tensor((*shape[:axis], part, *shape[axis + 1 :])) for part in parts]


def _slice(inputs: Inputs, attributes: Attributes) -> list[Tensor]:
    shape, values = inputs[0]
    starts, ends = (numbers_of(inputs, attributes, place, name) or [] for place, name in ((1, "starts"), (2, "ends")))
    axes = numbers_of(inputs, attributes, 3, "axes") or [*range(len(starts))]
    steps = numbers_of(inputs, attributes, 4, "steps") or [1] * len(starts)
    cuts = [slice(None)] * len(shape)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        cuts[axis_of(axis, len(shape))] = slice(start, end, step)
    left = tuple(len(range(*cut.indices(side))) for cut, side in zip(cuts, shape, strict=True))
    return [Tensor(left, None if values is None else values[tuple(cuts)])]


def _gather(inputs: Inputs, attributes: Attributes) -> list[Tensor]:
    (shape, values), places = inputs[0], inputs[1]
    axis = axis_of(one_of(attributes, "axis", 0), len(shape))
    found = (*shape[:axis], *places.shape, *shape[axis + 1 :])
    if values is None or places.values is None or prod(found) > MOST_KNOWN:
        return [Tensor(found)]
    return [Tensor(found, np.take(values, places.values, axis))]


def _shape(inputs: Inputs, attributes: Attributes) -> list[Tensor]:
    values = np.array(inputs[0].shape[one_of(attributes, "start", 0) : (attributes.get("end") or [None])[0]], np.int64)
    return [Tensor(values.shape, values)]


def _constant(_: Inputs, attributes: Attributes) -> list[Tensor]:
    if "value" in attributes:
        return [attributes["value"]]
    (name,) = attributes
    if name not in ("value_int", "value_ints"):
        return [Tensor(() if name == "value_float" else (MOST_KNOWN,))]
    values = np.array(attributes[name] if name == "value_ints" else attributes[name][0], np.int64)
    return [Tensor(values.shape, values)]


def _filled(inputs: Inputs, attributes: Attributes) -> list[Tensor]:
    shape = tuple(_known(inputs[0]))
    value = attributes.get("value", Tensor(())).values
    if value is None or prod(shape) > MOST_KNOWN:
        return [Tensor(shape)]
    return [Tensor(shape, np.broadcast_to(value.reshape(-1)[0], shape))]


def _expand(inputs: Inputs, _: Attributes) -> list[Tensor]:
    shape = np.broadcast_shapes(inputs[0].shape, tuple(_known(inputs[1])))
    values = inputs[0].values
    return [Tensor(shape, np.broadcast_to(values, shape) if values is not None and prod(shape) <= MOST_KNOWN else None)]


def _tile(inputs: Inputs, _: Attributes) -> Shape:
    return tuple(side * times for side, times in zip(inputs[0].shape, _known(inputs[1]), strict=True))


def _pad(inputs: Inputs, attributes: Attributes) -> Shape:
    shape, pads = inputs[0].shape, numbers_of(inputs, attributes, 1, "pads") or []
    if len(inputs) > 3 and inputs[3].shape:
        raise ValueError("margins of some axes")
    sides = zip(shape, pads[: len(shape)], pads[len(shape) :], strict=True)
    return tuple(before + side + after for side, before, after in sides)


def _range(inputs: Inputs, _: Attributes) -> list[Tensor]:
    start, end, step = (_known(one)[0] for one in inputs)
    count = len(range(start, end, step))
    return [Tensor((count,), np.arange(start, end, step) if count <= MOST_KNOWN else None)]


MOVING: dict[str, Callable[[Inputs, Attributes], Shape | list[Tensor]]] = {
    "Concat": _concat,
    "Constant": _constant,
    "ConstantOfShape": _filled,
    "Expand": _expand,
    "Gather": _gather,
    "Pad": _pad,
    "Range": _range,
    "Reshape": _reshape,
    "Shape": _shape,
    "Slice": _slice,
    "Split": _split,
    "Squeeze": _squeeze,
    "Tile": _tile,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
"""Operators that move numbers around."""
