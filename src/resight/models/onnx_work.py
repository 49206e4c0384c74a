"""Work and memory of an ONNX graph, computed before any runtime sees it.

A few bytes can ask a runtime for any number of gigabytes: a constant of a given shape, a margin of a million zeros, the product of
a column and a row. Only known operators are run: of our files those that `resight export` writes, of files of others those of
`resight.models.onnx_shapes`. The shape of everything that a graph computes is worked out beforehand. The shapes also tell how many
multiply-adds there are, so that a graph that would compute for minutes is refused as well.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from math import prod
from typing import Any, NamedTuple

import numpy as np

from resight.errors import ConfigurationError, WeightsError
from resight.models.exported import BATCH
from resight.models.onnx_moving import MOST_KNOWN, Attributes, Shape, Tensor
from resight.models.onnx_shapes import OPERATORS_OF_OTHERS, multiply_adds, outputs_of
from resight.models.protobuf import Damaged, Value, gathered, integers, message, text

__all__ = ["MOST_MULTIPLY_ADDS", "MOST_NUMBERS", "OPERATORS", "Work", "check_work", "declared"]

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
"""Allowed values of attributes of our files; 1 is onnx.TensorProto.FLOAT."""

MOST_NUMBERS = 2**31  # in all layers of one call; a ResNet-50 at 256x128 has some 2^27
_MOST_DIMENSIONS = 8
_MOST_VALUES = 64  # in an attribute, such as the shape of a constant

MOST_MULTIPLY_ADDS = 2**38
"""Most multiply-adds for one image: those of a hundred ResNet-50 at 256x128, or some 10 seconds of one core. The environment
variable ``RESIGHT_MOST_MULTIPLY_ADDS`` sets another bound."""

_UNFIT = (IndexError, KeyError, TypeError, ValueError, OverflowError, ZeroDivisionError)


class Work(NamedTuple):
    """Work of a graph in one call.

    Attributes
    ----------
    numbers : int
        Numbers in its constants and inputs, and in everything that it computes.
    multiply_adds : int
        Multiply-adds of its convolutions and products; of a pooling, the numbers in its windows.
    shapes : dict of str to tuple of int
        Shape of every tensor.
    """

    numbers: int
    multiply_adds: int
    shapes: dict[str, Shape]


def check_work(graph: memoryview, budget: Iterator[int], taken: Shape | None = None) -> Work:
    """Refuse a graph that computes something foreign to the networks that Resight runs, or too much.

    Parameters
    ----------
    graph : memoryview
        An onnx.GraphProto. If it leaves the number of images open, it receives `resight.models.exported.BATCH` at a time.
    budget : iterator
        Fields that may be read; see `resight.models.protobuf.budget`.
    taken : tuple of int, optional
        Shape of the only input of a graph of others. Without it the graph must be one of `resight export`.

    Returns
    -------
    Work

    Raises
    ------
    WeightsError
        If an operator or an attribute is not known, or if there are more than 2^31 numbers, or more multiply-adds than
        `MOST_MULTIPLY_ADDS` for each image.
    ConfigurationError
        If ``RESIGHT_MOST_MULTIPLY_ADDS`` is not a positive number.
    Damaged
        If it is not such a message.
    """
    parts = gathered(graph, budget)
    images, operations = 1, 0
    known: dict[str, Tensor] = {}
    for value in parts[5]:  # constants
        name, tensor = _constant(value, budget)
        _keep(known, name, tensor)
    for value in parts[11]:  # inputs
        name, _, shape = declared(value, budget)
        if taken is None or name not in known:  # old files list their constants among the inputs
            sides = taken or tuple(side if isinstance(side, int) else BATCH for side in shape)
            images = max([images, *sides[:1]])
            _keep(known, name, Tensor(sides))
    total = sum(prod(one.shape) for one in known.values())
    known[""] = Tensor(())  # stands where an input is left out
    for value in parts[1]:  # operators, in the order in which they run
        node = gathered(value, budget)
        operator, domain = text(node[4]), text(node[7])
        if operator not in (OPERATORS if taken is None else OPERATORS_OF_OTHERS) or domain not in ("", "ai.onnx"):
            called = ascii(f"{domain}.{operator}" if domain else operator)[:80]
            runs = "which no network of Resight's has" if taken is None else "which Resight does not run"
            raise WeightsError(f"holds the operator {called}, {runs}; it is not run")
        attributes = _attributes(node[5], budget)
        if taken is None:
            _check_ours(operator, node[5], attributes, budget)
        names = [text([name]) for name in node[2]]
        try:
            inputs = [known[text([name])] for name in node[1]]
            found = outputs_of(operator, inputs, attributes, len(names))
            operations += prod(found[0].shape if found else ()) * multiply_adds(operator, inputs, attributes)
        except _UNFIT as error:
            why = f" ({error})" if taken and isinstance(error, ValueError) else ""
            raise WeightsError(f"its operator {operator} does not fit what goes into it{why}; export it again") from error
        total += sum(prod(one.shape) for one in found)
        if min((side for one in found for side in one.shape), default=0) < 0:
            raise WeightsError(f"its operator {operator} gives a tensor of a negative size; export it again")
        if total > MOST_NUMBERS:
            most = f"more than {MOST_NUMBERS} numbers in one call"
            raise WeightsError(f"its operators compute {most}; export it for fewer images at a time, or smaller ones")
        for name, one in zip(names, found, strict=False):
            if name or taken is None:
                _keep(known, name, one)
    bound = _most_multiply_adds()
    if operations > bound * min(images, BATCH):
        raise WeightsError(
            f"it takes {operations // images:,} multiply-adds an image, and {bound:,} are allowed; use a smaller network or "
            "smaller images, or allow more by the environment variable RESIGHT_MOST_MULTIPLY_ADDS"
        )
    return Work(total, operations, {name: one.shape for name, one in known.items()})


def _most_multiply_adds() -> int:
    given = os.environ.get("RESIGHT_MOST_MULTIPLY_ADDS") or str(MOST_MULTIPLY_ADDS)
    if not (given.isascii() and given.isdigit() and len(given) < 20 and int(given)):
        raise ConfigurationError(f"RESIGHT_MOST_MULTIPLY_ADDS is {given[:40]!r}; expected a positive whole number")
    return int(given)


def _keep(known: dict[str, Tensor], name: str, tensor: Tensor) -> None:
    if name and name in known:
        raise Damaged("one name stands for two things")
    known[name] = tensor


def declared(value: Value, budget: Iterator[int]) -> tuple[str, int, list[int | str]]:
    """Name, type (onnx.TensorProto.DataType) and sides of an onnx.ValueInfoProto; an open side is a text. Raises `Damaged`."""
    information = gathered(value, budget)
    tensors = [gathered(one, budget) for kind in information[2] for one in gathered(kind, budget)[1]]
    kinds = integers([number for tensor in tensors for number in tensor[1]], 1)
    shapes = [gathered(shape, budget) for tensor in tensors for shape in tensor[2]]
    sides = [gathered(side, budget) for shape in shapes for side in shape[1]]
    if len(sides) > _MOST_DIMENSIONS:
        raise Damaged(f"more than {_MOST_DIMENSIONS} dimensions")
    return text(information[1]), (kinds or [0])[0], [integers(side[1], 1)[0] if side[1] else text(side[2]) for side in sides]


def _constant(value: Value, budget: Iterator[int]) -> tuple[str, Tensor]:
    """Name and shape of an onnx.TensorProto, and its values if they are few whole numbers."""
    tensor = gathered(value, budget)
    shape = tuple(integers(tensor[1], _MOST_DIMENSIONS))
    kind = (integers(tensor[2], 1) or [0])[0]
    values = None
    if kind in (6, 7) and prod(shape) <= MOST_KNOWN:  # 32 and 64 bits
        stored = [_signed(number) for number in integers(tensor[5 if kind == 6 else 7], MOST_KNOWN)]
        raw = b"".join(bytes(message(part)) for part in tensor[9])
        try:
            numbers = np.frombuffer(raw, "<i4" if kind == 6 else "<i8") if raw else np.array(stored)
            values = numbers.astype(np.int64).reshape(shape)
        except ValueError as error:
            raise Damaged("a constant that is not as long as it says") from error
    return text(tensor[8]), Tensor(shape, values)


def _signed(number: int) -> int:
    """A whole number of 64 bits, as protocol buffers write it."""
    number &= 2**64 - 1
    return number - 2**64 if number >= 2**63 else number


def _attributes(values: list[Value], budget: Iterator[int]) -> Attributes:
    """Attributes of an operator; the last one of a name counts."""
    found: dict[str, Any] = {}
    for value in values:
        attribute = gathered(value, budget)
        name = text(attribute[1])
        if attribute[5]:
            found[name] = _constant(attribute[5][-1], budget)[1]
        elif attribute[4]:
            found[name] = bytes(message(attribute[4][-1]))
        else:
            found[name] = [_signed(number) for number in integers([*attribute[3], *attribute[8]], _MOST_VALUES)]
    return found


def _check_ours(operator: str, values: list[Value], attributes: Attributes, budget: Iterator[int]) -> None:
    """Refuse attributes that `resight export` never writes."""
    for name, numbers in attributes.items():
        allowed = _VALUES.get(name)
        fits = allowed is None or (isinstance(numbers, list) and numbers and all(number in allowed for number in numbers))
        if name not in OPERATORS[operator] or not fits or len(values) != len(attributes):
            raise WeightsError(
                f"its operator {operator} has {ascii(name)[:80]} {numbers}, as no network of Resight's has; it is not run"
            )
