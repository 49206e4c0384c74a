"""The k nearest images of a gallery, for galleries of any size."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from resight.distances import DISTANCES
from resight.distances.euclidean import both_embeddings, inverse_norms, squared_norms
from resight.errors import ArrayError, ConfigurationError

__all__ = ["nearest"]

_QUERIES = 512  # at a time
_UNIT = 2.0**-24  # what float32 rounds to, of a number
_TINY = 2.0**-126  # what it rounds to at the least


def nearest(
    queries: ArrayLike, gallery: ArrayLike, k: int, distance: str = "euclidean", block: int = 16384
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Find the k nearest gallery images of each query.

    A float32 matrix product finds the candidates, with a margin for all that it may round; their distances are then computed in
    float64, pair by pair. So the result is exact, and the same whatever `block` is.

    Parameters
    ----------
    queries : array of shape (q, d)
    gallery : array of shape (g, d)
    k : int
        From 1 to g.
    distance : str
        A key of `resight.distances.DISTANCES`.
    block : int
        Gallery images at a time; memory grows with it, not with the gallery.

    Returns
    -------
    int64 array of shape (q, k)
        Gallery rows, nearest first; of equally near ones the lower row first.
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
    if distance not in DISTANCES:
        raise ConfigurationError(f"distance {distance!r} is unknown; expected {', '.join(DISTANCES)}")
    if block < 1:
        raise ConfigurationError(f"block is {block}; expected at least 1")
    if not 1 <= k <= len(images):
        raise ArrayError(f"k is {k} in a gallery of {len(images)} images; expected 1 to {len(images)}")
    rows = np.empty((len(query), k), np.int64)
    values = np.empty((len(query), k), np.float64)
    for start in range(0, len(query), _QUERIES):
        part = slice(start, start + _QUERIES)
        _search(query[part], images, distance == "cosine", block, rows[part], values[part])
    return rows, (values / 2 if distance == "cosine" else np.sqrt(values)).astype(np.float32)


def _search(
    query: NDArray[np.float32],
    images: NDArray[np.float32],
    cosine: bool,
    block: int,
    rows: NDArray[np.int64],
    values: NDArray[np.float64],
) -> None:
    """Fill in the nearest rows and squared distances for some queries; for cosine those of unit vectors, twice its value."""
    k, dimensions = rows.shape[1], query.shape[1]
    vectors, squares = _vectors(query, cosine)
    values[:] = np.inf
    for first in range(0, len(images), block):
        several, several_squares = _vectors(images[first : first + block], cosine)
        # The squared distance less the query's share, which is the same for the whole gallery.
        rough = -2 * vectors @ several.T
        rough += several_squares.astype(np.float32)
        # Twice what may be rounded away: d products of two lengths, their sum with the square, and what is below float32.
        longest = np.sqrt(several_squares.max())
        margin = 4 * (dimensions + 8) * (_UNIT * longest * (np.sqrt(squares) + longest) + _TINY)
        bound = values[:, -1] - squares
        if k < len(several):
            bound = np.minimum(bound, np.partition(rough, k - 1, axis=1)[:, k - 1])
        for row in np.flatnonzero(rough.min(axis=1) <= bound + margin):
            found = np.flatnonzero(rough[row] <= bound[row] + margin[row])
            exact = squared_norms(several[found].astype(np.float64) - vectors[row])
            if cosine:
                exact[~(several[found].any(axis=1) & vectors[row].any())] = 2
            # Rows that were found before are lower; a stable sort keeps them before equally near ones.
            candidates = np.concatenate([rows[row], found + first])
            distances = np.concatenate([values[row], exact])
            order = np.argsort(distances, kind="stable")[:k]
            rows[row], values[row] = candidates[order], distances[order]


def _vectors(embeddings: NDArray[np.float32], cosine: bool) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """The vectors that are compared, and their squared norms."""
    squares = squared_norms(embeddings)
    if not cosine:
        return embeddings, squares
    directions = (embeddings * inverse_norms(squares)[:, None]).astype(np.float32)
    # A vector without direction has cosine 0, the distance of unit vectors at a right angle.
    return directions, np.where(squares > 0, squared_norms(directions), 1.0)
