"""Relational knowledge distillation (RKD): distances and angles within a batch."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from resight.distillation.lesson import Lesson
from resight.distillation.space import TeacherSpace
from resight.networks.network import Outputs
from resight.training.losses import Batch, Loss, pairwise_distances

__all__ = ["RelationalLoss", "angle_loss", "distance_loss", "loss"]


def loss(lesson: Lesson) -> Loss:
    """The loss of a distillation; see `resight.distillation.LOSSES`."""
    return RelationalLoss(lesson.space)


def distance_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Difference between the student's and the teacher's distances in a batch, each relative to their mean (RKD-D).

    Parameters
    ----------
    student, teacher : float tensors of shape (n, d) and (n, e)
        Embeddings of the same images.

    Returns
    -------
    Tensor
        Scalar: Huber's loss, half the square up to 1 and linear from there, mean over all pairs.

    References
    ----------
    .. [1] W. Park, D. Kim, Y. Lu, M. Cho, "Relational Knowledge Distillation", CVPR 2019, equations (5) to (8).
    """
    pairs = ~torch.eye(len(student), dtype=torch.bool, device=student.device)
    own, taught = (distances[pairs] / distances[pairs].mean() for distances in map(pairwise_distances, (student, teacher)))
    return F.smooth_l1_loss(own, taught)


def angle_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Difference between the student's and the teacher's angles in the triangles of a batch (RKD-A).

    Parameters
    ----------
    student, teacher : float tensors of shape (n, d) and (n, e)
        Embeddings of the same images.

    Returns
    -------
    Tensor
        Scalar: Huber's loss of the cosines of the angle at one image between two others, mean over all of three images.

    References
    ----------
    .. [1] W. Park, D. Kim, Y. Lu, M. Cho, "Relational Knowledge Distillation", CVPR 2019, equations (9) to (11).
    """
    numbers = torch.arange(len(student), device=student.device)
    others = numbers[:, None] != numbers
    triangles = others[:, :, None] & others[:, None, :] & others
    return F.smooth_l1_loss(_angle_cosines(student)[triangles], _angle_cosines(teacher)[triangles])


def _angle_cosines(rows: Tensor) -> Tensor:
    """Cosine of the angle at each row between each two rows, (n, d) to (n, n, n); 0 if two rows are the same."""
    differences = rows - rows[:, None]
    lengths = differences.norm(dim=2, keepdim=True)
    # Between equal rows there is no direction, and a normalisation would hand its gradient on magnified.
    directions = torch.where(lengths > 1e-6, differences / lengths.clamp_min(1e-6), 0.0)
    return directions @ directions.transpose(1, 2)


class RelationalLoss(Loss):
    """`distance_loss` plus twice `angle_loss`, the paper's proportion, of the student's embedding and its teachers'.

    Parameters
    ----------
    space : TeacherSpace

    References
    ----------
    .. [1] W. Park, D. Kim, Y. Lu, M. Cho, "Relational Knowledge Distillation", CVPR 2019. (Their code counts the pairs of an image
           with itself among the others.)
    """

    def __init__(self, space: TeacherSpace) -> None:
        super().__init__()
        self.space = space

    def forward(self, batch: Batch, outputs: Outputs) -> tuple[Tensor, Mapping[str, Tensor]]:
        """See `resight.training.losses.Loss`; the parts are ``rkd_distance`` and ``rkd_angle``."""
        student, teacher = outputs.embedding.float(), self.space(batch.view)
        distance, angle = distance_loss(student, teacher), angle_loss(student, teacher)
        return distance + 2 * angle, {"rkd_distance": distance, "rkd_angle": angle}
