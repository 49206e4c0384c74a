"""Similarities: the student finds the same images of a batch alike as its teachers."""

from __future__ import annotations

from collections.abc import Mapping

import torch.nn.functional as F
from torch import Tensor

from resight.distillation.lesson import Lesson
from resight.distillation.space import TeacherSpace
from resight.networks.network import Outputs
from resight.training.losses import Batch, Loss

__all__ = ["SimilarityLoss", "loss"]


def loss(lesson: Lesson) -> Loss:
    """The loss of a distillation; see `resight.distillation.LOSSES`."""
    return SimilarityLoss(lesson.space)


class SimilarityLoss(Loss):
    """Mean squared difference between the cosines of all pairs of a batch for the student and for its teachers.

    The student may arrange its embeddings freely, if it finds the same images alike.

    Parameters
    ----------
    space : TeacherSpace

    References
    ----------
    .. [1] A. Wu et al., "Distilled Person Re-Identification: Towards a More Scalable System", CVPR 2019 (there the similarities
           of log-normalised features are compared by a squared Frobenius norm).
    """

    def __init__(self, space: TeacherSpace) -> None:
        super().__init__()
        self.space = space

    def forward(self, batch: Batch, outputs: Outputs) -> tuple[Tensor, Mapping[str, Tensor]]:
        """See `resight.training.losses.Loss`."""
        student, teacher = (F.normalize(rows, dim=1) for rows in (outputs.embedding.float(), self.space(batch.view)))
        return (student @ student.T - teacher @ teacher.T).square().mean(), {}
