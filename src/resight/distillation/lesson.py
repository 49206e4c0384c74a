"""A lesson: everything that distillation losses are made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch

from resight.distillation.config import DistillConfig
from resight.distillation.space import TeacherSpace
from resight.distillation.targets import CachedTeacher, Teacher
from resight.models.pytorch import network_outputs
from resight.networks.network import ReidNetwork
from resight.training.data import TrainingData

__all__ = ["Lesson"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Lesson:
    """The student, the training images, and the teachers.

    Attributes
    ----------
    config : DistillConfig
    student : ReidNetwork
    prepared : TrainingData
    temperature : float
        Temperature of the soft targets.
    asked : sequence of CachedTeacher
        Answers of each teacher for all training images.
    teachers : sequence of Teacher
        Answers of each teacher for a batch, as `DistillConfig.targets` asks for them.
    """

    config: DistillConfig
    student: ReidNetwork
    prepared: TrainingData
    temperature: float
    asked: Sequence[CachedTeacher]
    teachers: Sequence[Teacher]

    @cached_property
    def space(self) -> TeacherSpace:
        """The teachers' embeddings in as many numbers as the student has, turned towards a student that starts from weights."""
        before = None
        if self.config.weights:
            labelled = self.prepared.pixels[: len(self.prepared.records)]
            before = torch.from_numpy(network_outputs(self.student, labelled)[0])
        data, config = self.prepared, self.config
        return TeacherSpace(
            self.asked,
            self.student.embedding_size,
            before,
            data.records.tracklets or ("",) * len(data.records),
            data.cameras.tolist() if config.centre_cameras else (),
            config.neighbours,
        )
