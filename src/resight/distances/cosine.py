"""Cosine distance."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from resight.distances.distance import Spatial, rounding
from resight.distances.vectors import both_embeddings, inverse_norms, row_blocks, squared_norms

__all__ = ["Cosine"]

Vectors = NDArray[np.float32]
Gaps = NDArray[np.float64]


class Cosine(Spatial):
    """One minus the cosine of the angle between vectors, in [0, 2]; the lengths of the vectors do not matter.

    A zero vector has no direction and is at distance 1 from everything.

    Examples
    --------
    >>> Cosine().between([[2, 0]], [[1, 0], [0, 7], [-3, 0], [0, 0]]).tolist()
    [[0.0, 1.0, 2.0, 1.0]]
    """

    sql = "coalesce(nullif(embedding <=> %s::vector, 'NaN'), 1)"
    lost = 2.0  # unit vectors at a right angle

    def exact(self, query: Vectors, gallery: Vectors) -> Gaps:
        """See `Distance`. Half the squared distance of unit vectors."""
        inverses = inverse_norms(squared_norms(gallery))
        inverse = inverse_norms(squared_norms(query[None]))
        difference = _unit(gallery, inverses).astype(np.float64) - _unit(query[None], inverse)
        gaps = squared_norms(difference) / 2
        gaps[(inverses == 0) | (inverse == 0)] = 1
        return gaps

    def fast(self, queries: Vectors, gallery: Vectors, squares: NDArray[np.float64], out: Vectors) -> None:
        """See `Distance`. The negative cosine; scaling the product instead of the gallery copies less."""
        np.matmul(queries * -inverse_norms(squared_norms(queries)).astype(np.float32)[:, None], gallery.T, out=out)
        out *= inverse_norms(squares).astype(np.float32)

    def share(self, squares: NDArray[np.float64]) -> Gaps:
        """See `Distance`."""
        return np.ones(len(squares))

    def margin(self, squares: NDArray[np.float64], largest: float, dimensions: int) -> Gaps:
        """See `Distance`."""
        return np.full(len(squares), rounding(dimensions, 1.0))

    def between(self, queries: ArrayLike, gallery: ArrayLike) -> Vectors:
        """See `Distance`."""
        query, images = both_embeddings(queries, gallery)
        result = np.empty((len(query), len(images)), np.float32)
        for columns in row_blocks(len(images)):
            several = images[columns] * inverse_norms(squared_norms(images[columns]))[:, None]
            for rows in row_blocks(len(query)):
                some = query[rows] * inverse_norms(squared_norms(query[rows]))[:, None]
                distances = 1 - some @ several.T
                result[rows, columns] = np.clip(distances, 0, 2, out=distances)
        return result

    def sql_margin(self, distance: float, dimensions: int) -> float:
        """See `Distance`. The server subtracts from 1."""
        return 2 * rounding(dimensions, 1 + distance)

    def points(self, vectors: Vectors) -> Vectors:
        """See `Spatial`. Vectors of length 1."""
        return _unit(vectors, inverse_norms(squared_norms(vectors)))

    def radius(self, distance: float) -> float:
        """See `Spatial`."""
        return math.sqrt(2 * distance)

    def without_point(self, vectors: Vectors) -> NDArray[np.bool_]:
        """See `Spatial`. Zero vectors."""
        lost: NDArray[np.bool_] = inverse_norms(squared_norms(vectors)) == 0
        return lost


def _unit(vectors: Vectors, inverses: NDArray[np.float64]) -> Vectors:
    return (vectors * inverses[:, None]).astype(np.float32)
