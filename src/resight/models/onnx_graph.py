"""An ONNX file taken apart before any runtime sees it.

Models come from strangers, like images. The size of a file is checked before it is read. A file must be whole, because a tensor in
another file could name any file of this machine. Loops, conditions and whatever grows when it is loaded are refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from resight.errors import WeightsError
from resight.models.onnx_work import declared
from resight.models.protobuf import Damaged, budget, fields, gathered, integers, message, text

__all__ = [
    "MAX_MODEL_BYTES",
    "OnnxGraph",
    "Value",
    "check_whole",
    "open_onnx",
    "read_bounded",
    "take_apart",
    "without_tiny_weights",
]

MAX_MODEL_BYTES = 512 * 2**20
"""Largest model file that is read; a ResNet-50 has 100 MB."""

_MOST_FIELDS = 1_000_000  # a network has some 10^4; more would only keep the reader busy

_INSIDE = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "branch", 10: "tensor", 11: "branch", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {13: "external", 14: "location"},
}
"""Fields of onnx.proto that lead to tensors: message, field, message. A branch is the graph inside a loop or a condition."""

_TINY = 1e-15  # weights far below what float32 tells apart beside the others

_STRANGE = {"function": "an operator of its own", "sparse": "a sparse tensor"}
"""Content that a runtime makes larger than it is in the file."""


_TYPES = {1: "float32", 2: "uint8", 6: "int32", 7: "int64", 10: "float16"}
"""Names of onnx.TensorProto.DataType."""

Value = tuple[str, str, list[int | str]]
"""Name, type and sides of an input or output; an open side is a text."""


@dataclass(frozen=True, eq=False)
class OnnxGraph:
    """The parts of an ONNX file.

    Attributes
    ----------
    data : bytes
        The whole file.
    metadata : dict of str to str
    graph : memoryview
        The onnx.GraphProto.
    inputs, outputs : list of tuple
        See `Value`. A constant is not an input.
    parameters : int
        Numbers in its floating-point constants.
    left : iterator
        Fields that may still be read.
    """

    data: bytes
    metadata: dict[str, str]
    graph: memoryview
    inputs: list[Value]
    outputs: list[Value]
    parameters: int
    left: Iterator[int]


def read_bounded(path: str | Path) -> bytes:
    """Read a file of at most `MAX_MODEL_BYTES`. Raises `WeightsError`."""
    try:
        with Path(path).open("rb") as stream:
            size = stream.seek(0, 2)
            if size > MAX_MODEL_BYTES:
                raise WeightsError(f"{path}: {size} bytes; at most {MAX_MODEL_BYTES} are read as a model")
            stream.seek(0)
            return stream.read(size)
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read: {error.strerror}") from error


def open_onnx(path: str | Path) -> OnnxGraph:
    """Read an ONNX file, and take it apart; see `take_apart`. Raises `WeightsError` if it cannot be read, or is too large."""
    return take_apart(read_bounded(path))


def take_apart(data: bytes) -> OnnxGraph:
    """Take the content of an ONNX file apart.

    Raises
    ------
    WeightsError
        If it refers to other files, or holds loops, conditions, sparse tensors or operators of its own.
    Damaged
        If it is not ONNX.
    """
    left = budget(_MOST_FIELDS)
    content, metadata, strange = check_whole(data, left)
    if strange:
        raise WeightsError(f"holds {strange}, which Resight does not run")
    parts = gathered(content, left)
    constants = [gathered(value, left) for value in parts[5]]
    own = {text(tensor[8]) for tensor in constants}
    shapes = [integers(tensor[1], 8) for tensor in constants if integers(tensor[2], 1) not in ([6], [7])]
    inputs, outputs = ([declared(value, left) for value in parts[number]] for number in (11, 12))
    return OnnxGraph(
        data=data,
        metadata=metadata,
        graph=content,
        inputs=[_named(value) for value in inputs if value[0] not in own],
        outputs=[_named(value) for value in outputs],
        parameters=sum(map(prod, shapes)),
        left=left,
    )


def without_tiny_weights(data: bytes) -> bytes:
    """Write zeros for the tiny weights of an ONNX file's layers; the answers stay the same to the bit.

    A training with weight decay leaves weights of 1e-40 in channels that it does not use. Numbers so small are denormal, and some
    processors are slow with them: an Intel Xeon computes a whole OSNet four times more slowly. Scales of quantised tensors, which
    have one dimension, stay.

    Parameters
    ----------
    data : bytes
        A file that `take_apart` accepts.

    Returns
    -------
    bytes
        The same file, or `data` itself if it has no tiny weights.

    Raises
    ------
    WeightsError, Damaged
        As `take_apart` does.
    """
    changed = False
    whole, left = bytearray(data), budget(_MOST_FIELDS)
    content, _, _ = check_whole(whole, left)
    for constant in gathered(content, left)[5]:
        tensor = gathered(constant, left)
        if integers(tensor[2], 1) != [1] or len(integers(tensor[1], 8)) < 2:
            continue
        for numbers in (value for value in (*tensor[4], *tensor[9]) if isinstance(value, memoryview) and len(value) % 4 == 0):
            weights = np.frombuffer(numbers, "<f4")
            tiny = (np.abs(weights) < _TINY) & (weights != 0)
            weights[tiny] = 0
            changed |= bool(tiny.any())
    return bytes(whole) if changed else data


def _named(value: tuple[str, int, list[int | str]]) -> Value:
    name, kind, sides = value
    return name, _TYPES.get(kind, f"type {kind}"), sides


def check_whole(data: bytes | bytearray, left: Iterator[int]) -> tuple[memoryview, dict[str, str], str]:
    """Refuse a model that is not one whole file of plain operators.

    Parameters
    ----------
    data : bytes or bytearray
        An onnx.ModelProto.
    left : iterator
        Fields that may be read; see `resight.models.protobuf.budget`.

    Returns
    -------
    tuple of (memoryview, dict, str)
        Its graph, its metadata, and the name of what a runtime would make larger than it is in the file, empty if there is none.

    Raises
    ------
    WeightsError
        If it refers to other files, or holds loops or conditions.
    Damaged
        If it is not such a message.
    """
    found: dict[str, str] = {}
    graphs: list[memoryview] = []
    strange = ""
    stack = [("model", memoryview(data))]
    while stack:
        inside, content = stack.pop()
        for number, value in fields(content, left):
            kind = _INSIDE[inside].get(number)
            if kind == "branch":
                raise WeightsError("holds a loop or a condition, which Resight does not run")
            if kind == "external" or (kind == "location" and value != 0):
                raise WeightsError(
                    "keeps tensors in other files; only a model that is one whole file is read: join them with "
                    "onnx.save(onnx.load(FILE), OUT)"
                )
            if kind in _STRANGE:
                strange = _STRANGE[kind]
            if kind not in (None, "location"):
                stack.append((kind, message(value)))
                if kind == "graph" and inside == "model":
                    graphs.append(message(value))
            elif inside == "model" and number == 14:
                entry = gathered(value, left)
                found[text(entry[1])] = text(entry[2])
    if len(graphs) != 1:
        raise Damaged(f"{len(graphs)} graphs")
    return graphs[0], found, strange
