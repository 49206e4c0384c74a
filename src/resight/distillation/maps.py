"""Losses on feature maps: a student that looks where its teacher looks, or sees what it sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resight.distillation.targets import OnlineTeacher, Teacher
from resight.errors import ConfigurationError
from resight.networks.network import Outputs
from resight.training.losses import Batch, Loss

__all__ = ["AttentionLoss", "HintLoss", "attention_loss", "same_grid"]


def same_grid(one: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    """Two stacks of maps, (..., rows, columns), averaged down to the smaller number of rows and of columns of the two."""
    rows, columns = (min(one.shape[side], other.shape[side]) for side in (-2, -1))
    first, second = (F.adaptive_avg_pool2d(maps, (rows, columns)) for maps in (one, other))
    return first, second


def attention_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean squared difference between attention maps that were brought to one grid and scaled to length 1.

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
        Each with attention maps.
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


class HintLoss(Loss):
    """Mean squared difference between the teacher's last maps and a learned 1x1 convolution of the student's.

    The convolution is trained with the student, and kept in the checkpoint, and thrown away with the loss. Where the grids differ,
    both maps are averaged down to the smaller one.

    Parameters
    ----------
    teachers : sequence of OnlineTeacher
        The loss is the mean over them; each has a convolution of its own.
    channels : int
        Of the student's maps.
    seed : int
        Of the convolutions' initial weights.

    References
    ----------
    .. [1] A. Romero et al., "FitNets: Hints for Thin Deep Nets", ICLR 2015, equation (3). (There the hint is a middle layer, and
           the student's first half is trained on it before the rest; here it is the last one, beside the other losses.)
    """

    def __init__(self, teachers: Sequence[OnlineTeacher], channels: int, seed: int) -> None:
        super().__init__()
        self.teachers = teachers
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            self.regressors = nn.ModuleList(nn.Conv2d(channels, teacher.channels, 1) for teacher in teachers)

    def forward(self, batch: Batch, outputs: Outputs) -> tuple[Tensor, Mapping[str, Tensor]]:
        """See `resight.training.losses.Loss`."""
        losses = []
        for teacher, regressor in zip(self.teachers, self.regressors, strict=True):
            maps = teacher(batch.view).maps
            if maps is None:
                raise ConfigurationError("a teacher that is not asked at every batch gives no hints; set --targets online")
            student, hint = same_grid(outputs.maps.float(), maps)
            losses.append(F.mse_loss(regressor(student), hint))
        return torch.stack(losses).mean(), {}
