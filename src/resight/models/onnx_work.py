"""Work and memory of an ONNX graph, computed before any runtime sees it.

A few bytes can ask a runtime for any number of gigabytes: a constant of a given shape, a margin of a million zeros, the product of
a column and a row. Only the operators and attributes that `resight export` writes are run, and the shape of everything that a graph
computes is worked out beforehand. An inexact shape is never too small. The shapes also tell how many multiply-adds there are, so
that a graph that would compute for minutes is refused as well.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from math import prod
from typing import NamedTuple

from resight.errors import ConfigurationError, WeightsError
from resight.models.exported import BATCH
from resight.models.protobuf import Damaged, Value, gathered, integers, text

__all__ = ["MOST_MULTIPLY_ADDS", "OPERATORS", "Work", "check_work"]

_WINDOW = ("kernel_shape", "pads", "strides")
OPERATORS: dict[str, tuple[str, ...]] = {
    "Add": (),
    "AveragePool": _WINDOW,
    "BatchNormalization": ("epsilon",),
    "Cast": ("to",),
    "Clip": (),
    "Conv": ("group", *_WINDOW),
    "DequantizeLinear": ("axis",),
    "Div": (),
    "Flatten": (),
    "Gemm": ("transB",),
    "GlobalAveragePool": (),
    "Max": (),
    "MaxPool": _WINDOW,
    "Mul": (),
    "QuantizeLinear": ("axis",),
    "ReduceL2": ("axes", "keepdims"),
    "Relu": (),
    "Sigmoid": (),
    "Sub": (),
    "Transpose": ("perm",),
}
"""Operators that `resight.export` writes, in 32, 16 and 8 bits, with their attributes."""

_VALUES = {"kernel_shape": range(1, 4097), "strides": range(1, 4097), "pads": range(4097), "to": (1,), "keepdims": (1,)}
"""Allowed values of attributes that matter; 1 is onnx.TensorProto.FLOAT."""

_MOST_NUMBERS = 2**31  # in all layers of one call; a ResNet-50 at 256x128 has some 2^27
_MOST_DIMENSIONS = 8

MOST_MULTIPLY_ADDS = 2**38
"""Most multiply-adds for one image: those of a hundred ResNet-50 at 256x128, or some 10 seconds of one core. The environment
variable ``RESIGHT_MOST_MULTIPLY_ADDS`` sets another bound."""


class Work(NamedTuple):
    """Work of a graph in one call.

    Attributes
    ----------
    numbers : int
        Numbers in its constants and inputs, and in everything that it computes.
    multiply_adds : int
        Multiply-adds of its convolutions and products; of a pooling, the numbers in its windows.
    """

    numbers: int
    multiply_adds: int


Shape = tuple[int, ...]


def check_work(graph: memoryview, budget: Iterator[int]) -> Work:
    """Refuse a graph that computes something foreign to Resight's networks, or too much.

    Parameters
    ----------
    graph : memoryview
        An onnx.GraphProto. If it leaves the number of images open, it receives `resight.models.exported.BATCH` at a time.
    budget : iterator
        Fields that may be read; see `resight.models.protobuf.budget`.

    Returns
    -------
    Work

    Raises
    ------
    WeightsError
        If an operator or an attribute is not in `OPERATORS`, or if there are more than 2^31 numbers, or more multiply-adds than
        `MOST_MULTIPLY_ADDS` for each image.
    ConfigurationError
        If ``RESIGHT_MOST_MULTIPLY_ADDS`` is not a positive number.
    Damaged
        If it is not such a message.
    """
    parts = gathered(graph, budget)
    images, operations = 1, 0
    shapes: dict[str, Shape] = {}
    for value in parts[5]:  # constants
        tensor = gathered(value, budget)
        _keep(shapes, text(tensor[8]), tuple(integers(tensor[1], _MOST_DIMENSIONS)))
    for value in parts[11]:  # inputs
        information = gathered(value, budget)
        declared = _declared(information[2], budget)
        _keep(shapes, text(information[1]), declared)
        images = max([images, *declared[:1]])
    total = sum(map(prod, shapes.values()))
    shapes[""] = ()  # stands where an input is left out
    for value in parts[1]:  # operators, in the order in which they run
        node = gathered(value, budget)
        operator, domain = text(node[4]), text(node[7])
        if operator not in OPERATORS or domain not in ("", "ai.onnx"):
            called = ascii(f"{domain}.{operator}" if domain else operator)[:80]
            raise WeightsError(f"holds the operator {called}, which no network of Resight's has; it is not run")
        attributes = _attributes(operator, node[5], budget)
        try:
            inputs = [shapes[text([name])] for name in node[1]]
            shape, each = _shape(operator, inputs, attributes), _multiply_adds(operator, inputs, attributes)
        except (IndexError, KeyError, ValueError) as error:
            raise WeightsError(f"its operator {operator} does not fit what goes into it; export it again") from error
        total += prod(shape) * len(node[2])
        operations += prod(shape) * each
        if total > _MOST_NUMBERS:
            most = f"more than {_MOST_NUMBERS} numbers in one call"
            raise WeightsError(f"its operators compute {most}; export it for fewer images at a time, or smaller ones")
        for output in node[2]:
            _keep(shapes, text([output]), shape)
    bound = _most_multiply_adds()
    if operations > bound * min(images, BATCH):
        raise WeightsError(
            f"it takes {operations // images:,} multiply-adds an image, and {bound:,} are allowed; use a smaller network or "
            "smaller images, or allow more by the environment variable RESIGHT_MOST_MULTIPLY_ADDS"
        )
    return Work(total, operations)


def _most_multiply_adds() -> int:
    given = os.environ.get("RESIGHT_MOST_MULTIPLY_ADDS") or str(MOST_MULTIPLY_ADDS)
    if not (given.isascii() and given.isdigit() and len(given) < 20 and int(given)):
        raise ConfigurationError(f"RESIGHT_MOST_MULTIPLY_ADDS is {given[:40]!r}; expected a positive whole number")
    return int(given)


def _multiply_adds(operator: str, inputs: Sequence[Shape], attributes: Mapping[str, list[int]]) -> int:
    """Multiply-adds for each number that an operator computes. Raises `IndexError` if the inputs do not fit."""
    match operator:
        case "Conv":
            return prod(inputs[1][1:])
        case "AveragePool" | "MaxPool":
            return prod(attributes.get("kernel_shape") or [1])
        case "Gemm":
            return inputs[0][1]
        case _:
            return 0


def _keep(shapes: dict[str, Shape], name: str, shape: Shape) -> None:
    if name and name in shapes:
        raise Damaged("one name stands for two things")
    shapes[name] = shape


def _declared(kinds: list[Value], budget: Iterator[int]) -> Shape:
    """Shape of an input: onnx.TypeProto.tensor_type.shape.dim. An open dimension is the number of images."""
    values = kinds
    for number in (1, 2, 1):
        values = [inner for value in values for inner in gathered(value, budget)[number]]
    if len(values) > _MOST_DIMENSIONS:
        raise Damaged(f"more than {_MOST_DIMENSIONS} dimensions")
    return tuple((integers(gathered(value, budget)[1], 1) or [BATCH])[0] for value in values)


def _attributes(operator: str, values: list[Value], budget: Iterator[int]) -> dict[str, list[int]]:
    """Whole numbers by name; an attribute of another kind has none."""
    found: dict[str, list[int]] = {}
    for value in values:
        attribute = gathered(value, budget)
        name = text(attribute[1])
        numbers = integers([*attribute[3], *attribute[8]], _MOST_DIMENSIONS)
        allowed = _VALUES.get(name)
        known = name in OPERATORS[operator] and name not in found
        if not known or (allowed and not (numbers and all(number in allowed for number in numbers))):
            given = f"{ascii(name)[:80]} {numbers}"
            raise WeightsError(f"its operator {operator} has {given}, as no network of Resight's has; it is not run")
        found[name] = numbers
    return found


def _shape(operator: str, inputs: Sequence[Shape], attributes: Mapping[str, list[int]]) -> Shape:
    """Shape of an operator's output, or a larger one. Raises `IndexError` or `ValueError` if the inputs do not fit."""
    first = inputs[0]
    match operator:
        case "Add" | "Div" | "Max" | "Mul" | "Sub":
            backwards = zip_longest(*(reversed(shape) for shape in inputs), fillvalue=1)
            return tuple(max(sides) for sides in backwards)[::-1]
        case "Conv" | "AveragePool" | "MaxPool":
            kernel = attributes.get("kernel_shape") or inputs[1][2:]
            strides = attributes.get("strides") or [1] * len(kernel)
            pads = attributes.get("pads") or [0] * 2 * len(kernel)
            windows = zip(first[2:], kernel, strides, pads[: len(kernel)], pads[len(kernel) :], strict=True)
            sides = (max((side + before + after - width) // step + 1, 0) for side, width, step, before, after in windows)
            return first[0], inputs[1][0] if operator == "Conv" else first[1], *sides
        case "Flatten":
            return first[0], prod(first[1:])
        case "Gemm":
            return first[0], inputs[1][0 if attributes.get("transB", [0]) == [1] else 1]
        case "GlobalAveragePool":
            return first[0], first[1], *(1 for _ in first[2:])
        case "Transpose":
            order = attributes.get("perm") or [*range(len(first))][::-1]
            if sorted(order) != [*range(len(first))]:
                raise ValueError(f"perm {order}")
            return tuple(first[axis] for axis in order)
        case _:
            return first
