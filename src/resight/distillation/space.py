"""One space for the embeddings of a student and its teachers, so that they can be compared without a learned projection."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resight.distillation.targets import CachedTeacher
from resight.errors import ConfigurationError
from resight.networks.batches import View

__all__ = ["TeacherSpace", "with_neighbours", "without_cameras"]

_MOST_NUMBERS = 8192
_AVERAGE = 20  # images
_CHUNK = 512
_POWER = 2.0


class TeacherSpace(nn.Module):
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
    cameras : sequence of int
        Camera of each of the n training images, negative if it is not known; or empty. The mean of each camera is subtracted from
        the embeddings of what it sees, so that the student does not learn what a camera does to a crop.
    neighbours : int
        With cameras: add to the target of each of the first training images those of so many images of other cameras that the
        teachers find most alike. Most of them show the same person; together they tell more. They are weighted by their squared
        cosines: plain ones spoil what is known of people whom one camera alone has seen.

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
        cameras: Sequence[int] = (),
        neighbours: int = 0,
    ) -> None:
        super().__init__()
        numbers = sum(teacher.embedding.shape[-1] for teacher in teachers)
        if numbers > _MOST_NUMBERS:
            raise ConfigurationError(
                f"the teachers' embeddings have {numbers} numbers together; expected {_MOST_NUMBERS} at most: "
                "shorten one with `resight fit`, and give the folder that it wrote"
            )
        everything = torch.cat([F.normalize(teacher.embedding, dim=-1) for teacher in teachers], -1)
        everything = _with_tracklets(everything, tracklets)
        everything = everything - everything.mean((0, 1))
        if len(cameras):
            everything, of = without_cameras(everything, cameras)
            first = len(tracklets) if tracklets else everything.shape[1]
            everything[:, :first] = with_neighbours(everything[:, :first], of[:first], neighbours)
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
        self._targets: Tensor
        self.register_buffer("_targets", F.pad(everything, (0, dimensions - everything.shape[-1])), persistent=False)

    def forward(self, view: View) -> Tensor:
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


def without_cameras(everything: Tensor, cameras: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Subtract from embeddings, float (k, n, d), the mean of their camera, as if it had also seen a few average images.

    Returns
    -------
    tuple of tensors
        The rest, of length 1, and a number for the camera of each image, int64 (n,); -1 if the camera is not known. Then only the
        mean of all images is subtracted.
    """
    names, numbers = np.unique(cameras, return_inverse=True)
    of, known = (torch.as_tensor(each, device=everything.device) for each in (numbers, names >= 0))
    everything = everything - everything.mean((0, 1))
    sums = everything.new_zeros(len(names), everything.shape[2]).index_add_(0, of, everything.mean(0))
    means = sums / (torch.bincount(of)[:, None] + _AVERAGE) * known[:, None]
    return F.normalize(everything - means[of], dim=-1), torch.where(known[of], of, -1)


def with_neighbours(rows: Tensor, of: Tensor, neighbours: int, power: float = _POWER) -> Tensor:
    """Add to rows of length 1, float (k, n, d), those of so many neighbours of other cameras.

    Parameters
    ----------
    rows : float tensor of shape (k, n, d)
    of : int64 tensor of shape (n,)
        Camera of each. Those of no known camera, -1, neither get nor are neighbours.
    neighbours : int
    power : float
        Power of the cosine that weighs a neighbour.

    Returns
    -------
    float tensor of shape (k, n, d)
        Rows of length 1.
    """
    both = F.normalize(rows.mean(0), dim=-1)
    found = rows.clone()
    for start in range(0, len(both) if neighbours else 0, _CHUNK):
        some = slice(start, start + _CHUNK)
        alike = (both[some] @ both.T).masked_fill_((of[some, None] == of) | (of[some, None] < 0) | (of < 0), 0)
        weights, which = alike.topk(min(neighbours, len(both)), dim=1)
        found[:, some] += (weights.clamp_(min=0).pow(power)[None, :, :, None] * rows[:, which]).sum(2)
    return F.normalize(found, dim=-1)


def _turn(rows: Tensor, wanted: Tensor) -> Tensor:
    """Matrix with orthonormal rows that turns `rows` (n, d) to agree best with `wanted` (n, e); d is at most e."""
    left, _, right = torch.linalg.svd(rows.T @ wanted, full_matrices=False)
    return left @ right  # type: ignore[no-any-return]
