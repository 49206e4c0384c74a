"""Distil teachers into a student: the training of `resight.training.train` with losses that compare the two."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from resight.datasets import Dataset, open_dataset
from resight.distillation.config import DistillConfig
from resight.distillation.knowledge import knowledge, matching_classes
from resight.distillation.losses import EmbeddingLoss, RelationalLoss, SimilarityLoss, SoftTargetLoss
from resight.distillation.maps import AttentionLoss, HintLoss
from resight.distillation.mutual import MutualLoss
from resight.distillation.space import TeacherSpace
from resight.distillation.targets import CachedTeacher, OnlineTeacher, Teacher
from resight.errors import ConfigurationError
from resight.models import load_model
from resight.models.pytorch import NetworkModel, channels_last, network_outputs
from resight.networks import ReidNetwork
from resight.progress import Progress, silent
from resight.training.data import Extra, TrainingData, data_digest, unlabelled_records
from resight.training.losses import Loss, WeightedLosses
from resight.training.train import ground_truth_terms, initial_network, train_with, weights_digest

__all__ = ["distill"]


def distill(
    data: str | Path | Dataset,
    out: str | Path,
    config: DistillConfig,
    *,
    device: str = "auto",
    cache: Path | None = None,
    checkpoint_seconds: float = 60.0,
    progress: Progress = silent,
) -> Path:
    """Train a student on what its teachers say and on the ground truth.

    Parameters and result are those of `resight.training.train.train`. The card says how well each teacher knows the training
    images and how much entropy its soft targets have at several temperatures.

    Raises
    ------
    ConfigurationError
        If no teacher is named and a loss needs one, if a teacher does not know the training identities though its soft targets
        are wanted, or if it is no network though its feature maps are.
    ResightError
        Whatever else `resight.training.train.train` raises.
    """
    if config.needs_teacher and not config.teacher:
        raise ConfigurationError("no teacher is named; give --teacher RUN or --teacher NETWORK:FILE")
    teachers = [load_model(reference, device=device) for reference in config.teacher]
    for teacher in teachers:
        if (config.attention_weight or config.hint_weight) and not isinstance(teacher, NetworkModel):
            raise ConfigurationError(f"the teacher {teacher.name} has no feature maps; set attention_weight and hint_weight to 0")
    if config.mutual_weight:
        _peer(config, classes=2)  # refuses wrong names and weights before any image is read
    dataset = data if isinstance(data, Dataset) else open_dataset(data)
    sources = {f"weights of the teacher {name}": teacher.sha256 for name, teacher in zip(config.teacher, teachers, strict=True)}
    sources |= weights_digest("weights of the peer", config.peer_weights)
    extra = Extra(unlabelled_records(config.unlabelled), config.copies, config.unlabelled_share)
    if len(extra.records):
        sources["unlabelled images"] = data_digest(extra.records)

    def from_teachers(prepared: TrainingData, network: ReidNetwork) -> tuple[Loss, dict[str, Any]]:
        about: dict[str, Any] = {"kind": "distilled", "teachers": []}
        if without := len(prepared.labels) - len(prepared.records):
            about["images_without_identity"] = without
        where = next(network.parameters()).device
        asked: list[CachedTeacher] = []
        answering: list[Teacher] = []
        for teacher in teachers:
            columns = matching_classes(teacher, prepared.identities, dataset.train.people()) if config.soft_weight else None
            parts = prepared.parts(teacher.size, cache=cache, progress=progress)
            attention = bool(config.attention_weight)
            answers = CachedTeacher.joined(
                CachedTeacher.ask(
                    teacher,
                    part,
                    columns,
                    where,
                    attention=attention,
                    mirrored=part is not parts[-1] or prepared.copies is None,
                    cache=cache,
                    progress=progress,
                )
                for part in parts
            )
            asked.append(answers)
            if config.targets == "online" and isinstance(teacher, NetworkModel):
                answering.append(OnlineTeacher(teacher, parts[0] if len(parts) == 1 else np.concatenate(parts), columns))
            else:
                answering.append(answers)
            about["teachers"].append({"name": teacher.name, "sha256": teacher.sha256, **knowledge(teacher, answers, prepared)})
        terms = ground_truth_terms(config) | _teacher_terms(config, network, prepared, asked, answering)
        if config.mutual_weight:
            peer = channels_last(_peer(config, network.classes), where)
            terms["mutual"] = config.mutual_weight, MutualLoss(peer, config.label_smoothing, config.precision)
            about["peer"] = config.peer or config.network
        return WeightedLosses(terms), about

    return train_with(
        from_teachers,
        dataset,
        out,
        config,
        sources=sources,
        extra=extra,
        device=device,
        cache=cache,
        checkpoint_seconds=checkpoint_seconds,
        progress=progress,
    )


def _teacher_terms(
    config: DistillConfig,
    network: ReidNetwork,
    prepared: TrainingData,
    asked: list[CachedTeacher],
    answering: list[Teacher],
) -> dict[str, tuple[float, Loss]]:
    """The terms of the loss that compare the student with its teachers, with their weights."""
    terms: dict[str, tuple[float, Loss]] = {}
    if config.soft_weight:
        terms["soft"] = config.soft_weight, SoftTargetLoss(answering, config.temperature)
    if config.embedding_weight or config.similarity_weight or config.rkd_weight:
        labelled = prepared.pixels[: len(prepared.records)]
        before = torch.from_numpy(network_outputs(network, labelled)[0]) if config.weights else None
        space = TeacherSpace(asked, network.embedding_size, before)
        terms["embedding"] = config.embedding_weight, EmbeddingLoss(space)
        terms["similarity"] = config.similarity_weight, SimilarityLoss(space)
        terms["rkd"] = config.rkd_weight, RelationalLoss(space)
    if config.attention_weight:
        terms["attention"] = config.attention_weight, AttentionLoss(answering)
    if config.hint_weight:
        online = [teacher for teacher in answering if isinstance(teacher, OnlineTeacher)]
        terms["hint"] = config.hint_weight, HintLoss(online, network.channels, config.seed)
    return terms


def _peer(config: DistillConfig, classes: int) -> ReidNetwork:
    """The peer of mutual learning: other initial weights, as far as they are random, and otherwise made as the student is."""
    config = replace(config, seed=config.seed + 1)
    if config.peer:
        config = replace(config, network=config.peer, weights=config.peer_weights, last_stride=0)
    return initial_network(config, classes)
