"""One space for the embeddings of a student and its teachers, so that they can be compared without a learned projection."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from resight.distillation.targets import CachedTeacher
from resight.errors import ConfigurationError
from resight.networks.batches import View

__all__ = ["TeacherSpace"]

_MOST_NUMBERS = 8192


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
