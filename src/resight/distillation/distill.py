"""Distil teachers into a student: the training of `resight.training.train`, with losses that compare the two."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from resight.datasets import Dataset, open_dataset
from resight.datasets.records import Records
from resight.distillation import LOSSES
from resight.distillation.config import DistillConfig
from resight.distillation.knowledge import class_mean_logits, knowledge, matching_classes
from resight.distillation.lesson import Lesson
from resight.distillation.mutual import make_peer
from resight.distillation.targets import CachedTeacher, OnlineTeacher, Teacher, almost_uniform
from resight.errors import ConfigurationError
from resight.models import load_model
from resight.models.model import Model
from resight.models.pytorch import NetworkModel
from resight.models.terms import terms_of_images, terms_of_weights
from resight.networks.network import ReidNetwork
from resight.progress import Progress, silent
from resight.training.data import Extra, TrainingData, unlabelled_records
from resight.training.losses import Loss, WeightedLosses
from resight.training.processes import joined
from resight.training.train import ground_truth_terms, train_with, weights_digest

__all__ = ["distill"]


@joined()
def distill(
    data: str | Path | Dataset,
    out: str | Path,
    config: DistillConfig,
    *,
    unlabelled: Records | None = None,
    device: str = "auto",
    cache: Path | None = None,
    checkpoint_seconds: float = 60.0,
    progress: Progress = silent,
) -> Path:
    """Train a student on its teachers' answers and on the ground truth.

    Parameters and result are those of `resight.training.train.train`. `unlabelled` are the images of ``config.unlabelled``, for
    who has read these folders, and perhaps left some out. The card says how well each teacher knows the training
    images, and how much entropy its soft targets have at several temperatures.

    Raises
    ------
    ConfigurationError
        If a loss needs a teacher and none is named, if soft targets are wanted of a network that was trained on other people, or
        if feature maps are wanted of a model that is not a network.
    ResightError
        Any error of `resight.training.train.train`.
    """
    if config.needs_teacher and not config.teacher:
        raise ConfigurationError("no teacher is named; give --teacher RUN or --teacher NETWORK:FILE")
    teachers = [load_model(reference, device=device, precise=False) for reference in config.teacher]
    if "soft" in config.losses and config.targets == "online" and not all(map(_has_classes, teachers)):
        raise ConfigurationError("a teacher without classes gives soft targets from all images; set targets to cached")
    on_maps = [name for name in config.losses if LOSSES[name].needs in ("attention", "maps")]
    for teacher in teachers:
        if on_maps and not isinstance(teacher, NetworkModel):
            zero = " and ".join(f"{name}_weight" for name in on_maps)
            raise ConfigurationError(f"the teacher {teacher.name} has no feature maps; set {zero} to 0")
    if "mutual" in config.losses:
        make_peer(config, classes=2)  # refuses wrong names and weights before any image is read
    dataset = data if isinstance(data, Dataset) else open_dataset(data)
    sources = {f"weights of the teacher {name}": teacher.sha256 for name, teacher in zip(config.teacher, teachers, strict=True)}
    sources |= weights_digest("weights of the peer", config.peer_weights)
    terms = {f"teacher {name}": terms_of_weights(name) for name in config.teacher}
    if config.peer_weights:
        terms["peer"] = terms_of_weights(config.peer_weights)
    if unlabelled is None:
        unlabelled = unlabelled_records(config.unlabelled, dataset.paths("train", "query", "gallery"))
    extra = Extra(unlabelled, config.copies, config.unlabelled_share)
    if len(extra.records):
        sources["unlabelled images"] = extra.records.digest()
        terms["unlabelled images"] = terms_of_images(unlabelled.layout)

    def from_teachers(prepared: TrainingData, network: ReidNetwork) -> tuple[Loss, dict[str, Any]]:
        about: dict[str, Any] = {"kind": "distilled", "teachers": []}
        if without := len(prepared.labels) - len(prepared.records):
            about["images_without_identity"] = without
        where = next(network.parameters()).device
        needs = config.needs
        asked: list[CachedTeacher] = []
        answering: list[Teacher] = []
        for teacher in teachers:
            columns = None
            if "logits" in needs and isinstance(teacher, NetworkModel) and teacher.network.classes:
                called = dataset.train.people_names
                columns = matching_classes(teacher, called(prepared.identities), called(dataset.train.people()))
            parts = prepared.parts(teacher.size, cache=cache, progress=progress)
            answers = CachedTeacher.joined(
                CachedTeacher.ask(
                    teacher,
                    part,
                    columns,
                    where,
                    attention="attention" in needs,
                    mirrored=part is not parts[-1] or prepared.copies is None,
                    cache=cache,
                    progress=progress,
                )
                for part in parts
            )
            if "logits" in needs and columns is None:
                answers.logits = class_mean_logits(answers.embedding, prepared.labels, len(prepared.identities))
            asked.append(answers)
            if config.targets == "online" and isinstance(teacher, NetworkModel):
                answering.append(OnlineTeacher(teacher, parts[0] if len(parts) == 1 else np.concatenate(parts), columns))
            else:
                answering.append(answers)
        labelled = [answers.logits[0, : len(prepared.records)] for answers in asked if answers.logits is not None]
        temperature = almost_uniform(labelled) if config.temperature == "auto" else float(config.temperature)
        if "soft" in config.losses:
            about["temperature"] = temperature
        for teacher, answers in zip(teachers, asked, strict=True):
            known = knowledge(teacher, answers, prepared, temperature)
            about["teachers"].append({"name": teacher.name, "sha256": teacher.sha256, **known})
        losses = ground_truth_terms(config)
        lesson = Lesson(config=config, student=network, prepared=prepared, temperature=temperature, asked=asked, teachers=answering)
        for name, weight in config.losses.items():
            losses[name] = weight, import_module(f"resight.distillation.{name}").loss(lesson)
        if "mutual" in config.losses:
            about["peer"] = config.peer or config.network
        return WeightedLosses(losses), about

    return train_with(
        from_teachers,
        dataset,
        out,
        config,
        sources=sources,
        terms=terms,
        extra=extra,
        device=device,
        cache=cache,
        checkpoint_seconds=checkpoint_seconds,
        progress=progress,
    )


def _has_classes(teacher: Model) -> bool:
    return isinstance(teacher, NetworkModel) and bool(teacher.network.classes)
