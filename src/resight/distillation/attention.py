"""Attention maps: the student looks where its teachers look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from resight.distillation.lesson import Lesson
from resight.distillation.targets import Teacher
from resight.errors import ConfigurationError
from resight.networks.network import Outputs
from resight.training.losses import Batch, Loss

__all__ = ["AttentionLoss", "attention_loss", "loss", "same_grid"]


def loss(lesson: Lesson) -> Loss:
    """The loss of a distillation; see `resight.distillation.LOSSES`."""
    return AttentionLoss(lesson.teachers)


def same_grid(one: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    """Average two stacks of maps, (..., rows, columns), down to the smaller number of rows and of columns."""
    rows, columns = (min(one.shape[side], other.shape[side]) for side in (-2, -1))
    first, second = (F.adaptive_avg_pool2d(maps, (rows, columns)) for maps in (one, other))
    return first, second


def attention_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean squared difference between attention maps on one grid, each scaled to length 1.

    Parameters
    ----------
    student, teacher : float tensors of shape (n, rows, columns)
        `resight.networks.Outputs.attention`; the grids may differ.

    Returns
    -------
    Tensor
        Scalar: the mean over images and places, a small number; the authors weigh it by 1000.

    References
    ----------
    .. [1] S. Zagoruyko, N. Komodakis, "Paying More Attention to Attention", ICLR 2017, section 3.1, F_sum^2. (Equation (2) has the
           length of the difference; their code, and this, its mean square. They compare several depths, this the last maps.)
    """
    first, second = (F.normalize(maps.flatten(1), dim=1) for maps in same_grid(student, teacher))
    return F.mse_loss(first, second)


class AttentionLoss(Loss):
    """`attention_loss`, mean over the teachers.

    Parameters
    ----------
    teachers : sequence of Teacher
        Teachers with attention maps.
    """

    def __init__(self, teachers: Sequence[Teacher]) -> None:
        super().__init__()
        self.teachers = teachers

    def forward(self, batch: Batch, outputs: Outputs) -> tuple[Tensor, Mapping[str, Tensor]]:
        """See `resight.training.losses.Loss`."""
        losses = []
        for teacher in self.teachers:
            attention = teacher(batch.view).attention
            if attention is None:
                raise ConfigurationError("a teacher without feature maps has no attention; set --attention-weight 0")
            losses.append(attention_loss(outputs.attention, attention))
        return torch.stack(losses).mean(), {}
