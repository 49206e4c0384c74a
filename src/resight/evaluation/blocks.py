"""Distances between embeddings a block at a time, for rankings that never hold the whole matrix."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resight.distances.distance import Distance, DistanceFunction, Spatial
from resight.distances.euclidean import Euclidean
from resight.distances.vectors import squared_norms

__all__ = ["BLOCK_BYTES", "Block", "embedding_blocks", "function_blocks"]

Block = tuple[slice, NDArray[Any]]
"""Some queries, and their distances to the whole gallery."""

BLOCK_BYTES = 256 << 20
"""Default bound on the memory of a block; one query's distances may take more."""

_QUERIES = 512  # more at a time make the matrix product no faster
_CROWDED = 100  # squared distance of the mean from zero, in variances: three digits of seven are left
_CHUNK = 16384  # gallery rows that are multiplied, and copied if they are not consecutive, at a time


def embedding_blocks(
    queries: NDArray[np.float32],
    gallery: NDArray[np.float32],
    kept: NDArray[np.int64],
    distance: Distance,
    block_bytes: int = BLOCK_BYTES,
) -> Iterator[Block]:
    """Fast gaps, which order the gallery as the distance does.

    They leave out what is the same for the whole gallery, and so round less, and make fewer false ties, than the distance itself.

    The last digits of a matrix product depend on an image's place in the matrix. Images with equal embeddings are given equal
    gaps here, so that they tie wherever they stand.

    Parameters
    ----------
    queries : float32 array of shape (queries, d)
    gallery : float32 array of shape (gallery, d)
    kept : int64 array of shape (n,)
        Rows of the gallery to rank, in increasing order; they are the columns of the blocks.
    distance : Distance
    block_bytes : int
        Bound on a block that holds more than one query.

    Yields
    ------
    slice, float32 array of shape (rows, n)
        See `Block`; the array is valid until the next block is asked for.
    """
    queries, gallery, distance = _spread_out(queries, gallery, distance)
    squares = np.concatenate([np.empty(0), *(squared_norms(gallery[rows]) for rows in _chunks(kept))])
    copies, originals = _equal_columns(gallery, kept, squares)
    memory = np.empty((_height(block_bytes // 4, len(kept), len(queries)), len(kept)), np.float32)
    for rows in _slices(len(queries), len(memory)):
        block = memory[: len(queries[rows])]
        for chunk, columns in zip(_chunks(kept), _slices(len(kept), _CHUNK), strict=True):
            distance.fast(queries[rows], gallery[chunk], squares[columns], block[:, columns])
        if len(copies):
            block[:, copies] = block[:, originals]
        yield rows, block


def function_blocks(
    queries: NDArray[np.float32], gallery: NDArray[np.float32], distance: DistanceFunction, block_bytes: int = BLOCK_BYTES
) -> Iterator[Block]:
    """Distances by any function, for some queries and the whole gallery at a time; see `embedding_blocks`."""
    for rows in _slices(len(queries), _height(block_bytes // 8, len(gallery), len(queries))):
        yield rows, np.asarray(distance(queries[rows], gallery))


def _spread_out(
    queries: NDArray[np.float32], gallery: NDArray[np.float32], distance: Distance
) -> tuple[NDArray[np.float32], NDArray[np.float32], Distance]:
    """The same order from vectors around zero, if they crowd far from it, where float32 would lose what tells them apart."""
    if not (isinstance(distance, Spatial) and len(gallery)):
        return queries, gallery, distance
    some = distance.points(gallery[:: max(1, len(gallery) // 1000)]).astype(np.float64)
    centre = some.mean(0)
    if centre @ centre <= _CROWDED * np.mean(squared_norms(some - centre)):
        return queries, gallery, distance
    lost = [distance.without_point(vectors) for vectors in (queries, gallery)]
    if any(places is not None and places.any() for places in lost):
        return queries, gallery, distance
    return *((distance.points(vectors) - centre).astype(np.float32) for vectors in (queries, gallery)), Euclidean()


def _equal_columns(
    gallery: NDArray[np.float32], kept: NDArray[np.int64], squares: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Columns whose embedding also stands in an earlier column, and the first such column of each."""
    # Equal vectors have equal norms: look only at columns that share theirs, usually none.
    _, group, sizes = np.unique(squares, return_inverse=True, return_counts=True)
    first: dict[bytes, int] = {}
    pairs = []
    for column in np.flatnonzero(sizes[group] > 1).tolist():
        original = first.setdefault(hashlib.sha256(gallery[kept[column]].tobytes()).digest(), column)
        if original != column:
            pairs.append((column, original))
    copies, originals = np.array(pairs, np.int64).reshape(-1, 2).T
    return copies, originals


def _height(numbers: int, width: int, at_most: int) -> int:
    """Rows of `width` in a block of so many numbers; at least one."""
    return max(1, min(at_most, _QUERIES, numbers // max(1, width)))


def _slices(length: int, step: int) -> Iterator[slice]:
    return (slice(first, min(first + step, length)) for first in range(0, length, step))


def _chunks(kept: NDArray[np.int64]) -> Iterator[slice | NDArray[np.int64]]:
    """The kept rows some thousands at a time; as a slice, which copies nothing, if they follow each other."""
    for columns in _slices(len(kept), _CHUNK):
        chunk = kept[columns]
        first, last = int(chunk[0]), int(chunk[-1])
        yield slice(first, last + 1) if last - first + 1 == len(chunk) else chunk
