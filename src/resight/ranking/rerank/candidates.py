"""The k nearest images of every image of one set, found in one pass over strips of their distances."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from resight.ranking.rerank.rows import in_parts

__all__ = ["Candidates"]

_IMAGE_BITS = np.uint64(32)
_IMAGE = np.uint64(0xFFFFFFFF)
_SIGN = np.uint32(1 << 31)
_NOBODY = np.uint64(0xFF800000FFFFFFFF)  # infinitely far, and after every image
_WORTH = 4  # least images in a group that make a look at the groups worth it


class Candidates:
    """The nearest images of each of n images, itself first, among those compared so far.

    One integer holds a distance and its image, and sorts as they do: equally near images stand in the order of their numbers, and
    sorting needs no permutation.

    Parameters
    ----------
    images : int
        n, less than 2^32.
    kept : int
        Nearest images to keep of each; all of them if there are fewer.
    """

    def __init__(self, images: int, kept: int) -> None:
        self._keys = np.full((images, min(kept, images)), _NOBODY)

    def add(self, start: int, strip: NDArray[np.float32]) -> None:
        """Take a strip of the symmetric matrix of distances: from the diagonal to the right, and by symmetry down.

        The strips come from the top down and cover the matrix together.

        Parameters
        ----------
        start : int
            First image of the strip's rows and of its columns.
        strip : float32 array of shape (rows, n - start)
            Its diagonal is set to -infinity, so that an image itself comes first.
        """
        np.fill_diagonal(strip, -np.inf)
        height, width = strip.shape

        def across(part: slice) -> None:
            keys = self._keys[start + part.start : start + part.stop]
            found = np.flatnonzero(strip[part] < _bound(keys, strip[part])[:, None])
            row, column = np.divmod(found, width)
            _keep(keys, row, start + column, strip[part.start + row, column])

        def down(part: slice) -> None:
            keys = self._keys[start + part.start : start + part.stop]
            found = np.flatnonzero(strip[:, part] < _bound(keys, strip[:, part].T))
            row, column = np.divmod(found, part.stop - part.start)
            order = np.argsort(column, kind="stable")
            row, column = row[order], column[order]
            _keep(keys, column, start + row, strip[row, part.start + column])

        in_parts(across, 0, height, width)
        in_parts(down, height, width, height)

    def images(self, rows: slice = slice(None)) -> NDArray[np.int64]:
        """Kept images of some rows, nearest first, (rows, kept)."""
        return (self._keys[rows] & _IMAGE).astype(np.int64)

    def farthest(self, rows: slice = slice(None)) -> NDArray[np.float32]:
        """Distance of the last kept image, (rows,). Images that were not kept are as far, or farther."""
        return _distances(self._keys[rows, -1])


def _bound(keys: NDArray[np.uint64], distances: NDArray[np.float32]) -> NDArray[np.float32]:
    """Distance below which an image may have to be kept, for each row of keys; `distances` (rows, others) are the next ones.

    An image as near as the last kept one stands behind it, because strips come in the order of the images.
    """
    bound = _distances(keys[:, -1])
    kept = keys.shape[1]
    groups = 2 * kept
    size = distances.shape[1] // groups
    if size < _WORTH or np.isfinite(bound).all():
        return bound
    # Nothing is known yet. But each of these groups has a nearest image, and there are more groups than kept images.
    lowest = distances[:, : size * groups].reshape(len(keys), size, groups).min(axis=1)
    return np.nextafter(np.partition(lowest, kept - 1, axis=1)[:, kept - 1], np.float32(np.inf))


def _keep(keys: NDArray[np.uint64], rows: NDArray[np.int64], images: NDArray[np.int64], distances: NDArray[np.float32]) -> None:
    """Keep the nearest of the kept images and of new ones, found for `rows` of keys, in increasing order."""
    kept = keys.shape[1]
    counts = np.bincount(rows, minlength=len(keys))
    # Each row's finds side by side, after what it keeps.
    table = np.full((len(keys), kept + counts.max(initial=0)), _NOBODY)
    table[:, :kept] = keys
    table[rows, kept + np.arange(len(rows)) - (np.cumsum(counts) - counts)[rows]] = _join(distances, images)
    table.sort(axis=1)
    keys[:] = table[:, :kept]


def _join(distances: NDArray[np.float32], images: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Make keys. The bits of floats order as integers do if those of negative ones are inverted."""
    bits = distances.view(np.uint32)
    ordered = np.where(bits & _SIGN, ~bits, bits | _SIGN)
    return (ordered.astype(np.uint64) << _IMAGE_BITS) | images.astype(np.uint64)


def _distances(keys: NDArray[np.uint64]) -> NDArray[np.float32]:
    """Distances in keys."""
    ordered = (keys >> _IMAGE_BITS).astype(np.uint32)
    return np.where(ordered & _SIGN, ordered ^ _SIGN, ~ordered).view(np.float32)
