"""Distances inside one set of images: fast ones for most purposes, exact ones to find the nearest."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from resight.distances.distance import DistanceFunction, Spatial, rounding
from resight.distances.vectors import squared_norms
from resight.errors import ArrayError
from resight.ranking.nearest import nearest
from resight.ranking.rerank.candidates import Candidates
from resight.ranking.rerank.rows import in_parts

__all__ = ["ByFunction", "ByPoints", "Within", "as_bytes"]

Rows = slice | NDArray[np.int64]
Vectors = NDArray[np.float32]


class Within(Protocol):
    """The distances of n images to each other, symmetric."""

    spare: int
    """Number of images beyond the k nearest that `decide` needs."""

    def __len__(self) -> int:
        """n."""

    def between(self, rows: slice, columns: Rows) -> Vectors:
        """Distances of some images to others, float32 (rows, columns), with rounding errors of float32."""

    def decide(self, candidates: Candidates, k: int) -> NDArray[np.int64]:
        """The k nearest images of each, int64 (n, k): itself first, and the lower row of equally near ones."""


class ByPoints:
    """Squared Euclidean distances of the points to which a distance maps embeddings.

    Parameters
    ----------
    embeddings : float32 array of shape (n, d)
    distance : Spatial
    """

    spare = 5

    def __init__(self, embeddings: Vectors, distance: Spatial) -> None:
        self._embeddings, self._distance = embeddings, distance
        self._lost = distance.without_point(embeddings)
        self._points = points = distance.points(embeddings)
        # About their mean, a point's square is at most four times any image's largest distance. Beside that, the rounding error
        # of a sum of squares is small.
        centred = np.empty_like(points)
        np.subtract(points, points.mean(axis=0, dtype=np.float64), out=centred, casting="same_kind")
        squares = squared_norms(centred)
        self._norms = np.sqrt(squares)
        # |u|^2 + |v|^2 - 2uv as one matrix product.
        others = np.ones((len(points), 2), np.float32)
        others[:, 0] = squares
        self._left, self._right = np.hstack([-2 * centred, others]), np.hstack([centred, others[:, ::-1]])

    def __len__(self) -> int:
        return len(self._embeddings)

    def between(self, rows: slice, columns: Rows) -> Vectors:
        """See `Within`."""
        squares: Vectors = self._left[rows] @ self._right[columns].T
        np.maximum(squares, 0, out=squares)
        if self._lost is not None:
            squares[self._lost[rows]] = self._distance.lost
            squares[:, self._lost[columns]] = self._distance.lost
        return squares

    def _exact(self, rows: slice, columns: NDArray[np.int64]) -> NDArray[np.float64]:
        """Distances of m images to c others each, given as row numbers (m, c), pair by pair in float64."""
        differences = self._points[columns].astype(np.float64)
        differences -= self._points[rows, None]
        squares: NDArray[np.float64] = np.einsum("ijk,ijk->ij", differences, differences)
        if self._lost is not None:
            squares[self._lost[rows, None] | self._lost[columns]] = self._distance.lost
        return squares

    def decide(self, candidates: Candidates, k: int) -> NDArray[np.int64]:
        """See `Within`."""
        images, dimensions = self._points.shape
        result = np.empty((images, k), np.int64)
        certain = np.ones(images, bool)
        # d + 2 products, which add up to the square of both lengths at most.
        margin = rounding(dimensions, (self._norms + self._norms.max()) ** 2)

        def choose(rows: slice) -> None:
            some = np.sort(candidates.images(rows), axis=1)
            distances = self._exact(rows, some)
            distances[some == np.arange(rows.start, rows.stop)[:, None]] = -1
            order = np.argsort(distances, axis=1, kind="stable")[:, :k]
            result[rows] = np.take_along_axis(some, order, axis=1)
            if some.shape[1] < images:
                last = np.take_along_axis(distances, order[:, -1:], axis=1)[:, 0]
                certain[rows] = last + margin[rows] < candidates.farthest(rows)

        in_parts(choose, 0, images, dimensions * (k + self.spare))
        # Too many are about as near as the last one: one of them may be missing from the candidates.
        doubtful = np.flatnonzero(~certain)
        if len(doubtful):
            _, first, which = np.unique(as_bytes(self._embeddings[doubtful]), return_index=True, return_inverse=True)
            found, _ = nearest(self._embeddings[doubtful[first]], self._embeddings, k, self._distance)
            for image, others in zip(doubtful, found[which], strict=True):
                result[image] = [image, *others[others != image][: k - 1]]
        return result


class ByFunction:
    """Distances by a function of two arrays of embeddings, such as that of a fitted XQDA; taken as they are.

    Parameters
    ----------
    embeddings : float32 array of shape (n, d)
    function : callable
        Symmetric function of (a, d) and (b, d) arrays, to distances of shape (a, b).
    """

    spare = 0

    def __init__(self, embeddings: Vectors, function: DistanceFunction) -> None:
        self._embeddings, self._function = embeddings, function

    def __len__(self) -> int:
        return len(self._embeddings)

    def between(self, rows: slice, columns: Rows) -> Vectors:
        """See `Within`. Raises `ArrayError` if the function's result has another shape, NaN or infinity."""
        some, others = self._embeddings[rows], self._embeddings[columns]
        distances = np.array(self._function(some, others), np.float32)  # never the function's own array
        if distances.shape != (len(some), len(others)):
            raise ArrayError(f"distances have shape {distances.shape}; expected ({len(some)}, {len(others)})")
        if not np.isfinite(distances).all():
            raise ArrayError("a distance is NaN or infinite; check the embeddings, and what the distance was fitted to")
        return distances

    def decide(self, candidates: Candidates, k: int) -> NDArray[np.int64]:
        """See `Within`."""
        return candidates.images()[:, :k]


def as_bytes(vectors: Vectors) -> NDArray[np.void]:
    """Each vector as one value, (n,). Equal vectors are equal values, and zeros of both signs are equal."""
    rows = np.ascontiguousarray(vectors) + np.float32(0)
    return rows.view(np.dtype((np.void, rows.itemsize * rows.shape[1]))).ravel()
