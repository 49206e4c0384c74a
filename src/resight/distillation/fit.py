"""Distil a teacher into a student: the training of `resight.training.fit` with the loss of the paper's equation (2)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from resight.datasets import Dataset, open_dataset
from resight.distillation.config import DistillConfig
from resight.distillation.losses import DistillationLoss
from resight.distillation.targets import CachedTeacher, OnlineTeacher, entropies, matching_classes
from resight.errors import ConfigurationError
from resight.features.deep import load_extractor
from resight.images import load_pixels
from resight.progress import Progress, silent
from resight.training.data import TrainingData
from resight.training.fit import train_with
from resight.training.losses import Loss

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
    teacher = load_extractor(config.teacher, device=device)
    dataset = data if isinstance(data, Dataset) else open_dataset(data)

    def soft_targets(prepared: TrainingData, where: torch.device) -> tuple[Loss, dict[str, Any]]:
        columns = matching_classes(teacher, prepared.identities, dataset.train.people())
        same_size = teacher.size == prepared.pixels.shape[1:3]
        pixels = prepared.pixels if same_size else load_pixels(prepared.records.paths, teacher.size, cache=cache, progress=progress)
        labels = torch.from_numpy(prepared.labels)
        asked = CachedTeacher.ask(teacher, pixels, where, cache=cache, progress=progress).columns(columns)
        accuracy = float((asked.logits[0].argmax(1).cpu() == labels).float().mean())
        if accuracy < 2 / len(columns) and accuracy < 0.5:
            raise ConfigurationError(
                f"the teacher {teacher.name} names {100 * accuracy:.1f} % of the training images rightly, hardly more than "
                "chance: its classes are in another order, or it was trained on other data"
            )
        about = {
            "kind": "distilled",
            "teacher": teacher.name,
            "teacher_sha256": teacher.sha256,
            "teacher_accuracy": 100 * accuracy,
            "teacher_entropy": entropies(asked.logits[0]),
        }
        answers = OnlineTeacher(teacher, pixels, columns) if config.targets == "online" else asked
        loss = DistillationLoss(answers, labels.to(where), temperature=config.temperature, hard_weight=config.hard_weight)
        return loss, about

    return train_with(
        soft_targets, dataset, out, config, device=device, cache=cache, checkpoint_seconds=checkpoint_seconds, progress=progress
    )
