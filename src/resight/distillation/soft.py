"""Soft targets: the student learns its teachers' distributions over the identities (equation 2 of Ruiz et al., 2019)."""

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

__all__ = ["SoftTargetLoss", "loss", "soft_target_loss"]


def loss(lesson: Lesson) -> Loss:
    """The loss of a distillation; see `resight.distillation.LOSSES`."""
    return SoftTargetLoss(lesson.teachers, lesson.temperature)


def soft_target_loss(teacher_logits: Tensor, student_logits: Tensor, temperature: float) -> Tensor:
    """First term of equation (2): the cross-entropy H(p_teacher(T), p_student(T)), mean over the batch.

    p(T) is softmax(logits / T). Unlike in Hinton et al., the paper does not multiply it by T squared, and this does not either.

    Parameters
    ----------
    teacher_logits, student_logits : float tensors of shape (batch, classes)
    temperature : float
        T, more than 0.

    Returns
    -------
    Tensor
        Scalar, in nats; its least value is the mean entropy of the teacher's distributions.

    References
    ----------
    .. [1] I. Ruiz et al., "Optimizing Speed/Accuracy Trade-Off for Person Re-identification via Knowledge Distillation",
           2019, equations (1) and (2).
    .. [2] G. Hinton, O. Vinyals, J. Dean, "Distilling the Knowledge in a Neural Network", arXiv:1503.02531, 2015.
    """
    targets = F.softmax(teacher_logits.float() / temperature, dim=1)
    return -(targets * F.log_softmax(student_logits.float() / temperature, dim=1)).sum(1).mean()


class SoftTargetLoss(Loss):
    """`soft_target_loss`, mean over the teachers, which is the loss with respect to the mean of their distributions.

    Parameters
    ----------
    teachers : sequence of Teacher
        Teachers with logits.
    temperature : float
        Temperature T.
    """

    def __init__(self, teachers: Sequence[Teacher], temperature: float) -> None:
        super().__init__()
        self.teachers = teachers
        self.temperature = temperature

    def forward(self, batch: Batch, outputs: Outputs) -> tuple[Tensor, Mapping[str, Tensor]]:
        """See `resight.training.losses.Loss`."""
        losses = []
        for teacher in self.teachers:
            answers = teacher(batch.view)
            if answers.logits is None:
                raise ConfigurationError("a teacher without classes has no soft targets; set --soft-weight 0")
            losses.append(soft_target_loss(answers.logits, outputs.logits, self.temperature))
        return torch.stack(losses).mean(), {}
