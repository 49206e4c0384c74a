"""The k nearest images of a gallery, for galleries of any size."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from resight.distances import distance_named
from resight.distances.distance import Distance
from resight.distances.vectors import both_embeddings, squared_norms
from resight.errors import ArrayError, ConfigurationError

__all__ = ["nearest"]

_QUERIES = 512  # at a time


def nearest(
    queries: ArrayLike, gallery: ArrayLike, k: int, distance: str | Distance = "euclidean", block: int = 16384
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Find the k nearest gallery images of each query.

    The distance's fast form finds candidates, with a margin for all that it may round; its exact form decides between them. So
    the result is exact, and the same for every `block`.

    Parameters
    ----------
    queries : array of shape (q, d)
    gallery : array of shape (g, d)
    k : int
        From 1 to g.
    distance : str or Distance
        A key of `resight.distances.DISTANCES`, or a distance.
    block : int
        Gallery images at a time; memory grows with this number, not with the gallery.

    Returns
    -------
    int64 array of shape (q, k)
        Gallery rows, nearest first, and the lower row of equally near ones first.
    float32 array of shape (q, k)
        Their distances.

    Raises
    ------
    ArrayError
        If the shapes do not fit, a number is NaN, infinite or beyond 1e16, or there are fewer than k images.
    ConfigurationError
        If `distance` is unknown, or `block` is less than 1.

    Examples
    --------
    >>> rows, distances = nearest([[0, 0]], [[0, 9], [3, 4], [0, 5], [7, 0]], k=2)
    >>> rows.tolist(), distances.tolist()
    ([[1, 2]], [[5.0, 5.0]])
    """
    query, images = both_embeddings(queries, gallery)
    measure = distance_named(distance)
    if block < 1:
        raise ConfigurationError(f"block is {block}; expected at least 1")
    if not 1 <= k <= len(images):
        raise ArrayError(f"k is {k} in a gallery of {len(images)} images; expected 1 to {len(images)}")
    rows = np.empty((len(query), k), np.int64)
    gaps = np.empty((len(query), k), np.float64)
    for start in range(0, len(query), _QUERIES):
        part = slice(start, start + _QUERIES)
        _search(measure, query[part], images, block, rows[part], gaps[part])
    return rows, measure.from_gaps(gaps).astype(np.float32)


def _search(
    distance: Distance,
    query: NDArray[np.float32],
    images: NDArray[np.float32],
    block: int,
    rows: NDArray[np.int64],
    gaps: NDArray[np.float64],
) -> None:
    """Fill in the nearest rows and their exact gaps for some queries."""
    k, dimensions = rows.shape[1], query.shape[1]
    squares = squared_norms(query)
    share = distance.share(squares)
    gaps[:] = np.inf
    for first in range(0, len(images), block):
        several = images[first : first + block]
        several_squares = squared_norms(several)
        rough = np.empty((len(query), len(several)), np.float32)
        distance.fast(query, several, several_squares, rough)
        # Once for the row that sets the bound, once for the row that is compared with it.
        margin = 2 * distance.margin(squares, float(several_squares.max()), dimensions)
        bound = gaps[:, -1] - share
        if k < len(several):
            bound = np.minimum(bound, np.partition(rough, k - 1, axis=1)[:, k - 1])
        for row in np.flatnonzero(rough.min(axis=1) <= bound + margin):
            found = np.flatnonzero(rough[row] <= bound[row] + margin[row])
            # Rows that were found before are lower; a stable sort keeps them before equally near ones.
            candidates = np.concatenate([rows[row], found + first])
            exact = np.concatenate([gaps[row], distance.exact(query[row], several[found])])
            order = np.argsort(exact, kind="stable")[:k]
            rows[row], gaps[row] = candidates[order], exact[order]
