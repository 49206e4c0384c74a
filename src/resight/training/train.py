"""Train one network on one data set: from a folder of images and a configuration to a run folder."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resight.compute import first_process
from resight.configuration import configure, fingerprint, to_dict
from resight.datasets import Dataset, open_dataset
from resight.errors import CheckpointError, ConfigurationError, WeightsError
from resight.files import claimed, read_json, sha256_file, write_json
from resight.models.pytorch import channels_last, choose_device, without_denormals
from resight.models.resolve import weights_file
from resight.models.terms import terms_of_images, terms_of_weights
from resight.networks import build
from resight.networks.batches import Batches
from resight.networks.card import CARD, FORMAT, WEIGHTS, Card, save_network
from resight.networks.network import ReidNetwork
from resight.networks.weights import load_weights
from resight.progress import Progress, silent
from resight.provenance import provenance
from resight.training.config import TrainConfig
from resight.training.curves import ScalarLog, draw_curves
from resight.training.data import Extra, TrainingData, prepare
from resight.training.loop import run_epochs
from resight.training.losses import HardLabelLoss, Loss, TripletLoss, WeightedLosses
from resight.training.processes import first_alone, joined

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = ["HISTORY", "finished", "ground_truth_terms", "initial_network", "read_history", "train", "train_with", "weights_digest"]

HISTORY = "history.json"
_CHECKPOINT = "checkpoint.safetensors"

MakeLoss = Callable[[TrainingData, ReidNetwork], tuple[Loss, dict[str, Any]]]
"""Function that makes the loss from the data and the network, and gives an entry for the card."""


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
        Run folder. It gets scalars for TensorBoard and ``checkpoint.safetensors``, from which the same call resumes; and at the end
        ``card.json``, ``network.safetensors``, ``history.json`` and ``curves.png``.
    config : TrainConfig
    device : str
        ``"auto"``, ``"cpu"`` or ``"cuda"``.
    cache : Path, optional
        Folder for decoded images, see `resight.images.load_pixels`.
    checkpoint_seconds : float
        Seconds between two checkpoints: the most that a kill costs.
    progress : Progress

    Returns
    -------
    Path
        `out`, which `resight.models.load_model` reads. A finished run of the same configuration, data and initial
        weights is returned as it is.

    Raises
    ------
    ResightError
        See the message.
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


@joined()
@without_denormals()
def train_with(
    make_loss: MakeLoss,
    data: str | Path | Dataset,
    out: str | Path,
    config: TrainConfig,
    *,
    sources: Mapping[str, str] | None = None,
    terms: Mapping[str, str] | None = None,
    extra: Extra | None = None,
    device: str = "auto",
    cache: Path | None = None,
    checkpoint_seconds: float = 60.0,
    progress: Progress = silent,
) -> Path:
    """Train a network with any loss. `train` and `resight.distillation.distill` call this with theirs; see `train`.

    `sources` are the SHA-256 of everything else that the loss learns from, by name. A finished run in `out` with others is refused.
    `terms` are the terms of use of these sources, for the card.
    """
    out = Path(out)
    where = choose_device(device)
    dataset = data if isinstance(data, Dataset) else open_dataset(data)
    network = initial_network(config, classes=2)  # refuses wrong names and weights before any image is read
    sources = weights_digest("initial weights", config.weights) | dict(sources or {})
    sources = {"training data": dataset.train.digest()} | sources
    if finished(out, config, sources):
        return out
    with claimed(out, "trains") if first_process() else contextlib.nullcontext():
        prepared = prepare(
            dataset,
            network.preprocessing.size,
            validation=config.validation,
            fraction=config.held_out,
            seed=config.held_out_seed,
            identities=config.learns_identities,
            extra=extra,
            cache=cache,
            progress=progress,
        )
        source = provenance(to_dict(config), seed=config.seed)  # now: the checkout may change while the training runs
        network = channels_last(initial_network(config, classes=len(prepared.identities) or 1), where)
        start = {}
        if first_process() and config.weights and config.validation == "identity" and prepared.validate is not None:
            start = prepared.validate(network)
        with first_alone():
            loss, about = make_loss(prepared, network)
        with ScalarLog(out) if first_process() else contextlib.nullcontext() as log:

            def validate(epoch: int) -> dict[str, float]:
                due = epoch % config.validate_every == 0 or epoch == config.epochs
                return prepared.validate(network) if first_process() and due and prepared.validate is not None else {}

            history = run_epochs(
                network,
                Batches(prepared.pixels, network.preprocessing, where),
                prepared.labels,
                loss,
                config,
                checkpoint=out / _CHECKPOINT,
                origin={"options": fingerprint(config)} | sources,
                checkpoint_seconds=checkpoint_seconds,
                unlabelled_share=extra.share if extra else 0.0,
                validate=validate,
                on_epoch=log.write if log else None,
                progress=progress,
            )
        if not first_process():
            return out
        write_json(out / HISTORY, {"provenance": source, "about": about, "start": start, "epochs": history})
        draw_curves(history, out / "curves.png")
        card = Card(
            architecture=config.network,
            identities=tuple(dataset.train.people_names(prepared.identities)),
            preprocessing=network.preprocessing,
            last_stride=config.last_stride,
            neck=config.neck,
            training={
                "dataset": dataset.name,
                "images": len(prepared.records),
                "warnings": list(dataset.warnings),
                "sha256": sources,
                "seconds": sum(row["seconds"] for row in history),
                "terms": {"training data": terms_of_images(dataset.name)}
                | ({"initial weights": terms_of_weights(config.weights)} if config.weights else {})
                | dict(terms or {}),
                **about,
            },
            configuration=to_dict(config),
            provenance=source,
        )
        save_network(out, network, card)
        (out / _CHECKPOINT).unlink(missing_ok=True)
    return out


def initial_network(config: TrainConfig, classes: int) -> ReidNetwork:
    """Make the network that a configuration describes. Raises `ConfigurationError`, `WeightsError`."""
    network = build(config.network, classes, config.seed, last_stride=config.last_stride)
    if config.weights:
        load_weights(network, weights_file(config.weights))
    if config.neck and network.neck is None:
        network.add_neck()
    if network.neck is not None and not config.neck:
        raise ConfigurationError(f"{config.weights} has a neck, and its features need it; train with --neck")
    network.resize_input(config.height, config.width)
    if config.pad >= min(network.preprocessing.size):
        rows, columns = network.preprocessing.size
        raise ConfigurationError(f"pad = {config.pad} pixels for images of {rows}x{columns}; expected fewer than the shorter side")
    return network


def weights_digest(what: str, reference: str) -> dict[str, str]:
    """SHA-256 of weights to start from, under their name; empty if there are none. Raises `WeightsError`."""
    try:
        return {what: sha256_file(weights_file(reference))} if reference else {}
    except OSError as error:
        raise WeightsError(f"cannot read {reference}: {error.strerror}") from error


def read_history(run: Path) -> dict[str, Any]:
    """Read ``history.json`` of a finished run: ``start``, ``epochs``, provenance. Raises `CheckpointError`."""
    try:
        history: dict[str, Any] = read_json(run / HISTORY)
        history["epochs"][-1]["loss"]
    except (OSError, ValueError, LookupError, TypeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CheckpointError(f"{run / HISTORY} cannot be read ({reason}); restore it, or delete {run} to train again") from error
    return history


def finished(out: Path, config: DataclassInstance, sources: Mapping[str, str]) -> bool:
    """Tell if a folder holds a finished run of this configuration and these sources.

    Fields that its card does not have count as their default; sources that its card does not name are not compared. Raises
    `CheckpointError` if it holds another run, another kind of model, or a damaged run.
    """
    if not (out / CARD).exists():
        return False
    try:
        card = read_json(out / CARD)
        if card["format"] != FORMAT:
            raise CheckpointError(f"{out} holds another kind of model; choose another --out")
        stored, sha256, before = card["configuration"], card["weights_sha256"], sources | card["training"].get("sha256", {})
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{out / CARD} is damaged ({error}); choose another --out, or delete it") from error
    try:
        same = configure(type(config), stored) == config
    except (ConfigurationError, AttributeError):
        same = False
    if not same:
        raise CheckpointError(f"{out} holds a finished run of another configuration; choose another --out, or delete it")
    if unlike := [what for what in sources if before[what] != sources[what]]:
        raise CheckpointError(
            f"{out} holds a finished run with other {' and other '.join(unlike)}; choose another --out, or delete it"
        )
    if not (out / WEIGHTS).exists() or sha256_file(out / WEIGHTS) != sha256:
        raise CheckpointError(
            f"{out / WEIGHTS} is not the file that its card describes; restore it, or delete {out} to train again"
        )
    return True
