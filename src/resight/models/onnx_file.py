"""The description inside an ONNX file, read before any runtime sees the file.

Models come from strangers, like images. The size of a file is checked before it is read. A file must be whole, because a tensor in
another file could name any file of this machine. It must compute only what Resight's networks compute, in bounded memory (see
`resight.models.onnx_work`). It must describe itself in Resight's own metadata.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from resight.distances import distance_named
from resight.errors import ConfigurationError, WeightsError
from resight.images import RESIZE
from resight.models.exported import ModelFile
from resight.models.onnx_work import check_work
from resight.models.protobuf import Damaged, budget, fields, gathered, message, text

__all__ = ["CARD", "FORMAT", "INPUT", "MAX_MODEL_BYTES", "OUTPUT", "check_graph", "check_whole", "read_bounded", "read_onnx"]

FORMAT = "resight-onnx-1"
CARD = "resight"
"""Key of the metadata that holds the card, as JSON."""

INPUT, OUTPUT = "images", "embeddings"
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

_STRANGE = {"function": "an operator of its own", "sparse": "a sparse tensor"}
"""Content that a runtime makes larger than it is in the file."""


def read_onnx(path: str | Path) -> ModelFile:
    """Read a file that `resight export` wrote, without executing anything.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    ModelFile

    Raises
    ------
    WeightsError
        If the file cannot be read, is too large, is not ONNX, refers to other files, holds loops, conditions or operators that
        `resight export` never writes, would compute too much at a time, or lacks Resight's card.
    """
    data = read_bounded(path)
    try:
        metadata = _metadata(data)
    except Damaged as error:
        raise WeightsError(f"{path}: not an ONNX file, or a damaged one ({error}); export it again") from error
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from error
    try:
        card = json.loads(metadata[CARD])
        if card["format"] != FORMAT:
            raise ValueError(f"format {card['format']!r}; expected {FORMAT!r}")
        if card["resize"] != RESIZE:
            raise ValueError(f"resize {card['resize']!r}; expected {RESIZE!r}")
        distance_named(card["distance"])
        height, width = (_whole(side, 1, 4096) for side in card["input"])
        operations = card["multiply_adds"]
        return ModelFile(
            path=str(path),
            data=data,
            sha256=hashlib.sha256(data).hexdigest(),
            name=_plain(f"{card['name']} {card['precision']}"),
            size=(height, width),
            embedding_size=_whole(card["embedding_size"], 1, 2**20),
            distance=card["distance"],
            parameters=_whole(card["parameters"], 0, 2**40),
            multiply_adds=None if operations is None else _whole(operations, 0, 2**60),
            card=card,
        )
    except (ConfigurationError, KeyError, TypeError, ValueError, RecursionError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise WeightsError(f"{path}: its metadata {CARD!r} is damaged or of another version ({reason}); export it again") from error


def read_bounded(path: str | Path) -> bytes:
    """Read a model file of at most `MAX_MODEL_BYTES`. Raises `WeightsError`."""
    try:
        with Path(path).open("rb") as stream:
            size = stream.seek(0, 2)
            if size > MAX_MODEL_BYTES:
                raise WeightsError(f"{path}: {size} bytes; at most {MAX_MODEL_BYTES} are read as a model")
            stream.seek(0)
            return stream.read(size)
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read: {error.strerror}") from error


def check_graph(file: ModelFile, values: Mapping[str, tuple[str, Sequence[Any]]]) -> int | None:
    """Compare a graph's inputs and outputs, as a runtime sees them, with its card.

    Parameters
    ----------
    file : ModelFile
    values : mapping of str to (str, sequence)
        Type and shape by name; a dimension that is not a number is open.

    Returns
    -------
    int or None
        Images in one call, if the graph fixes it.

    Raises
    ------
    WeightsError
        If they differ from Resight's format.
    """
    height, width = file.size
    expected = {INPUT: ("uint8", [height, width, 3]), OUTPUT: ("float32", [file.embedding_size])}
    batches = {shape[0] if isinstance(shape[0], int) else None for _, shape in values.values() if len(shape)}
    if {name: (kind, list(shape[1:])) for name, (kind, shape) in values.items()} != expected or len(batches) != 1 or 0 in batches:
        graph = ", ".join(f"{name} {kind} {list(shape)}" for name, (kind, shape) in values.items())
        raise WeightsError(
            f"{file.path}: its graph has {graph}; its card says {INPUT} uint8 [batch, {height}, {width}, 3] and {OUTPUT} float32 "
            f"[batch, {file.embedding_size}]; export it again"
        )
    return batches.pop()


def _whole(value: Any, least: int, most: int) -> int:
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"{value!r}; expected a whole number from {least} to {most}")
    return value


def _plain(text: str) -> str:
    """Text that is safe on any terminal."""
    return "".join(letter if letter.isprintable() and letter not in "[]" else "_" for letter in text[:120])


def _metadata(data: bytes) -> dict[str, str]:
    """Check all of a graph, and return the model's metadata."""
    left = budget(_MOST_FIELDS)
    graph, found, strange = check_whole(data, left)
    if CARD not in found:
        raise WeightsError(
            f"an ONNX file without Resight's metadata {CARD!r}, so that its preprocessing is unknown; write it with "
            "`resight export`, or name the weights that it was made from, as NETWORK:FILE"
        )
    if strange:
        raise WeightsError(f"holds {strange}, which no network of Resight's has; it is not run")
    check_work(graph, left)
    return found


def check_whole(data: bytes, left: Iterator[int]) -> tuple[memoryview, dict[str, str], str]:
    """Refuse a model that is not one whole file of plain operators.

    Parameters
    ----------
    data : bytes
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
                raise WeightsError("holds a loop or a condition, which no network of Resight's has; it is not run")
            if kind == "external" or (kind == "location" and value != 0):
                raise WeightsError("keeps tensors in other files; only a model that is one whole file is read")
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
