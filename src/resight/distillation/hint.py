"""Hints: the student's feature maps, after a learned convolution, equal its teachers'."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resight.distillation.attention import same_grid
from resight.distillation.lesson import Lesson
from resight.distillation.targets import OnlineTeacher
from resight.errors import ConfigurationError
from resight.networks.network import Outputs
from resight.training.losses import Batch, Loss

__all__ = ["HintLoss", "loss"]


def loss(lesson: Lesson) -> Loss:
    """The loss of a distillation; see `resight.distillation.LOSSES`."""
    online = [teacher for teacher in lesson.teachers if isinstance(teacher, OnlineTeacher)]
    return HintLoss(online, lesson.student.channels, lesson.config.seed)


class HintLoss(Loss):
    """Mean squared difference between the teacher's last maps and a learned 1x1 convolution of the student's.

    The convolution is trained with the student, kept in the checkpoint, and thrown away afterwards. If the grids differ, both maps
    are averaged down to the smaller one.

    Parameters
    ----------
    teachers : sequence of OnlineTeacher
        Teachers, each with a convolution of its own; the loss is the mean over them.
    channels : int
        Channels of the student's maps.
    seed : int
        Seed of the convolutions' initial weights.

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
