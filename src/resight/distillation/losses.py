"""Distillation losses: how far a student is from its teacher."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from resight.distillation.space import TeacherSpace
from resight.distillation.targets import Teacher
from resight.errors import ConfigurationError
from resight.networks import Outputs
from resight.training.losses import Batch, Loss, pairwise_distances

__all__ = [
    "EmbeddingLoss",
    "RelationalLoss",
    "SimilarityLoss",
    "SoftTargetLoss",
    "angle_loss",
    "distance_loss",
    "soft_target_loss",
]


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


class SoftTargetLoss(Loss):
    """`soft_target_loss`, mean over the teachers, which is the loss with respect to the mean of their distributions.

    Parameters
    ----------
    teachers : sequence of Teacher
        Each with logits.
    temperature : float
        T.
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


class SimilarityLoss(Loss):
    """Mean squared difference between the cosines of all pairs of a batch for the student and for its teachers.

    The student may arrange its embeddings as it likes as long as it finds the same images alike.

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


def distance_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """How differently student and teacher see the distances of a batch, each set of them relative to its mean (RKD-D).

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
    """How differently student and teacher see the angles of a batch's triangles (RKD-A).

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
    """Cosine of the angle at each row between each two rows, (n, d) to (n, n, n); 0 where two rows are the same."""
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
