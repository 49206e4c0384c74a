"""One space for the embeddings of a student and its teachers, so that they can be compared without a learned projection."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
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

    Each teacher's embedding is scaled to length 1 and centred by its mean over the training images; then they are put side by side.
    A student with fewer numbers gets the first principal components; one with more gets zeros for the rest. So it can be compared
    with its teachers directly, without a learned projection.

    A turn of the space changes no cosine, but decides how far the student has to go, because its last layers give some directions
    easily and others hardly (after a ReLU, for example, few numbers are far below their mean). If the student starts from trained
    weights, the space is turned to agree with its embeddings before the training; otherwise, if components were left out, with the
    first teacher's own numbers (orthogonal Procrustes problem, Schoenemann, 1966).

    Parameters
    ----------
    teachers : sequence of CachedTeacher
        Answers of the teachers for all n training images.
    dimensions : int
        Numbers in the student's embedding.
    student : float tensor of shape (m, dimensions), optional
        Embeddings of the first m training images by the student before its training.
    tracklets : sequence of str
        Tracklet of each of the first training images, or empty. Half of a target is then the mean over the image's tracklet, which
        shows one person: what a single frame hides, the others tell. An image without a tracklet keeps its own.

    Raises
    ------
    ConfigurationError
        If the teachers' embeddings are too long for principal components, as LOMO's are before a distance is fitted to them.
    """

    def __init__(
        self,
        teachers: Sequence[CachedTeacher],
        dimensions: int,
        student: Tensor | None = None,
        tracklets: Sequence[str] = (),
    ) -> None:
        numbers = sum(teacher.embedding.shape[-1] for teacher in teachers)
        if numbers > _MOST_NUMBERS:
            raise ConfigurationError(
                f"the teachers' embeddings have {numbers} numbers together; expected {_MOST_NUMBERS} at most: "
                "shorten one with `resight fit`, and give the folder that it wrote"
            )
        everything = torch.cat([F.normalize(teacher.embedding, dim=-1) for teacher in teachers], -1)
        everything = _with_tracklets(everything, tracklets)
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
        """Targets of images `view.rows`, mirrored if `view.flips`: float32 (n, dimensions), centred, not of length 1."""
        flips = torch.zeros(len(view.rows), dtype=torch.long) if view.flips is None else torch.from_numpy(view.flips).long()
        return self._targets[flips, torch.from_numpy(view.rows)]


def _with_tracklets(everything: Tensor, tracklets: Sequence[str]) -> Tensor:
    """Mean of each row of (2, n, d) and of the mean row of its tracklet."""
    if not any(tracklets):
        return everything
    names = [name or f" {row}" for row, name in enumerate(tracklets)]  # no tracklet begins with a blank
    names += [f" {row}" for row in range(len(names), everything.shape[1])]
    of = torch.from_numpy(np.unique(names, return_inverse=True)[1]).to(everything.device)
    counts = torch.bincount(of).to(everything)
    means = everything.new_zeros(2, len(counts), everything.shape[2]).index_add_(1, of, everything) / counts[:, None]
    return (everything + means[:, of]) / 2


def _turn(rows: Tensor, wanted: Tensor) -> Tensor:
    """Matrix with orthonormal rows that turns `rows` (n, d) to agree best with `wanted` (n, e); d is at most e."""
    left, _, right = torch.linalg.svd(rows.T @ wanted, full_matrices=False)
    return left @ right  # type: ignore[no-any-return]
