"""The form of a distance: exact, fast, and the margin between the two."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from resight.distances.vectors import both_embeddings

__all__ = ["UNIT", "Distance", "DistanceFunction", "Spatial", "rounding"]

UNIT = 2.0**-24
"""Relative rounding error of float32."""

_TINY = 2.0**-126  # least normal float32; smaller numbers lose digits

DistanceFunction = Callable[[NDArray[Any], NDArray[Any]], NDArray[Any]]
"""A function of (q, d) and (g, d) arrays that returns distances (q, g), such as that of a fitted XQDA."""

Vectors = NDArray[np.float32]
Gaps = NDArray[np.float64]
Number = TypeVar("Number", float, NDArray[np.float64])


class Distance(ABC):
    """Measure of how far apart two vectors are; smaller is more alike.

    Two forms compare a query with a gallery. The exact one, in float64, decides. The fast one, in float32, shows which few rows
    the exact one must look at. Both give gaps: numbers that grow with the distance, such as its square. For every row,
    abs(fast gap + the query's share - exact gap) <= margin.

    Attributes
    ----------
    sql : str or None
        Distance of the column ``embedding`` to the parameter ``%s::vector`` in SQL with pgvector. None if SQL cannot express it;
        PostgreSQL then refuses the distance.
    """

    sql: str | None = None

    @abstractmethod
    def exact(self, query: Vectors, gallery: Vectors) -> Gaps:
        """Exact gaps, (n,), between a query (d,) and some rows (n, d). Equal rows get equal gaps."""

    def from_gaps(self, gaps: Gaps) -> Gaps:
        """Distances from exact gaps, in the same order."""
        return gaps

    @abstractmethod
    def fast(self, queries: Vectors, gallery: Vectors, squares: NDArray[np.float64], out: Vectors) -> None:
        """Write the fast gaps of (q, d) and (g, d) vectors, less the queries' shares, to `out` (q, g).

        `squares` are the squared norms of the gallery, (g,).
        """

    def share(self, squares: NDArray[np.float64]) -> Gaps:
        """Number that each query adds to all its fast gaps, (q,), from the queries' squared norms."""
        return np.zeros(len(squares))

    @abstractmethod
    def margin(self, squares: NDArray[np.float64], largest: float, dimensions: int) -> Gaps:
        """Largest difference between the two forms for each query, (q,).

        `squares` are the squared norms of the queries, (q,), and `largest` is the largest one of the gallery.
        """

    def between(self, queries: ArrayLike, gallery: ArrayLike) -> Vectors:
        """Exact distances, float32 (q, g), of all pairs of (q, d) and (g, d) arrays.

        Raises `ArrayError` if the shapes do not fit, or a number is NaN, infinite or beyond 1e16.
        """
        query, images = both_embeddings(queries, gallery)
        result = np.empty((len(query), len(images)), np.float32)
        for row, vector in enumerate(query):
            result[row] = self.from_gaps(self.exact(vector, images))
        return result

    def sql_margin(self, distance: float, dimensions: int) -> float:
        """Largest rounding error, with room to spare, when a server computes a distance in float32."""
        return 2 * rounding(dimensions, distance)


class Spatial(Distance):
    """A distance that grows with the Euclidean distance of points, to which it maps the vectors.

    Re-ranking and a gallery's search have quick ways for points.

    Attributes
    ----------
    lost : float
        Squared Euclidean distance that stands for the distance of a vector without a point to anything. It is at least the squared
        distance of any point to what `points` gives in its place.
    """

    lost: float = np.inf

    @abstractmethod
    def points(self, vectors: Vectors) -> Vectors:
        """Vectors, float32 (n, d), to points, float32 (n, d)."""

    @abstractmethod
    def radius(self, distance: float) -> float:
        """Euclidean distance between the points of two vectors at a distance."""

    def without_point(self, vectors: Vectors) -> NDArray[np.bool_] | None:
        """True for each vector without a point, (n,); None if all have one."""
        return None


def rounding(dimensions: int, size: Number) -> Number:
    """Largest rounding error, with room to spare, of a float32 sum of `dimensions` products whose sizes add up to `size`."""
    return 2 * (dimensions + 8) * (UNIT * size + _TINY)
