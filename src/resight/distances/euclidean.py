"""Euclidean distance."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from resight.distances.distance import Spatial, rounding
from resight.distances.vectors import both_embeddings, row_blocks, squared_norms

__all__ = ["Euclidean"]

Vectors = NDArray[np.float32]
Gaps = NDArray[np.float64]


class Euclidean(Spatial):
    """Euclidean distance; its gaps are squared distances.

    Examples
    --------
    >>> Euclidean().between([[0, 0], [3, 0]], [[0, 4]]).tolist()
    [[4.0], [5.0]]
    """

    sql = "embedding <-> %s::vector"

    def exact(self, query: Vectors, gallery: Vectors) -> Gaps:
        """See `Distance`."""
        return squared_norms(gallery.astype(np.float64) - query)

    def from_gaps(self, gaps: Gaps) -> Gaps:
        """See `Distance`."""
        distances: Gaps = np.sqrt(gaps)
        return distances

    def fast(self, queries: Vectors, gallery: Vectors, squares: NDArray[np.float64], out: Vectors) -> None:
        """See `Distance`. The gap less the query's square needs one matrix product, and rounds less than the whole gap."""
        np.matmul(-2 * queries, gallery.T, out=out)
        out += squares.astype(np.float32)

    def share(self, squares: NDArray[np.float64]) -> Gaps:
        """See `Distance`."""
        return squares

    def margin(self, squares: NDArray[np.float64], largest: float, dimensions: int) -> Gaps:
        """See `Distance`. The products add up to two lengths at most, and the square is one of them squared."""
        longest = np.sqrt(largest)
        return rounding(dimensions, longest * (np.sqrt(squares) + longest))

    def between(self, queries: ArrayLike, gallery: ArrayLike) -> Vectors:
        """See `Distance`.

        Computed in float64: the square is a difference of large numbers. For two images that are nearly equal, float32 would leave
        only noise.
        """
        query, images = both_embeddings(queries, gallery)
        result = np.empty((len(query), len(images)), np.float32)
        for columns in row_blocks(len(images)):
            several = images[columns].astype(np.float64)
            for rows in row_blocks(len(query)):
                some = query[rows].astype(np.float64)
                squares = some @ several.T
                squares *= -2
                squares += squared_norms(several)
                squares += squared_norms(some)[:, None]
                np.maximum(squares, 0, out=squares)
                result[rows, columns] = np.sqrt(squares, out=squares)
        return result

    def points(self, vectors: Vectors) -> Vectors:
        """See `Spatial`."""
        return vectors

    def radius(self, distance: float) -> float:
        """See `Spatial`."""
        return distance
