"""Embeddings: the student's points where its teachers' do."""

from __future__ import annotations

from collections.abc import Mapping

import torch.nn.functional as F
from torch import Tensor

from resight.distillation.lesson import Lesson
from resight.distillation.space import TeacherSpace
from resight.networks.network import Outputs
from resight.training.losses import Batch, Loss

__all__ = ["EmbeddingLoss", "loss"]


def loss(lesson: Lesson) -> Loss:
    """The loss of a distillation; see `resight.distillation.LOSSES`."""
    return EmbeddingLoss(lesson.space)


class EmbeddingLoss(Loss):
    """1 - cosine between the student's embedding and its teachers', mean over the batch.

    Parameters
    ----------
    space : TeacherSpace
    """

    def __init__(self, space: TeacherSpace) -> None:
        super().__init__()
        self.space = space

    def forward(self, batch: Batch, outputs: Outputs) -> tuple[Tensor, Mapping[str, Tensor]]:
        """See `resight.training.losses.Loss`."""
        return 1 - F.cosine_similarity(outputs.embedding.float(), self.space(batch.view)).mean(), {}
