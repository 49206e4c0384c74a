"""Distil a teacher into a student: the training of `resight.training.fit` with the loss of the paper's equation (2)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from resight.datasets import Dataset, open_dataset
from resight.distillation.config import DistillConfig
from resight.distillation.losses import EmbeddingLoss, SimilarityLoss, SoftTargetLoss, TeacherSpace
from resight.distillation.targets import CachedTeacher, OnlineTeacher, Teacher, entropies, matching_classes
from resight.errors import ConfigurationError
from resight.features.deep import DeepExtractor
from resight.features.extraction import Extractor
from resight.images import load_pixels
from resight.models import load_model
from resight.networks import ReidNetwork
from resight.progress import Progress, silent
from resight.training.data import TrainingData
from resight.training.fit import ground_truth_terms, train_with
from resight.training.losses import Loss, WeightedLosses

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
    """Train a student on a teacher's soft targets and the ground truth.

    Parameters and result are those of `resight.training.fit.train`. The card says how well the teacher knows the training
    images and how much entropy its soft targets have at several temperatures.

    Raises
    ------
    ConfigurationError
        If no teacher is named, or if the teacher does not know the training identities.
    ResightError
        Whatever else `resight.training.fit.train` raises.
    """
    if not config.teacher:
        raise ConfigurationError("no teacher is named; give --teacher RUN or --teacher NETWORK:FILE")
    teachers = [load_model(reference, device=device) for reference in config.teacher]
    dataset = data if isinstance(data, Dataset) else open_dataset(data)

    def from_teachers(prepared: TrainingData, network: ReidNetwork) -> tuple[Loss, dict[str, Any]]:
        where = next(network.parameters()).device
        asked: list[CachedTeacher] = []
        answering: list[Teacher] = []
        about: list[dict[str, Any]] = []
        for teacher in teachers:
            columns = None
            if config.soft_weight:
                columns = matching_classes(teacher, prepared.identities, dataset.train.people())
            same_size = teacher.size == prepared.pixels.shape[1:3]
            pixels = (
                prepared.pixels if same_size else load_pixels(prepared.records.paths, teacher.size, cache=cache, progress=progress)
            )
            answers = CachedTeacher.ask(teacher, pixels, columns, where, cache=cache, progress=progress)
            asked.append(answers)
            if config.targets == "online" and isinstance(teacher, DeepExtractor):
                answering.append(OnlineTeacher(teacher, pixels, columns))
            else:
                answering.append(answers)
            about.append({"name": teacher.name, "sha256": teacher.sha256, **_knowledge(teacher, answers, prepared)})
        terms = ground_truth_terms(config)
        if config.soft_weight:
            terms["soft"] = config.soft_weight, SoftTargetLoss(answering, config.temperature)
        if config.embedding_weight or config.similarity_weight:
            space = TeacherSpace(asked, network.embedding_size)
            terms["embedding"] = config.embedding_weight, EmbeddingLoss(space)
            terms["similarity"] = config.similarity_weight, SimilarityLoss(space)
        return WeightedLosses(terms), {"kind": "distilled", "teachers": about}

    return train_with(
        from_teachers, dataset, out, config, device=device, cache=cache, checkpoint_seconds=checkpoint_seconds, progress=progress
    )


def _knowledge(teacher: Extractor, answers: CachedTeacher, prepared: TrainingData) -> dict[str, Any]:
    """How well a teacher names the training images, and how much it says beyond the names."""
    if answers.logits is None:
        return {}
    logits = answers.logits[0]
    accuracy = float((logits.argmax(1).cpu() == torch.from_numpy(prepared.labels)).float().mean())
    if accuracy < 2 / logits.shape[1] and accuracy < 0.5:
        raise ConfigurationError(
            f"the teacher {teacher.name} names {100 * accuracy:.1f} % of the training images rightly, hardly more than "
            "chance: its classes are in another order, or it was trained on other data"
        )
    return {"accuracy": 100 * accuracy, "entropy": entropies(logits)}
