"""Distillation losses: how far a student is from its teacher."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from resight.distillation.targets import Teacher
from resight.training.losses import HardLabelLoss

__all__ = ["DistillationLoss", "soft_target_loss"]


def soft_target_loss(teacher_logits: Tensor, student_logits: Tensor, temperature: float) -> Tensor:
    """First term of equation (2): the cross-entropy H(p_teacher(T), p_student(T)), mean over the batch.

    With p(T) = softmax(logits / T). It is not multiplied by T squared as in Hinton et al.; the paper does not.

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


class DistillationLoss:
    """Equation (2) of the paper: H(p_teacher(T), p_student(T)) + lambda H(ground truth, p_student(1)).

    Parameters
    ----------
    teacher : Teacher
        Gives its logits for every image of a batch.
    labels : int64 tensor of shape (n,)
        Class of every training image.
    temperature : float
        T of the soft targets.
    hard_weight : float
        The paper's lambda.
    """

    def __init__(self, teacher: Teacher, labels: Tensor, *, temperature: float, hard_weight: float) -> None:
        self.teacher = teacher
        self.hard = HardLabelLoss(labels)
        self.temperature = temperature
        self.hard_weight = hard_weight

    def __call__(
        self, rows: NDArray[np.int64], flips: NDArray[np.bool_], images: Tensor, embedding: Tensor, logits: Tensor
    ) -> tuple[Tensor, Mapping[str, Tensor]]:
        """See `resight.training.losses.Loss`; the parts are ``soft``, ``hard`` and ``accuracy``."""
        with torch.no_grad():
            targets = self.teacher(rows, flips)
        soft = soft_target_loss(targets, logits, self.temperature)
        hard, parts = self.hard(rows, flips, images, embedding, logits)
        return soft + self.hard_weight * hard, {"soft": soft, **parts}
