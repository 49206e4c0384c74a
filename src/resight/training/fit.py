"""Train one network on one data set: from a folder of images and a configuration to a run folder."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from resight.configuration import configure, fingerprint, to_dict
from resight.datasets import Dataset, open_dataset
from resight.errors import CheckpointError, ConfigurationError
from resight.features.batches import Batches
from resight.features.deep import channels_last, choose_device
from resight.files import read_json, write_json
from resight.networks import ReidNetwork, build
from resight.networks.card import CARD, Card, save_network
from resight.networks.published import load_weights, weights_file
from resight.progress import Progress, silent
from resight.provenance import provenance
from resight.training.config import TrainConfig
from resight.training.curves import ScalarLog, draw_curves
from resight.training.data import TrainingData, prepare
from resight.training.loop import fit
from resight.training.losses import HardLabelLoss, Loss, TripletLoss, WeightedLosses

__all__ = ["HISTORY", "ground_truth_terms", "initial_network", "train", "train_with"]

HISTORY = "history.json"
_CHECKPOINT = "checkpoint.safetensors"


MakeLoss = Callable[[TrainingData, ReidNetwork], tuple[Loss, dict[str, Any]]]
"""Builds the loss once the data and the network are known, with what the card should say about it."""


def train(
    data: str | Path | Dataset,
    out: str | Path,
    config: TrainConfig,
    *,
    device: str = "auto",
    cache: Path | None = None,
    checkpoint_seconds: float = 60.0,
    progress: Progress = silent,
) -> Path:
    """Train a network alone, with the cross-entropy of the ground truth.

    Parameters
    ----------
    data : str, Path or Dataset
        See `resight.datasets.open_dataset`. Query and gallery are not read.
    out : str or Path
        Run folder. Holds ``card.json`` and ``network.safetensors`` when the training is done, ``history.json`` and
        ``curves.png``, scalars for TensorBoard, and until then ``checkpoint.safetensors``, from which the same call goes on.
    config : TrainConfig
    device : str
        ``"auto"``, ``"cpu"`` or ``"cuda"``.
    cache : Path, optional
        Folder for decoded images, see `resight.images.load_pixels`.
    checkpoint_seconds : float
        What a kill costs at most.
    progress : Progress

    Returns
    -------
    Path
        `out`, which `resight.features.deep.load_extractor` reads. A run that was finished before is returned as it is.

    Raises
    ------
    ResightError
        One of its subclasses; the message says which.
    """

    def ground_truth(prepared: TrainingData, network: ReidNetwork) -> tuple[Loss, dict[str, Any]]:
        return WeightedLosses(ground_truth_terms(config)), {"kind": "alone"}

    return train_with(
        ground_truth, data, out, config, device=device, cache=cache, checkpoint_seconds=checkpoint_seconds, progress=progress
    )


def ground_truth_terms(config: TrainConfig) -> dict[str, tuple[float, Loss]]:
    """The terms of a loss that need no teacher, with their weights."""
    return {
        "hard": (config.hard_weight, HardLabelLoss(config.label_smoothing)),
        "triplet": (config.triplet_weight, TripletLoss(config.triplet_margin)),
    }


def train_with(
    make_loss: MakeLoss,
    data: str | Path | Dataset,
    out: str | Path,
    config: TrainConfig,
    *,
    device: str = "auto",
    cache: Path | None = None,
    checkpoint_seconds: float = 60.0,
    progress: Progress = silent,
) -> Path:
    """Train a network with any loss; `train` and `resight.distillation.distill` are this with theirs. See `train`."""
    out = Path(out)
    where = choose_device(device)
    dataset = data if isinstance(data, Dataset) else open_dataset(data)
    network = initial_network(config, classes=2)  # refuses wrong names and weights before any image is read
    size = network.preprocessing.size
    if finished := _finished(out, config):
        return finished
    prepared = prepare(
        dataset,
        size,
        validation=config.validation,
        fraction=config.held_out,
        seed=config.held_out_seed,
        cache=cache,
        progress=progress,
    )
    source = provenance(to_dict(config), seed=config.seed)  # now: the checkout may change while the training runs
    network = channels_last(initial_network(config, classes=len(prepared.identities)), where)
    loss, about = make_loss(prepared, network)
    with ScalarLog(out) as log:

        def validate(epoch: int) -> dict[str, float]:
            due = epoch % config.validate_every == 0 or epoch == config.epochs
            return prepared.validate(network) if due and prepared.validate is not None else {}

        history = fit(
            network,
            Batches(prepared.pixels, network.preprocessing, where),
            prepared.labels,
            loss,
            config,
            checkpoint=out / _CHECKPOINT,
            fingerprint=hashlib.sha256((fingerprint(config) + prepared.digest).encode()).hexdigest(),
            checkpoint_seconds=checkpoint_seconds,
            validate=validate,
            on_epoch=log.write,
            progress=progress,
        )
    write_json(out / HISTORY, {"provenance": source, "about": about, "epochs": history})
    draw_curves(history, out / "curves.png")
    card = Card(
        architecture=config.network,
        identities=tuple(int(identity) for identity in prepared.identities),
        preprocessing=network.preprocessing,
        last_stride=config.last_stride,
        neck=config.neck,
        training={
            "dataset": dataset.name,
            "images": len(prepared.labels),
            "warnings": list(dataset.warnings),
            "seconds": sum(row["seconds"] for row in history),
            **about,
        },
        configuration=to_dict(config),
        provenance=source,
    )
    save_network(out, network, card)
    (out / _CHECKPOINT).unlink(missing_ok=True)
    return out


def initial_network(config: TrainConfig, classes: int) -> ReidNetwork:
    """The network that a configuration describes, before its training. Raises `ConfigurationError`, `WeightsError`."""
    network = build(config.network, classes, config.seed, last_stride=config.last_stride)
    if config.weights:
        load_weights(network, weights_file(config.weights))
    if config.neck and network.neck is None:
        network.add_neck()
    if network.neck is not None and not config.neck:
        raise ConfigurationError(f"{config.weights} has a neck, and its features are of little use without; train with --neck")
    network.resize_input(config.height, config.width)
    if config.pad >= min(network.preprocessing.size):
        rows, columns = network.preprocessing.size
        raise ConfigurationError(f"pad = {config.pad} pixels for images of {rows}x{columns}; expected fewer than the shorter side")
    return network


def _finished(out: Path, config: TrainConfig) -> Path | None:
    """`out` if it holds a finished run of this configuration; fields that came later stood at their default."""
    if not (out / CARD).exists():
        return None
    try:
        stored = read_json(out / CARD)["configuration"]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise CheckpointError(f"{out / CARD} is damaged ({error}); choose another --out, or delete it") from error
    try:
        same = configure(type(config), stored) == config
    except (ConfigurationError, AttributeError):
        same = False
    if not same:
        raise CheckpointError(f"{out} holds a finished run of another configuration; choose another --out, or delete it")
    return out
