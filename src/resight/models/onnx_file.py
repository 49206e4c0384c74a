"""Read what an ONNX file says of itself, or a JSON file beside it, before any runtime sees the file.

It must compute only what is known, in bounded memory; see `resight.models.onnx_graph` and `resight.models.onnx_work`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from resight.configuration import to_dict
from resight.distances import distance_named
from resight.errors import ConfigurationError, WeightsError
from resight.images import RESIZE
from resight.models.description import INPUTS, Description, input_of, output_of, read_description
from resight.models.exported import BATCH, OUTPUT, ModelFile
from resight.models.onnx_graph import OnnxGraph, open_onnx
from resight.models.onnx_work import check_work
from resight.models.protobuf import Damaged

__all__ = ["CARD", "FORMAT", "INPUT", "OUTPUT", "check_graph", "plain", "read_onnx", "signed"]

FORMAT = "resight-onnx-1"
CARD = "resight"
"""Key of the metadata that holds the card, as JSON."""

INPUT = INPUTS["uint8"].name


def read_onnx(path: str | Path, description: Description | None = None) -> ModelFile:
    """Read a model without executing anything.

    Parameters
    ----------
    path : str or Path
        A file that `resight export` wrote, or one of others.
    description : Description, optional
        Description of a model of others; by default the one beside it.

    Returns
    -------
    ModelFile

    Raises
    ------
    WeightsError
        If the file cannot be read, is too large, is not ONNX, refers to other files, holds loops, conditions or operators that
        are not known, would compute too much at a time, or if nothing says what its images are.
    """
    try:
        graph = open_onnx(path)
        if CARD in graph.metadata:
            check_work(graph.graph, graph.left)
            return _ours(path, graph)
        return _of_others(path, graph, description or read_description(path))
    except Damaged as error:
        raise WeightsError(f"{path}: not an ONNX file, or a damaged one ({error}); export it again") from error
    except WeightsError as error:
        raise WeightsError(str(error) if str(path) in str(error) else f"{path}: {error}") from error


def _ours(path: str | Path, graph: OnnxGraph) -> ModelFile:
    try:
        card = json.loads(graph.metadata[CARD])
        if card["format"] != FORMAT:
            raise ValueError(f"format {card['format']!r}; expected {FORMAT!r}")
        if card["resize"] != RESIZE:
            raise ValueError(f"resize {card['resize']!r}; expected {RESIZE!r}")
        distance_named(card["distance"])
        height, width = (_whole(side, 1, 4096) for side in card["input"])
        operations = card["multiply_adds"]
        return ModelFile(
            path=str(path),
            data=graph.data,
            sha256=hashlib.sha256(graph.data).hexdigest(),
            name=plain(f"{card['name']} {card['precision']}"),
            size=(height, width),
            embedding_size=_whole(card["embedding_size"], 1, 2**20),
            distance=card["distance"],
            parameters=_whole(card["parameters"], 0, 2**40),
            multiply_adds=None if operations is None else _whole(operations, 0, 2**60),
            card=card,
            takes=INPUTS[card.get("takes", "uint8")],
        )
    except (ConfigurationError, KeyError, TypeError, ValueError, RecursionError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise WeightsError(f"{path}: its metadata {CARD!r} is damaged or of another version ({reason}); export it again") from error


def _of_others(path: str | Path, graph: OnnxGraph, given: Description | None) -> ModelFile:
    if len(graph.inputs) != 1:
        named = ", ".join(name for name, _, _ in graph.inputs) or "nothing"
        raise WeightsError(f"it takes {named}; expected one input, images: export only the part that sees images")
    name, kind, sides = graph.inputs[0]
    takes, whole = input_of(given, name, kind, sides)
    height, width = whole.size
    batch = sides[0] if isinstance(sides[0], int) else BATCH
    taken = (batch, 3, height, width) if takes.planes else (batch, height, width, 3)
    shapes = check_work(graph.graph, graph.left, taken).shapes
    outputs = {output: shapes.get(output, ()) for output, _, _ in graph.outputs}
    output, embedding_size = output_of(whole, outputs)
    if outputs[output][0] != batch:
        raise WeightsError(
            f"its output {output} has the shape {list(outputs[output])} for {batch} images; expected one row an image"
        )
    return ModelFile(
        path=str(path),
        data=graph.data,
        sha256=signed([graph.data], given),
        name=plain(Path(path).stem),
        size=(height, width),
        embedding_size=embedding_size,
        distance=whole.distance,
        parameters=graph.parameters,
        multiply_adds=None,
        card=to_dict(replace(whole, output=output)),
        takes=takes,
        output=output,
        fixed_batch=batch if isinstance(sides[0], int) else None,
    )


def signed(parts: Sequence[bytes], description: Description | None) -> str:
    """SHA-256 of a model's files and of its description: with another one the vectors are others."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    if description is not None:
        digest.update(json.dumps(to_dict(description), sort_keys=True).encode())
    return digest.hexdigest()


def check_graph(file: ModelFile, values: Mapping[str, tuple[str, Sequence[Any]]]) -> int | None:
    """Compare a graph's inputs and outputs, as a runtime sees them, with its card. A file of others has none.

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
    if "format" not in file.card:
        return file.fixed_batch
    height, width = file.size
    sides = [3, height, width] if file.takes.planes else [height, width, 3]
    expected = {INPUT: (file.takes.kind, sides), OUTPUT: ("float32", [file.embedding_size])}
    batches = {shape[0] if isinstance(shape[0], int) else None for _, shape in values.values() if len(shape)}
    if {name: (kind, list(shape[1:])) for name, (kind, shape) in values.items()} != expected or len(batches) != 1 or 0 in batches:
        graph = ", ".join(f"{name} {kind} {list(shape)}" for name, (kind, shape) in values.items())
        takes = ", ".join(map(str, ("batch", *sides)))
        raise WeightsError(
            f"{file.path}: its graph has {graph}; its card says {INPUT} {file.takes.kind} [{takes}] and {OUTPUT} float32 "
            f"[batch, {file.embedding_size}]; export it again"
        )
    return batches.pop()


def _whole(value: Any, least: int, most: int) -> int:
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"{value!r}; expected a whole number from {least} to {most}")
    return value


def plain(text: str) -> str:
    """Text that is safe on any terminal."""
    return "".join(letter if letter.isprintable() and letter not in "[]" else "_" for letter in text[:120])
