"""Exact assignment of rows to columns at the least total cost, without SciPy."""

from __future__ import annotations

from math import inf

import numpy as np
from numpy.typing import ArrayLike, NDArray

from resight.errors import ArrayError

__all__ = ["assign"]

Indices = NDArray[np.int64]


def assign(costs: ArrayLike) -> tuple[Indices, Indices]:
    """Pair rows with columns, each at most once, so that the sum of the costs is the smallest.

    The shorter side is paired completely. Equal costs always give the same pairs.

    Parameters
    ----------
    costs : float array of shape (n, m)
        Finite. Give a forbidden pair a cost above all others, and leave it out afterwards.

    Returns
    -------
    tuple of two int64 arrays of shape (min(n, m),)
        Rows, ascending, and the column of each.

    Raises
    ------
    ArrayError
        If `costs` is not a matrix, or holds NaN or infinity.

    Notes
    -----
    Shortest augmenting paths with dual prices: Jonker and Volgenant 1987, in the form of Crouse 2016 ("On implementing 2D
    rectangular assignment algorithms").
    """
    matrix = np.asarray(costs, np.float64)
    if matrix.ndim != 2:
        raise ArrayError(f"costs have shape {matrix.shape}; expected (rows, columns)")
    if not np.isfinite(matrix).all():
        raise ArrayError("costs hold NaN or infinity; give forbidden pairs a large finite cost")
    if matrix.shape[0] > matrix.shape[1]:
        columns, rows = assign(matrix.T)
        order = np.argsort(rows)
        return rows[order], columns[order]
    paired = [-1] * matrix.shape[1]  # row of each column
    row_prices, column_prices = [0.0] * matrix.shape[0], [0.0] * matrix.shape[1]
    costs_of = matrix.tolist()
    for row in range(len(costs_of)):
        column, before = _shortest_path(costs_of, row, paired, row_prices, column_prices)
        while column >= 0:  # turn the pairs along the path
            paired[column], column = before[column][0], before[column][1]
    columns = np.empty(len(costs_of), np.int64)
    for column, row in enumerate(paired):
        if row >= 0:
            columns[row] = column
    return np.arange(len(costs_of)), columns


def _shortest_path(
    costs: list[list[float]], start: int, paired: list[int], row_prices: list[float], column_prices: list[float]
) -> tuple[int, list[tuple[int, int]]]:
    """The cheapest way from an unpaired row to an unpaired column. Changes the prices.

    Returns that column, and for each column the row before it and the column before that, -1 at the start. Lists, because
    matrices of one frame are small, and NumPy takes ten times as long for them.
    """
    lengths = [inf] * len(paired)
    before = [(-1, -1)] * len(paired)
    unvisited = list(range(len(paired)))
    visited: list[int] = []
    length, row, column = 0.0, start, -1
    while True:
        of_row, least, nearest = costs[row], inf, -1
        reduced = length - row_prices[row]
        for other in unvisited:
            through = reduced + of_row[other] - column_prices[other]
            if through < lengths[other]:
                lengths[other] = through
                before[other] = (row, column)
            if lengths[other] < least or (lengths[other] == least and paired[other] < 0 <= paired[nearest]):
                least, nearest = lengths[other], other
        length, column = least, nearest
        if paired[column] < 0:
            break
        unvisited.remove(column)
        visited.append(column)
        row = paired[column]
    row_prices[start] += length
    for other in visited:
        row_prices[paired[other]] += length - lengths[other]
        column_prices[other] -= length - lengths[other]
    return column, before
