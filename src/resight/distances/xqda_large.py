"""XQDA's subspace for problems too large for a dense decomposition; see `resight.distances.xqda`.

With fewer samples than dimensions, everything happens in the span of the samples: a direction is X'a, and K = XX' suffices.
With L_I and L_E the Laplacians of the pairs, L_I = C C' sparse, and S_I = X' L_I X / Ni + lambda I, Woodbury gives
inv(S_I) X'b = X' [b - C inv(lambda Ni I + C'KC) C'K b] / lambda, and S_E X'b = X' L_E K b / Ne.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse
from numpy.typing import NDArray

from resight.distances.krylov import leading_eigenpairs
from resight.distances.pairs import CrossCameraPairs
from resight.errors import ArrayError
from resight.progress import Progress

__all__ = ["dual_subspace", "primal_subspace", "singular"]

_PEOPLE = 48  # people whose rows of C'KC are computed at a time
_PRECISION = 1e-6  # largest accepted relative rounding error of an eigenvalue

Matrix = NDArray[np.float64]


def dual_subspace(
    products: Matrix, pairs: CrossCameraPairs, regularisation: float, dimensions: int | None, progress: Progress
) -> tuple[Matrix, Matrix]:
    """Leading spectrum (> 1, at least one), and the coefficients a of its directions X'a.

    Parameters
    ----------
    products : float64 array of shape (n, n)
        K, the inner products of all samples about their mean.
    pairs : CrossCameraPairs
    regularisation : float
        lambda, above 0.
    dimensions : int, optional
        Most directions.
    progress : Progress

    Returns
    -------
    spectrum : float64 array of shape (k,)
        Descending.
    coefficients : float64 array of shape (n, k)

    Raises
    ------
    ArrayError
        If lambda is 0, because S_I would be singular; if all features are equal; or if the features are so large beside lambda
        that rounding errors would reach the result.
    """
    if regularisation <= 0:
        raise singular("within", regularisation)
    n = len(products)
    factor, c = _woodbury(products, pairs, regularisation, progress)

    def correction(k_b: Matrix) -> Matrix:
        """C inv(lambda Ni I + C'KC) C' times K b."""
        solved: Matrix = c @ scipy.linalg.cho_solve(factor, c.T @ k_b, overwrite_b=True, check_finite=False)
        return solved

    def times_products(b: Matrix) -> Matrix:
        """K b as (b'K)', K being symmetric: a matrix product is faster with its few rows on the left."""
        return np.ascontiguousarray((np.ascontiguousarray(b.T) @ products).T)

    scale = 1 / (regularisation * pairs.different)

    # C'K and the inner products of the result can be had without its product with K, but lose too many digits.
    def operator(x: Matrix) -> Matrix:
        """A A' for A = inv(S_I) S_E; vectors are (a, Ka)."""
        b = x[:n] - correction(x[n:])
        b = pairs.apply_different(times_products(pairs.apply_different(times_products(b))))
        b -= correction(times_products(b))
        b *= scale**2
        return with_images(b)

    def with_images(a: Matrix) -> Matrix:
        return np.concatenate([a, times_products(a)])

    values, vectors = leading_eigenpairs(operator, with_images, n, count=dimensions, above=1.0, progress=progress)
    # Woodbury subtracts numbers that are about K / lambda times as large as the result.
    if values[0] * products.diagonal().max() / regularisation * np.finfo(np.float64).eps > _PRECISION:
        raise ArrayError(
            f"the features are too large for a regularisation of {regularisation}: rounding errors would reach the result; "
            "scale them to unit length, or give a larger regularisation"
        )
    return np.sqrt(values), vectors[:n]


def _woodbury(products: Matrix, pairs: CrossCameraPairs, regularisation: float, progress: Progress) -> tuple[Any, Any]:
    """Cholesky factor of lambda Ni I + C'KC, and C as a sparse matrix."""
    blocks = pairs.same_factor()
    starts = np.concatenate([[0], np.cumsum([block.shape[1] for _, block in blocks])])
    width = int(starts[-1])
    inner = np.empty((width, width))
    for first in range(0, len(blocks), _PEOPLE):
        chunk = blocks[first : first + _PEOPLE]
        half = np.concatenate([block.T @ products[rows] for rows, block in chunk])  # rows of C'K
        here = slice(starts[first], starts[first + len(chunk)])
        for k in range(first + len(chunk)):  # the lower triangle suffices
            rows, block = blocks[k]
            span = slice(rows[0], rows[-1] + 1) if rows[-1] - rows[0] + 1 == len(rows) else rows  # a slice is not copied
            inner[here, starts[k] : starts[k + 1]] = half[:, span] @ block
        progress("within-person covariance", first + len(chunk), 2 * len(blocks))
    inner[np.diag_indices_from(inner)] += regularisation * pairs.same
    # Transposed, the lower triangle is the upper one in column order, which LAPACK factorises in place.
    factor = scipy.linalg.cho_factor(inner.T, lower=False, overwrite_a=True, check_finite=False)
    progress("within-person covariance", 2 * len(blocks), 2 * len(blocks))
    rows = np.concatenate([np.repeat(rows, block.shape[1]) for rows, block in blocks])
    columns = np.concatenate(
        [np.tile(np.arange(start, start + block.shape[1]), len(block)) for start, (_, block) in zip(starts, blocks, strict=False)]
    )
    values = np.concatenate([block.ravel() for _, block in blocks])
    return factor, scipy.sparse.csr_array((values, (rows, columns)), shape=(len(products), width))


def primal_subspace(
    within: Matrix, between: Matrix, regularisation: float, dimensions: int | None, progress: Progress
) -> tuple[Matrix, Matrix]:
    """Leading spectrum (> 1, at least one) and directions, from the covariances themselves.

    Parameters
    ----------
    within, between : float64 array of shape (d, d)
        S_I, regularised, and S_E.
    regularisation : float
        Lambda, for the error message.
    dimensions : int, optional
        Most directions.
    progress : Progress

    Returns
    -------
    spectrum : float64 array of shape (k,)
        Descending.
    directions : float64 array of shape (d, k)

    Raises
    ------
    ArrayError
        If S_I is singular.
    """
    try:
        factor = scipy.linalg.cho_factor(within, check_finite=False)
    except np.linalg.LinAlgError as error:
        raise singular("within", regularisation) from error

    def operator(x: Matrix) -> Matrix:
        x = between @ (between @ scipy.linalg.cho_solve(factor, x, check_finite=False))
        return scipy.linalg.cho_solve(factor, x, check_finite=False)

    values, vectors = leading_eigenpairs(operator, lambda x: x, len(within), count=dimensions, above=1.0, progress=progress)
    return np.sqrt(values), vectors


def singular(name: str, regularisation: float) -> ArrayError:
    """Error for a singular covariance, ``"within"`` or ``"between"``."""
    if name == "within":
        return ArrayError(
            f"the covariance of one person's pairs is singular with a regularisation of {regularisation}; give a larger one, "
            "such as 0.001, or fewer dimensions (PCA)"
        )
    return ArrayError(
        "the covariance of two people's pairs is singular in the subspace: the features hardly differ between people; drop "
        "constant ones, or ask for fewer dimensions"
    )
