"""Distances between embeddings a block at a time, for rankings that never hold the whole matrix."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from resight.distances.euclidean import inverse_norms, squared_norms

__all__ = ["BLOCK_BYTES", "Block", "Distance", "embedding_blocks", "function_blocks"]

Block = tuple[slice, NDArray[Any]]
"""Which queries, and their distances to the whole gallery."""

Distance = Callable[[NDArray[Any], NDArray[Any]], NDArray[Any]]
"""A function of (q, d) and (g, d) arrays that returns distances of shape (q, g), such as a fitted XQDA's."""

BLOCK_BYTES = 256 << 20
"""How much memory a block takes at most, unless told otherwise, or one query's distances if that is more."""

_QUERIES = 512  # more at a time make the matrix product no faster
_CHUNK = 16384  # gallery rows that are multiplied, and copied if they are not consecutive, at a time


def embedding_blocks(
    queries: NDArray[np.float32],
    gallery: NDArray[np.float32],
    kept: NDArray[np.int64],
    distance: Literal["euclidean", "cosine"],
    block_bytes: int = BLOCK_BYTES,
) -> Iterator[Block]:
    """What orders the gallery as the distance does, without its last rounding steps.

    That is the squared distance less the square of the query's norm, or the cosine, negative. Float32 throughout: leaving out
    the query's norm, the square root and the clipping rounds less, and so makes fewer false ties, than the distance itself.

    The last digits of a matrix product depend on where in the matrix an image stands. Images with equal embeddings are given
    equal distances here, so that they tie, as they must, wherever they stand.

    Parameters
    ----------
    queries : float32 array of shape (queries, d)
    gallery : float32 array of shape (gallery, d)
    kept : int64 array of shape (n,)
        Which rows of the gallery are ranked, in increasing order; they are the columns of the blocks.
    distance : "euclidean" or "cosine"
    block_bytes : int
        Bound on the block, but for one query.

    Yields
    ------
    slice, float32 array of shape (rows, n)
        See `Block`; the array is valid until the next block is asked for.
    """
    squares = np.concatenate([np.empty(0), *(squared_norms(gallery[rows]) for rows in _chunks(kept))])
    copies, originals = _equal_columns(gallery, kept, squares)
    if distance == "euclidean":
        factors, offset = -2 * queries, squares.astype(np.float32)
    else:
        factors = queries * -inverse_norms(squared_norms(queries)).astype(np.float32)[:, None]
        scale = inverse_norms(squares).astype(np.float32)
    memory = np.empty((_height(block_bytes // 4, len(kept), len(queries)), len(kept)), np.float32)
    for rows in _slices(len(queries), len(memory)):
        block = memory[: len(factors[rows])]
        for chunk, columns in zip(_chunks(kept), _slices(len(kept), _CHUNK), strict=True):
            np.matmul(factors[rows], gallery[chunk].T, out=block[:, columns])
        if distance == "euclidean":
            block += offset
        else:
            block *= scale
        if len(copies):
            block[:, copies] = block[:, originals]
        yield rows, block


def function_blocks(
    queries: NDArray[np.float32], gallery: NDArray[np.float32], distance: Distance, block_bytes: int = BLOCK_BYTES
) -> Iterator[Block]:
    """Distances by any function, for some queries and the whole gallery at a time; see `embedding_blocks`."""
    for rows in _slices(len(queries), _height(block_bytes // 8, len(gallery), len(queries))):
        yield rows, np.asarray(distance(queries[rows], gallery))


def _equal_columns(
    gallery: NDArray[np.float32], kept: NDArray[np.int64], squares: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Columns whose embedding stands in an earlier column too, and the first such column of each."""
    # Equal vectors have equal norms: only columns that share theirs, usually none, are looked at.
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
    """How many rows of `width` a block of so many numbers has: at least one."""
    return max(1, min(at_most, _QUERIES, numbers // max(1, width)))


def _slices(length: int, step: int) -> Iterator[slice]:
    return (slice(first, min(first + step, length)) for first in range(0, length, step))


def _chunks(kept: NDArray[np.int64]) -> Iterator[slice | NDArray[np.int64]]:
    """The kept rows some thousands at a time; as a slice, which copies nothing, where they follow each other."""
    for columns in _slices(len(kept), _CHUNK):
        chunk = kept[columns]
        first, last = int(chunk[0]), int(chunk[-1])
        yield slice(first, last + 1) if last - first + 1 == len(chunk) else chunk
