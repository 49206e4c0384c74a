"""Checked features, and the matrix of all their inner products."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import scipy.sparse
from numba import njit
from numpy.typing import NDArray

from resight.compute import usable_cores
from resight.errors import ArrayError
from resight.progress import Progress, silent

__all__ = ["centred_gram", "checked_features", "combine", "project"]

_ROWS = 1024  # rows of a block: enough for a fast matrix product, few enough for a temporary result
_SPARSE = 0.1  # a column with a smaller fraction of entries is cheaper entry by entry than in a matrix product
_SPARSE_ROWS = 64

Matrix = NDArray[np.float64]


def checked_features(features: Any, name: str = "features", *, columns: int | None = None) -> NDArray[Any]:
    """Check features: a float32 or float64 matrix without NaN and infinity, not copied if they already are one.

    Parameters
    ----------
    features : array of shape (n, d)
    name : str
        Name in an error.
    columns : int, optional
        Expected d.

    Returns
    -------
    float32 or float64 array of shape (n, d)
        Other number types become float64.

    Raises
    ------
    ArrayError
        If they are not a matrix of numbers, are empty, have another width, or hold NaN or infinity.
    """
    array = np.asarray(features)
    if array.ndim != 2 or not array.size or array.dtype.kind not in "fiub":
        raise ArrayError(
            f"{name}: got {array.dtype} of shape {array.shape}; expected numbers of shape (samples, dimensions), not empty"
        )
    if columns is not None and array.shape[1] != columns:
        raise ArrayError(
            f"{name}: got {array.shape[1]} dimensions; expected the {columns} that were fitted: use the same extractor"
        )
    if array.dtype not in (np.float32, np.float64):
        array = array.astype(np.float64)
    for start in range(0, len(array), _ROWS):
        finite = np.isfinite(array[start : start + _ROWS]).all(axis=1)
        if not finite.all():
            raise ArrayError(f"{name}: row {start + int(np.argmin(finite))} holds NaN or infinity; drop it or extract it again")
    return array


def centred_gram(features: NDArray[Any], *, progress: Progress = silent) -> Matrix:
    """Inner products of all samples about their mean.

    Distances and covariances do not depend on the mean, but rounding errors do. Columns that are almost always zero, as most of
    LOMO's are, are multiplied entry by entry, the others in a matrix product.

    Parameters
    ----------
    features : float32 or float64 array of shape (n, d)
        float32 is summed in float32: for descriptors of about unit length the error is about 1e-7.
    progress : Progress

    Returns
    -------
    float64 array of shape (n, n)
        Exactly symmetric.
    """
    n, width = features.shape
    counts = np.zeros(width, np.int64)
    sums = np.zeros(width)
    for start in range(0, n, _ROWS):
        counts += np.count_nonzero(features[start : start + _ROWS], axis=0)
        sums += features[start : start + _ROWS].sum(axis=0, dtype=np.float64)
    sparse = counts <= _SPARSE * n
    # A step of the progress is a block of rows; each is one block longer than the last.
    steps = -(-n // _ROWS)
    total = steps * (steps + 1) // 2
    products = np.empty((n, n))
    dense = _centred_columns(features, np.flatnonzero(~sparse), sums / n)
    for step in range(steps):
        start, stop = step * _ROWS, min((step + 1) * _ROWS, n)
        products[start:stop, :stop] = dense[start:stop] @ dense[:stop].T
        progress("inner products", (step + 1) * (step + 2) // 2, total)
    del dense
    if sparse.any():
        _add_sparse(features, np.flatnonzero(sparse), products)
    for start in range(0, n, _ROWS):
        rows = slice(start, start + _ROWS)
        square = products[rows, rows]
        products[rows, rows] = np.tril(square) + np.tril(square, -1).T
        products[:start, rows] = products[rows, :start].T
    mean = products.mean(axis=0)
    mean -= mean.mean() / 2
    for start in range(0, n, _ROWS):
        products[start : start + _ROWS] -= mean[start : start + _ROWS, None] + mean
    return products


def _centred_columns(features: NDArray[Any], columns: NDArray[np.int64], means: NDArray[np.float64]) -> NDArray[Any]:
    """Some columns less their means: before their products round, while all columns lose what is left of theirs at the end."""
    out = np.empty((len(features), len(columns)), features.dtype)
    less = means[columns].astype(features.dtype)

    def take(start: int) -> None:
        rows = slice(start, start + _ROWS)
        np.take(features[rows], columns, axis=1, out=out[rows], mode="clip")  # another mode would fill a copy first
        out[rows] -= less

    with ThreadPoolExecutor(usable_cores()) as pool:
        list(pool.map(take, range(0, len(features), _ROWS)))
    return out


def _add_sparse(features: NDArray[Any], columns: NDArray[np.int64], products: Matrix) -> None:
    """Add the inner products over the given columns to the lower triangle of `products`."""
    parts = [scipy.sparse.csr_array(features[row : row + _ROWS, columns]) for row in range(0, len(features), _ROWS)]
    by_row = scipy.sparse.vstack(parts, format="csr")
    by_column = by_row.tocsc()
    by_column.sort_indices()
    arrays = [*(np.asarray(m.indptr, np.int64) for m in (by_row, by_column)), by_row.indices, by_column.indices]

    def add(start: int) -> None:
        stop = min(start + _SPARSE_ROWS, len(features))
        _multiply_rows(start, stop, *arrays, by_row.data, by_column.data, products)

    with ThreadPoolExecutor(usable_cores()) as pool:
        list(pool.map(add, range(0, len(features), _SPARSE_ROWS)))


_compiled: Any = njit(cache=True, nogil=True)


@_compiled
def _multiply_rows(  # type: ignore[no-untyped-def]
    start, stop, row_starts, column_starts, columns, rows, row_values, column_values, products
):
    """Rows of X X', lower triangle, for an X given by rows and by columns: absent entries cost nothing."""
    for i in range(start, stop):
        out = products[i]
        for k in range(row_starts[i], row_starts[i + 1]):
            value = np.float64(row_values[k])
            for entry in range(column_starts[columns[k]], column_starts[columns[k] + 1]):
                if rows[entry] > i:
                    break
                out[rows[entry]] += value * column_values[entry]


@_compiled
def _project_row(row, directions, out):  # type: ignore[no-untyped-def]
    """One row times a matrix. Skips zeros, which most numbers of a LOMO descriptor are."""
    for i in range(len(row)):
        if row[i] != 0:
            for k in range(len(out)):
                out[k] += row[i] * directions[i, k]


def combine(features: NDArray[Any], coefficients: Matrix) -> Matrix:
    """Linear combinations of the centred samples: ``features.T @ (coefficients - their mean)`` in float64, block by block.

    Parameters
    ----------
    features : array of shape (n, d)
    coefficients : float64 array of shape (n, k)

    Returns
    -------
    float64 array of shape (d, k)
    """
    coefficients = coefficients - coefficients.mean(axis=0)
    out = np.zeros((features.shape[1], coefficients.shape[1]))
    for start in range(0, len(features), _ROWS):
        out += features[start : start + _ROWS].astype(np.float64, copy=False).T @ coefficients[start : start + _ROWS]
    return out


def project(features: NDArray[Any], directions: Matrix) -> Matrix:
    """Compute ``features @ directions`` in float64, block by block, without a float64 copy of all features.

    Parameters
    ----------
    features : array of shape (n, d)
    directions : float64 array of shape (d, k)

    Returns
    -------
    float64 array of shape (n, k)
    """
    out = np.zeros((len(features), directions.shape[1]))
    if len(features) == 1:
        _project_row(np.ascontiguousarray(features[0]), np.ascontiguousarray(directions), out[0])
        return out
    for start in range(0, len(features), _ROWS):
        out[start : start + _ROWS] = features[start : start + _ROWS].astype(np.float64, copy=False) @ directions
    return out
