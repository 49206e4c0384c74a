"""Adapt a student to one's own cameras: a teacher says what it sees on their crops, and nobody labels anything."""

from __future__ import annotations

import copy
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from resight.compute import first_process
from resight.configuration import to_dict
from resight.datasets import Dataset
from resight.datasets.records import JUNK, Records, Split
from resight.distillation.config import AdaptConfig, DistillConfig
from resight.distillation.distill import distill
from resight.distillation.space import without_cameras
from resight.errors import ConfigurationError, DatasetError
from resight.evaluation.model import evaluate_model
from resight.files import write_json
from resight.images import load_pixels
from resight.models import load_model
from resight.models.model import Model
from resight.models.pytorch import NetworkModel
from resight.models.reference import Reference, parse
from resight.models.shipped import load_shipped
from resight.models.terms import terms_of_images, terms_of_weights
from resight.networks import build
from resight.networks.batches import Batches, View
from resight.networks.card import WEIGHTS, Card, read_card, save_network
from resight.networks.published import PUBLISHED, fetch
from resight.networks.weights import load_weights
from resight.progress import Progress, silent
from resight.provenance import provenance
from resight.ranking.nearest import nearest
from resight.training.processes import joined
from resight.training.train import finished

__all__ = ["adapt", "agreement", "teachers_of"]

_NEIGHBOURS = 5
_LEAST_HELD_OUT = 20  # fewer crops say nothing about the result
_STEPS = 400  # in minutes, about five on two slow cores
_PASSES, _BATCH = 3, 64
_OWN_STATISTICS = 0.5  # share of the crops' own
_SIZE = 128, 64  # of a start that was no re-identification network


@joined()
def adapt(
    images: Records,
    out: str | Path,
    config: AdaptConfig,
    *,
    labelled: Dataset | None = None,
    cache: Path | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Adapt a student to crops without labels, and say how good the result is.

    Parameters
    ----------
    images : Records
        Crops of people. Their tracklets are used if they are known; their identities are not.
    out : str or Path
        Run folder to write; see `resight.training.train.train`. The same call resumes an interrupted run.
    config : AdaptConfig
    labelled : Dataset, optional
        A data set of the same cameras, whose query and gallery give Rank-1 and mAP before and after.
    cache : Path, optional
        Folder for decoded images and the teachers' answers.
    progress : Progress

    Returns
    -------
    dict
        ``crops``, ``held_out``, ``agreement`` and ``scores`` (each with ``before`` and ``after``), ``terms``, and ``seconds``, with
        those of a training that earlier calls began, but not of their teachers; also written to ``adaptation.json`` in `out`.
        Agreement is the share, in per cent, of the first teacher's 5 nearest held-out crops, without what cameras do, that are
        among the student's 5 nearest; None without a teacher. Empty in all but the first process of a torchrun.

    Raises
    ------
    DatasetError
        If there are too few crops.
    CheckpointError
        If `out` holds another run.
    ResightError
        Any error of `resight.distillation.distill.distill`.
    """
    out = Path(out)
    started = time.monotonic()
    student, card = _start(config.start)
    images = replace(images, identities=np.full(len(images), JUNK))  # a name that somebody gets makes no other work
    config = replace(config, teacher=teachers_of(config, images))
    train, held_out = _hold_out(images, config)
    if config.epochs is None:
        config = replace(config, epochs=max(2, round(_STEPS * config.batch_size / (len(train) * (1 + config.copies)))))
    report: dict[str, Any] = {"crops": len(images), "held_out": len(held_out), "agreement": None, "scores": None}
    if labelled is not None and first_process():  # before hours of training: what is wrong with these images is told now
        report["scores"] = {"before": _scores(student, labelled, progress)}
    begun = time.monotonic()
    if config.teacher:
        dataset = Dataset(images.layout or "crops", Path(), (Split(train, held_out, held_out),))
        distill(dataset, out, _distillation(config, student, card), cache=cache, progress=progress)
    elif first_process():
        _adapt_statistics(student, card, config, train, out, cache, progress)
    if not first_process():
        return {}
    trained = time.monotonic() - begun
    after, training = load_model(out, device="cpu"), read_card(out).training
    if config.teacher:
        teacher = load_model(config.teacher[0], device="cpu", precise=False)
        vectors = F.normalize(torch.from_numpy(_vectors(teacher, held_out, cache, progress)), dim=-1)
        wanted = _neighbours(without_cameras(vectors[None], held_out.cameras.tolist())[0][0].numpy(), "cosine")
        report["agreement"] = {
            name: agreement(wanted, _neighbours(_vectors(model, held_out, cache, progress), student.distance))
            for name, model in (("before", student), ("after", after))
        }
    if labelled is not None:
        report["scores"]["after"] = _scores(after, labelled, progress)
    report["terms"] = training["terms"]
    seconds = time.monotonic() - started + max(0.0, training.get("seconds", 0.0) - trained)  # earlier calls trained, too
    report |= {"seconds": seconds, "provenance": provenance(to_dict(config), seed=config.seed)}
    write_json(out / "adaptation.json", report)
    return report


def agreement(teacher: NDArray[np.int64], student: NDArray[np.int64]) -> float:
    """Share of the teacher's nearest neighbours that are among the student's, in per cent; rows of (n, k) are one crop's."""
    return 100 * float(np.mean([len(np.intersect1d(*rows)) / len(rows[0]) for rows in zip(teacher, student, strict=True)]))


def _scores(model: Model, labelled: Dataset, progress: Progress) -> dict[str, float]:
    scores = evaluate_model(model, labelled, progress=progress)
    return {"rank1": 100 * scores.rank1, "map": 100 * scores.map}


def _start(name: str) -> tuple[NetworkModel, Card]:
    """The student before, and a card that says how it was built."""
    found = parse(name)
    if found.kind == "shipped":
        return load_shipped(found.name)
    model = load_model(name, device="cpu")
    if not isinstance(model, NetworkModel):
        raise ConfigurationError(f"{name} is no network in PyTorch; start from student, a run folder or published weights")
    if found.kind == "run" and found.path is not None:
        return model, read_card(found.path)
    if found.kind != "published":
        raise ConfigurationError(f"{name} does not say how it was trained; start from student, a run folder or published weights")
    architecture = PUBLISHED[found.name].network
    last_stride = 0 if architecture.startswith("osnet") else 1  # OSNet has none to change
    network = build(architecture, 1, last_stride=last_stride)
    load_weights(network, fetch(found.name))
    network.classes = 0
    if raw := _from_imagenet(found):
        network.resize_input(*_SIZE)
        network.add_neck()
    card = Card(architecture=architecture, identities=(), preprocessing=network.preprocessing, last_stride=last_stride, neck=raw)
    return NetworkModel(name, network, sha256=model.sha256, device="cpu"), card


def teachers_of(config: AdaptConfig, images: Records) -> tuple[str, ...]:
    """The given teachers, or the student itself: crops of several cameras tell it more than it knows. Without any, only statistics
    move. Raises `ConfigurationError` if a teacher is given, and no epochs.
    """
    if config.epochs == 0:
        if config.teacher:
            raise ConfigurationError("without epochs nothing is learned from a teacher; leave out --teacher, or give --epochs")
        return ()
    itself = not _from_imagenet(parse(config.start)) and len(np.unique(images.cameras[images.cameras >= 0])) > 1
    return config.teacher or ((config.start,) if itself else ())


def _from_imagenet(start: Reference) -> bool:
    """Tell if a start has seen no people to find again."""
    return start.kind == "published" and "-imagenet" in start.name


def _hold_out(images: Records, config: AdaptConfig) -> tuple[Records, Records]:
    """Crops to learn from, and crops that judge: whole tracklets, if they are known."""
    tracklets = images.tracklets or ("",) * len(images)
    names = [name or f" {row}" for row, name in enumerate(tracklets)]  # no tracklet begins with a blank
    groups, of = np.unique(names, return_inverse=True)
    random = np.random.default_rng(config.seed)
    order = random.permutation(len(groups))
    sizes = np.bincount(of)[order]
    chosen = order[: int(np.searchsorted(sizes.cumsum(), config.held_out * len(images))) + 1]
    judges = np.isin(of, chosen)
    if judges.sum() < _LEAST_HELD_OUT or (~judges).sum() < config.batch_size:
        raise DatasetError(
            f"{len(images)} crops are too few: {judges.sum()} would judge the result and {(~judges).sum()} teach; "
            f"expected at least {_LEAST_HELD_OUT} and {config.batch_size}"
        )
    return images.select(~judges), images.select(judges)


def _distillation(config: AdaptConfig, student: NetworkModel, card: Card) -> DistillConfig:
    """The losses that need no labels; the rest as the student was built."""
    height, width = student.size
    epochs = config.epochs or 0
    return DistillConfig(
        network=card.architecture,
        weights=str(_weights(config.start)),
        height=height,
        width=width,
        last_stride=card.last_stride,
        neck=card.neck,
        teacher=config.teacher,
        epochs=epochs,
        learning_rate=config.learning_rate,
        batch_size=config.batch_size,
        copies=config.copies,
        seed=config.seed,
        validation="none",
        optimiser="adam",
        schedule="cosine",
        warm_up=min(1.0, epochs / 2),
        average=0.99,
        pad=2,
        colour=0.3,
        coarse=0.3,
        soft_weight=0.0,
        hard_weight=0.0,
        embedding_weight=8.0,
        similarity_weight=100.0,
        centre_cameras=True,
        neighbours=config.neighbours,
    )


def _weights(start: str) -> str:
    """The file of a run; a name stays a name."""
    found = parse(start)
    return str(found.path / WEIGHTS) if found.kind == "run" and found.path is not None else start


def _vectors(model: Model, records: Records, cache: Path | None, progress: Progress) -> NDArray[np.float32]:
    """Embeddings of crops, (n, d)."""
    pixels = load_pixels(records.paths, model.size, cache=cache, progress=progress)
    return np.concatenate([model.extract(pixels[i : i + 256]) for i in range(0, len(pixels), 256)])


def _neighbours(vectors: NDArray[np.float32], distance: str) -> NDArray[np.int64]:
    """The nearest other crops of each crop, (n, 5)."""
    rows = nearest(vectors, vectors, _NEIGHBOURS + 1, distance)[0]
    return np.array([[other for other in near if other != row][:_NEIGHBOURS] for row, near in enumerate(rows)])


def _adapt_statistics(
    student: NetworkModel, card: Card, config: AdaptConfig, crops: Records, out: Path, cache: Path | None, progress: Progress
) -> None:
    """Move the means and variances of all batch normalisations half-way to those of the crops.

    References
    ----------
    .. [1] Y. Li et al., "Revisiting Batch Normalization for Practical Domain Adaptation", 2016 (there all the way).
    """
    sources = {"training data": crops.digest(), "initial weights": student.sha256}
    if finished(out, config, sources):
        return
    network = copy.deepcopy(student.network)
    norms = [module for module in network.modules() if isinstance(module, torch.nn.modules.batchnorm._BatchNorm)]
    earlier = {name: tensor.clone() for name, tensor in network.state_dict().items() if "running_" in name}
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over all batches
    pixels = load_pixels(crops.paths, student.size, cache=cache, progress=progress)
    batches = Batches(pixels, network.preprocessing, torch.device("cpu"))
    random = np.random.default_rng(0)
    network.train()
    with torch.no_grad():
        for number in range(_PASSES):
            for rows in np.array_split(random.permutation(len(pixels)), -(-len(pixels) // _BATCH)):
                network(batches(View(rows, np.zeros(len(rows), bool))))
            progress("adapting", number + 1, _PASSES)
        for name, tensor in network.state_dict().items():
            if name in earlier:
                tensor.lerp_(earlier[name], 1 - _OWN_STATISTICS)
    network.eval()
    terms = {"training data": terms_of_images(crops.layout), "initial weights": terms_of_weights(config.start)}
    training = {"kind": "adapted", "dataset": crops.layout or "crops", "images": len(crops), "sha256": sources, "terms": terms}
    values = to_dict(config)
    origin = provenance(values, seed=config.seed)
    save_network(out, network, replace(card, training=training, configuration=values, provenance=origin))
