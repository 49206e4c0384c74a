"""A trained model to one file that runs without PyTorch, checked before it gets its name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper

from resight.configuration import to_dict
from resight.datasets import Dataset, open_dataset
from resight.datasets.records import Split
from resight.datasets.splits import by_identity
from resight.errors import ConfigurationError, ExportError, WeightsError
from resight.export.calibration import Calibration, calibrate
from resight.export.config import ExportConfig
from resight.export.graph import OPSET, Projection, network_graph, set_batch, set_input
from resight.export.parity import Source, Vectors, check_vectors, generated_images, score_held_out
from resight.export.quantise import errors_alone, half_weights, quantised
from resight.files import atomic_write, read_json
from resight.images import RESIZE, Pixels, load_pixels
from resight.models import load_model
from resight.models.description import INPUTS
from resight.models.fitted import FittedModel
from resight.models.model import Model
from resight.models.onnx import Session
from resight.models.onnx_file import CARD as METADATA
from resight.models.onnx_file import FORMAT
from resight.models.onnx_graph import take_apart, without_tiny_weights
from resight.models.onnx_work import check_work
from resight.models.pytorch import NetworkModel
from resight.models.reference import Reference, parse
from resight.models.shipped import load_shipped
from resight.models.terms import terms_of_weights
from resight.networks import CARD
from resight.networks.card import Card, read_card
from resight.networks.foreign import architecture
from resight.networks.published import PUBLISHED
from resight.progress import Progress, silent
from resight.provenance import provenance
from resight.training.config import PAPER_HELD_OUT

__all__ = ["export_model"]

_NAMED = 4  # layers that a refusal names
_LOOKED_AT = 32  # images that they are found with


def export_model(
    reference: str,
    out: str | Path,
    config: ExportConfig = ExportConfig(),  # noqa: B008 (frozen)
    *,
    data: str | Path | Dataset | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Write a model as one ONNX file, if the file agrees with the trained network.

    Parameters
    ----------
    reference : str
        A network, such as a run folder or a shipped model, or a distance fitted to one; see `resight.load_model`.
    out : str or Path
        File to write, ending in ``.onnx``. An older file stays if the export fails.
    config : ExportConfig
    data : str, Path or Dataset, optional
        Data set whose training images calibrate int8, and whose held-out people the file is judged on: the people whom the
        training held out, if its card names them. Query and gallery of the data set are not read.
    progress : Progress

    Returns
    -------
    dict
        The card inside the file; ``parity`` holds the measurements of the parity gate.

    Raises
    ------
    ExportError
        If the model is not a network, or the file differs from it: in cosines, or by more than ``max_drop`` points of mAP. For
        int8 the message names the layers to leave in float.
    ConfigurationError
        If the options contradict each other.
    ResightError
        Errors of loading the model, reading the data and writing.
    """
    out = Path(out)
    if out.suffix != ".onnx":
        raise ConfigurationError(f"the file to write is {out}; expected a name that ends in .onnx")
    if config.precision == "int8" and data is None:
        raise ConfigurationError("int8 needs training images to calibrate with; give their data set with --data")
    found = parse(reference)
    trained: Model
    card: Card | None
    if found.kind == "shipped":
        trained, card = load_shipped(found.name)
    else:
        trained, card = load_model(reference, device="cpu"), _network_card(found)
    network, projection, source = _source(trained, reference, config.normalise)
    exact = network_graph(network.network, projection=projection, normalise=config.normalise)
    held_out: Split | None = None
    about: dict[str, Any] = {}
    if data is not None:
        dataset = data if isinstance(data, Dataset) else open_dataset(data)
        held_out, about = _hold_out(dataset, card if trained is network else None)

    model, calibration = exact, None
    if config.precision == "fp16":
        model = half_weights(exact)
    elif config.precision == "int8" and held_out is not None:
        pixels = _calibration_images(held_out, config.calibration_images, trained.size, progress)
        calibration = calibrate(exact, pixels, progress=progress)
        model = quantised(exact, calibration, leave_float=config.leave_float, reduce_range=config.reduce_range)
    if config.fixed_batch:
        set_batch(model, config.fixed_batch)

    takes = INPUTS[config.input]
    set_input(model, takes)
    _check_loads(model)
    session = Session(model, takes=takes)
    parity = check_vectors(session, source, generated_images(trained.size), config.precision)
    if held_out is not None:
        figures = score_held_out(session, source, held_out, trained.size, config.precision, progress=progress)
        if -figures["map"]["change"] > config.max_drop:
            looked_at = load_pixels(held_out.query.paths[:_LOOKED_AT], trained.size)
            raise ExportError(_refusal(figures, config, exact, calibration, looked_at, progress))
        parity |= {"held_out": about | figures}
    described = _describe(trained, network, reference, card, config, source.exported_distance) | {"parity": parity}
    helper.set_model_props(model, {METADATA: json.dumps(described, allow_nan=False)})
    with atomic_write(out) as stream:
        stream.write(without_tiny_weights(model.SerializeToString()))
    return described


def _check_loads(model: onnx.ModelProto) -> None:
    """Refuse a graph that Resight itself would refuse to load."""
    graph = take_apart(model.SerializeToString())
    try:
        check_work(graph.graph, graph.left)
    except WeightsError as error:
        raise ExportError(f"Resight would not load the file, which is not written: {error}") from error


def _source(trained: Model, reference: str, normalise: bool) -> tuple[NetworkModel, Projection | None, Source]:
    """The network inside a model, the layer to add to it, and the source to compare the file with."""
    network = trained.base if isinstance(trained, FittedModel) else trained
    if not isinstance(network, NetworkModel):
        what = f"{network.name}, on which {reference} rests," if isinstance(trained, FittedModel) else reference
        raise ExportError(f"{what} cannot be exported; expected a run folder, a shipped student, published weights or NETWORK:FILE")
    if not isinstance(trained, FittedModel):
        distance = network.distance
        if normalise:  # vectors of length 1 are ranked by their angles, whatever compares them
            return network, None, Source(network.extract, "cosine", _unit, distance)
        return network, None, Source(network.extract, distance, lambda vectors: vectors, distance)
    if normalise:
        raise ConfigurationError("vectors of a fitted distance cannot be normalised: their lengths are a part of it")
    from resight.export.projection import euclidean_projection, euclidean_root

    root = euclidean_root(trained.fitted)
    source = Source(trained.extract, trained.distance, lambda vectors: (vectors @ root.T).astype(np.float32), "euclidean")
    return network, euclidean_projection(trained.fitted, network.embedding_size), source


def _unit(vectors: Vectors) -> Vectors:
    unit: Vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.float32(1e-12))
    return unit


def _network_card(reference: Reference) -> Card | None:
    """The card of the run folder that a model is, or rests on."""
    if reference.kind == "fitted" and reference.path is not None:
        return _network_card(parse(str(read_json(reference.path / CARD)["model"])))
    return read_card(reference.path) if reference.kind == "run" and reference.path is not None else None


def _hold_out(dataset: Dataset, card: Card | None) -> tuple[Split, dict[str, Any]]:
    """People of the training images to judge on: those whom the training held out, if its card names any."""
    fraction, seed = PAPER_HELD_OUT, 0
    if card is not None and card.configuration.get("validation") == "identity":
        fraction, seed = float(card.configuration["held_out"]), int(card.configuration["held_out_seed"])
    train = dataset.train
    split = by_identity(train.select(train.identities > 0), fraction=fraction, seed=seed)
    # Unknown training data count as seen: on people whom a network knows by heart, few differences show.
    ours = card is not None and card.training.get("dataset") == dataset.name
    known = set(card.identities) if card is not None else set()
    unseen = ours and bool(known) and not known & set(split.query.people_names(split.query.people()))
    return split, {"dataset": dataset.name, "fraction": fraction, "seed": seed, "unseen": unseen}


def _calibration_images(held_out: Split, count: int, size: tuple[int, int], progress: Progress) -> Pixels:
    rows = np.random.default_rng(0).permutation(len(held_out.train))[:count]
    return load_pixels(held_out.train.select(rows).paths, size, progress=progress)


def _refusal(
    figures: dict[str, Any],
    config: ExportConfig,
    exact: onnx.ModelProto,
    calibration: Calibration | None,
    pixels: Pixels,
    progress: Progress,
) -> str:
    """Say why a file is not written, and for int8 which layers to leave in float."""
    scores = figures["map"]
    said = (
        f"{config.precision} loses {-scores['change']:.2f} points of mAP on {figures['people']} held-out people "
        f"({scores['network']:.2f} to {scores['exported']:.2f} %); --max-drop allows {config.max_drop:g}; the file is not written"
    )
    if calibration is None:
        return said
    errors = errors_alone(
        exact, calibration, pixels, leave_float=config.leave_float, reduce_range=config.reduce_range, progress=progress
    )
    worst = list(errors)[:_NAMED]
    turned = ", ".join(f"{name} ({errors[name]:.4f})" for name in worst)
    return f"{said}; alone, {turned} turn the vectors most: try --leave-float {' '.join((*config.leave_float, *worst))}"


def _describe(
    trained: Model, network: NetworkModel, reference: str, card: Card | None, config: ExportConfig, distance: str
) -> dict[str, Any]:
    """Make the card of a file."""
    training = card.training if card else {}
    if "terms" not in training:
        terms = next((p.terms for p in PUBLISHED.values() if p.sha256 == network.sha256), None)
        training = training | {"terms": {"weights": terms or terms_of_weights(reference)}}
    return {
        "format": FORMAT,
        "name": trained.name,
        "architecture": architecture(network.network.state_dict()),
        "input": list(trained.size),
        "takes": config.input,
        "resize": RESIZE,
        "normalised": config.normalise,
        "distance": distance,
        "embedding_size": trained.embedding_size,
        "parameters": trained.parameters,
        "multiply_adds": trained.multiply_adds,
        "weights_sha256": trained.sha256,
        "precision": config.precision,
        "leave_float": list(config.leave_float),
        "opset": OPSET,
        "training": training,
        "provenance": provenance(to_dict(config)),
    }
