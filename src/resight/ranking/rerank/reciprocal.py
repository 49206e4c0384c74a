"""k-reciprocal encoding: each image as a sparse vector over the images that it finds and that find it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resight.ranking.rerank.rows import in_parts

__all__ = ["SparseRows", "encode", "expand_queries", "inverted", "mutual"]

Part = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]


@dataclass(frozen=True, eq=False)
class SparseRows:
    """A sparse matrix of non-negative numbers, row by row.

    Attributes
    ----------
    starts : int64 array of shape (rows + 1,)
        Row i is entries ``starts[i]`` to ``starts[i + 1]``.
    columns : int32 array of shape (entries,)
    values : float32 array of shape (entries,)
    """

    starts: NDArray[np.int64]
    columns: NDArray[np.int32]
    values: NDArray[np.float32]

    def entries(self, rows: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Entries of some rows, one row after the other, and the row of each, counted from 0 among the given rows."""
        first = self.starts[rows]
        counts = self.starts[rows + 1] - first
        owner = np.repeat(np.arange(len(rows)), counts)
        return np.arange(len(owner)) + (first - np.cumsum(counts) + counts)[owner], owner


def mutual(neighbours: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Find the k-reciprocal neighbours: the image is among their own neighbours, too.

    Parameters
    ----------
    neighbours : int64 array of shape (n, k)
        The k nearest of each of n images.

    Returns
    -------
    bool array of shape (n, k)
    """
    images = np.arange(len(neighbours))[:, None]
    pairs = (images * len(neighbours) + np.sort(neighbours, axis=1)).ravel()
    reversed_pairs = neighbours * len(neighbours) + images
    places = np.searchsorted(pairs, reversed_pairs)
    found: NDArray[np.bool_] = pairs[np.minimum(places, len(pairs) - 1)] == reversed_pairs
    return found


def encode(
    neighbours: NDArray[np.int64], half: int, distances: Callable[[slice, NDArray[np.int64]], NDArray[np.float32]]
) -> SparseRows:
    """Encode each image by its k-reciprocal neighbours, and theirs, weighted by exp(-distance), with sum 1.

    Parameters
    ----------
    neighbours : int64 array of shape (n, k)
        The k nearest of each of n images, itself first: so it is its own reciprocal neighbour.
    half : int
        Most neighbours that a neighbour may bring along. Its own reciprocal ones among these join if more than two thirds of
        them are reciprocal neighbours of the image already.
    distances : callable
        Function of a slice of rows and an array of column numbers, to distances of shape (rows, columns).

    Returns
    -------
    SparseRows
        n rows, in the n images.
    """
    images = len(neighbours)
    few = neighbours[:, :half]
    reciprocal, brings = mutual(neighbours), mutual(few)
    brought = brings.sum(axis=1)

    def part(rows: slice) -> Part:
        row, place = np.nonzero(reciprocal[rows])
        friend = neighbours[rows][row, place]
        members = np.zeros((rows.stop - rows.start, images), bool)
        members[row, friend] = True
        shared = members[row[:, None], few[friend]] & brings[friend]
        joins = 3 * shared.sum(axis=1) > 2 * brought[friend]
        row, friend = row[joins], friend[joins]
        host, place = np.nonzero(brings[friend])
        members[row[host], few[friend[host], place]] = True
        row, column = np.divmod(np.flatnonzero(members), images)
        columns, which = np.unique(column, return_inverse=True)
        weights = np.exp(-distances(rows, columns)[row, which])
        weights /= np.bincount(row, weights)[row]
        return np.bincount(row), column, weights

    return _joined(in_parts(part, 0, images, images))


def expand_queries(encoding: SparseRows, neighbours: NDArray[np.int64]) -> SparseRows:
    """Local query expansion: each image's encoding becomes the mean of those of its nearest images.

    Parameters
    ----------
    encoding : SparseRows
        n rows, in n columns.
    neighbours : int64 array of shape (n, k)
        Images to average.

    Returns
    -------
    SparseRows
    """
    images, k = neighbours.shape

    def part(rows: slice) -> Part:
        total = np.zeros((rows.stop - rows.start, images), np.float32)
        for nearest in neighbours[rows].T:
            entries, row = encoding.entries(nearest)
            total[row, encoding.columns[entries]] += encoding.values[entries]
        found = np.flatnonzero(total != 0)
        row, column = np.divmod(found, images)
        return np.bincount(row), column, total.reshape(-1)[found] / k

    return _joined(in_parts(part, 0, images, images))


def _joined(parts: list[Part]) -> SparseRows:
    """Join parts: entries in each row, their columns, their values."""
    counts, columns, values = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return SparseRows(np.concatenate([[0], np.cumsum(counts)]), columns.astype(np.int32), values.astype(np.float32))


def inverted(encoding: SparseRows, first: int) -> SparseRows:
    """Transpose of the rows from `first` on, which are numbered 0, 1, ... in it: the images that each image encodes."""
    images = len(encoding.starts) - 1
    entries, owner = encoding.entries(np.arange(first, images))
    columns = encoding.columns[entries]
    order = np.argsort(columns, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(columns, minlength=images))])
    return SparseRows(starts, owner[order].astype(np.int32), encoding.values[entries][order])
