"""Distillation losses: how far a student is from its teacher."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from resight.distillation.targets import CachedTeacher, Teacher
from resight.errors import ConfigurationError
from resight.networks import Outputs
from resight.networks.batches import View
from resight.training.losses import Batch, Loss, pairwise_distances

__all__ = [
    "EmbeddingLoss",
    "RelationalLoss",
    "SimilarityLoss",
    "SoftTargetLoss",
    "TeacherSpace",
    "angle_loss",
    "distance_loss",
    "soft_target_loss",
]

_MOST_NUMBERS = 8192


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


class TeacherSpace:
    """The embeddings of one or several teachers as one, in as many numbers as the student has.

    Each teacher's embedding is scaled to length 1 and centred by its mean over the training images, and they are put side by side.
    Where a student has fewer numbers, the first principal components are kept; where it has more, the rest is zero. So it can be
    compared with its teachers directly, without a projection that would have to be learned and thrown away.

    Turning all of it changes no cosine, but decides how far the student has to go: its last layers give some directions easily and
    others hardly (after a ReLU, for example, few numbers are far below their mean). So the space is turned to agree with what the
    student says before its training, if it starts from trained weights; otherwise, if components were left out, with the first
    teacher's own numbers (orthogonal Procrustes problem, Schoenemann, 1966).

    Parameters
    ----------
    teachers : sequence of CachedTeacher
        Their answers for all n training images.
    dimensions : int
        Numbers in the student's embedding.
    student : float tensor of shape (m, dimensions), optional
        The student's own embeddings of the first m training images before its training.

    Raises
    ------
    ConfigurationError
        If the teachers' embeddings are too long for principal components: LOMO's, before a distance is fitted to it.
    """

    def __init__(self, teachers: Sequence[CachedTeacher], dimensions: int, student: Tensor | None = None) -> None:
        numbers = sum(teacher.embedding.shape[-1] for teacher in teachers)
        if numbers > _MOST_NUMBERS:
            raise ConfigurationError(
                f"the teachers' embeddings have {numbers} numbers together; expected {_MOST_NUMBERS} at most: "
                "shorten one with `resight fit`, and name what that wrote"
            )
        everything = torch.cat([F.normalize(teacher.embedding, dim=-1) for teacher in teachers], -1)
        everything = everything - everything.mean((0, 1))
        rows = everything.flatten(0, 1).double()
        kept = torch.eye(numbers, dtype=rows.dtype, device=rows.device)
        if numbers > dimensions:
            energy, directions = torch.linalg.eigh(rows.T @ rows)
            kept = directions[:, energy.argsort(descending=True)[:dimensions]]
        if student is not None:
            student = student.to(rows)
            kept = kept @ _turn(rows[: len(student)] @ kept, student - student.mean(0))
        elif numbers > dimensions and (first := teachers[0].embedding.shape[-1]) <= dimensions:
            kept = kept @ _turn(rows @ kept, F.pad(rows[:, :first], (0, dimensions - first)))
        everything = (everything.double() @ kept).float()
        self._targets = F.pad(everything, (0, dimensions - everything.shape[-1]))

    def __call__(self, view: View) -> Tensor:
        """For images `view.rows`, mirrored where `view.flips`: float32 (n, dimensions), centred, not of length 1."""
        flips = torch.zeros(len(view.rows), dtype=torch.long) if view.flips is None else torch.from_numpy(view.flips).long()
        return self._targets[flips, torch.from_numpy(view.rows)]


def _turn(rows: Tensor, wanted: Tensor) -> Tensor:
    """The matrix with orthonormal rows that turns `rows` (n, d) to agree with `wanted` (n, e) as far as it can; d is e at most."""
    left, _, right = torch.linalg.svd(rows.T @ wanted, full_matrices=False)
    return left @ right  # type: ignore[no-any-return]


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
