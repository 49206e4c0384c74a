"""Report what a model takes and gives, and what is missing before Resight can use it."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

from resight.errors import ConfigurationError, WeightsError
from resight.models.description import Description, read_description, write_description
from resight.models.exported import ModelFile, first_line
from resight.models.onnx_file import CARD, read_onnx
from resight.models.onnx_graph import Value, open_onnx
from resight.models.protobuf import Damaged
from resight.models.reference import Reference, parse
from resight.models.resolve import load_model
from resight.models.terms import terms_of_weights

__all__ = ["describe_model", "inspect_model"]


def inspect_model(reference: str) -> dict[str, Any]:
    """Say what a model takes and gives.

    Parameters
    ----------
    reference : str
        See `resight.load_model`.

    Returns
    -------
    dict
        ``model``; ``inputs`` and ``outputs`` of a file, each with name, type and shape; ``ours``; ``description`` of a file of
        others; and ``missing``, what keeps Resight from using it. Of a usable model also ``name``, ``size``, ``embedding_size``,
        ``distance``, ``parameters``, ``sha256`` and ``terms`` of use, as far as they are known.

    Raises
    ------
    ResightError
        If there is no such model, or it is damaged.
    """
    found = parse(reference)
    about: dict[str, Any] = {"model": reference, "ours": True}
    if found.path is not None and found.kind in ("onnx", "openvino", "shipped"):
        inputs, outputs, about["ours"] = _parts(found)
        about |= {"inputs": list(map(_shown, inputs)), "outputs": list(map(_shown, outputs))}
    try:
        model = load_model(reference, device="cpu")
    except WeightsError as error:
        if about["ours"]:
            raise
        return about | {"missing": str(error)}
    if not about["ours"]:
        about["description"] = getattr(model, "card", {})
    return about | {
        "name": model.name,
        "size": list(model.size),
        "embedding_size": model.embedding_size,
        "distance": model.distance if isinstance(model.distance, str) else "fitted",
        "parameters": model.parameters,
        "sha256": model.sha256,
        "terms": terms_of_weights(reference),
        "missing": "",
    }


def describe_model(reference: str, changes: dict[str, Any]) -> tuple[Path, ModelFile]:
    """Write the description of a model of others beside it.

    Parameters
    ----------
    reference : str
        ``FILE.onnx`` or ``FILE.xml``.
    changes : dict
        Fields of `Description`; those of the description that is there stay.

    Returns
    -------
    Path
        The description.
    ModelFile

    Raises
    ------
    ConfigurationError
        If it is not a file of others.
    WeightsError
        If it cannot be used with this description, which is not written then.
    """
    found = parse(reference)
    if found.path is None or found.kind not in ("onnx", "openvino") or found.name:
        raise ConfigurationError(f"{reference} needs no description; expected FILE.onnx or FILE.xml")
    if _parts(found)[2]:
        raise ConfigurationError(f"{reference} describes itself; `resight export` wrote it")
    description = replace(read_description(found.path) or Description(), **changes)
    if found.path.suffix == ".xml":
        from resight.models.openvino import open_vino, read_own_format

        file, _ = read_own_format(found.path, open_vino(found.path), description)
    else:
        file = read_onnx(found.path, description)
    return write_description(found.path, description), file


def _parts(found: Reference) -> tuple[list[Value], list[Value], bool]:
    """Inputs and outputs of a file, and whether `resight export` wrote it."""
    path = found.path or Path()
    if path.suffix == ".xml":
        from resight.models.onnx_graph import read_bounded
        from resight.models.openvino import open_vino, parts_of

        core = open_vino(path)
        data = [io.BytesIO(read_bounded(part)) for part in (path, path.with_suffix(".bin"))]
        try:
            return *parts_of(core.read_model(*data)), False
        except Exception as error:  # OpenVINO's errors have no base of their own
            raise WeightsError(f"{path}: OpenVINO refuses it ({first_line(error)}); get or export it again") from error
    try:
        graph = open_onnx(path)
    except Damaged as error:
        raise WeightsError(f"{path}: not an ONNX file, or a damaged one ({error}); export it again") from error
    except WeightsError as error:
        raise WeightsError(str(error) if str(path) in str(error) else f"{path}: {error}") from error
    return graph.inputs, graph.outputs, CARD in graph.metadata


def _shown(value: Value) -> dict[str, Any]:
    name, kind, shape = value
    return {"name": name, "type": kind, "shape": [side or "open" for side in shape]}
