"""Leading eigenpairs of a large self-adjoint operator, given as a function of a block of vectors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from resight.errors import ArrayError
from resight.progress import Progress, silent

__all__ = ["leading_eigenpairs"]
_ORTHONORMAL = 1e-6  # largest error of an inner product of the basis
_NEW = 0.25  # a direction is new if a second projection leaves this much of its squared length

Matrix = NDArray[np.float64]


def leading_eigenpairs(
    operator: Callable[[Matrix], Matrix],
    start: Callable[[Matrix], Matrix],
    size: int,
    *,
    count: int | None = None,
    above: float = -np.inf,
    block: int = 32,
    largest: int = 4096,
    tolerance: float = 1e-7,
    seed: int = 0,
    progress: Progress = silent,
    stage: str = "subspace",
) -> tuple[Matrix, Matrix]:
    """Leading eigenpairs by a block Krylov subspace with full reorthogonalisation.

    A vector may travel with its images. The operator takes and returns arrays of shape (rows, b): their first `size` rows are
    the vectors x, their last `size` rows are J x, and the operator is self-adjoint in the inner product x'J y. With the usual
    inner product both are the same rows. Linear combinations are taken of all rows, so that J is applied once per vector.

    Parameters
    ----------
    operator : function
        Maps an array of shape (rows, b) to one of the same shape.
    start : function
        Adds the images to vectors: shape (size, b) to (rows, b).
    size : int
        Numbers in a vector.
    count : int, optional
        Most pairs to return.
    above : float
        Return only larger eigenvalues, but always the largest.
    block : int
        Vectors to multiply at a time. The subspace grows by as many in each step until all wanted pairs converge.
    largest : int
        Most dimensions of the subspace.
    tolerance : float
        Largest residual of a wanted pair, as a fraction of its eigenvalue.
    seed : int
        Seed of the random start.
    progress : Progress
    stage : str
        Name of the progress.

    Returns
    -------
    eigenvalues : float64 array of shape (k,)
        Descending.
    vectors : float64 array of shape (rows, k)
        Orthonormal in the inner product, with their images.

    Raises
    ------
    ArrayError
        If the operator is zero everywhere, the subspace grows too large, or it becomes the whole space and is no longer
        orthonormal.

    References
    ----------
    .. [1] G. H. Golub, R. Underwood, "The block Lanczos method for computing eigenvalues", Mathematical Software III, 1977.
    """
    generator = np.random.default_rng(seed)
    new = _orthonormal(start(generator.standard_normal((size, min(block, size)))), size, 0.0)[0]
    if not new.shape[1]:
        raise ArrayError("all features are zero: there is nothing to find a subspace in")
    basis = new
    projected = np.zeros((0, 0))
    while True:
        images = operator(new)
        # The new block's rows and columns of the projected operator.
        cross = basis[:size].T @ images[-size:]
        old = len(projected)
        grown = np.zeros((basis.shape[1], basis.shape[1]))
        grown[:old, :old] = projected
        grown[:, old:] = cross
        grown[old:] = cross.T
        grown[old:, old:] = (cross[old:] + cross[old:].T) / 2
        projected = grown
        new, coupling = _orthonormal(images - basis @ cross, size, 0.0)
        if new.shape[1]:
            # Once more, for the digits lost in the difference. Pure rounding errors now fall back into the basis.
            new, again = _orthonormal(new - basis @ (basis[-size:].T @ new[:size]), size, _NEW)
            coupling = again @ coupling

        values, combinations = scipy.linalg.eigh(projected)
        values, combinations = values[::-1], combinations[:, ::-1]
        residuals = np.linalg.norm(coupling @ combinations[old:], axis=0)
        wanted = max(int(np.sum(values + residuals > above)), 1)
        wanted = wanted if count is None else min(wanted, count)
        converged = int(np.sum(residuals[:wanted] <= tolerance * np.maximum(np.abs(values[:wanted]), 1e-300)))
        whole = not new.shape[1] or basis.shape[1] >= size  # the subspace is the whole space
        enough = len(values) > wanted or whole
        progress(stage, min(converged, wanted - (not enough)), wanted, f"subspace of {basis.shape[1]}")
        if (converged == wanted and enough) or whole:
            if converged < wanted and np.abs(basis[:size].T @ basis[-size:] - np.eye(basis.shape[1])).max() > _ORTHONORMAL:
                raise ArrayError(f"{stage}: rounding errors have spoilt a small problem; scale the features to unit length")
            kept = max(int(np.sum(values[:wanted] > above)), 1)
            return values[:kept], basis @ combinations[:, :kept]
        if basis.shape[1] >= largest:
            raise ArrayError(
                f"{stage}: {converged} of {wanted} directions found in a subspace of {basis.shape[1]}: the features cannot be told "
                "from noise; ask for fewer dimensions, or scale the features to unit length"
            )
        basis = np.concatenate([basis, new], axis=1)
        new = basis[:, len(projected) :]


def _orthonormal(vectors: Matrix, size: int, shortest: float) -> tuple[Matrix, Matrix]:
    """Orthonormal columns of the same span, longest direction first, and R with vectors = columns @ R.

    Directions whose squared length is not above `shortest` are dropped.
    """
    products = vectors[:size].T @ vectors[-size:]
    values, rotation = scipy.linalg.eigh((products + products.T) / 2)
    values, rotation = values[::-1], rotation[:, ::-1]
    kept = values > max(shortest, 1e-14 * values[0], np.finfo(np.float64).tiny)
    lengths = np.sqrt(values[kept])
    return vectors @ (rotation[:, kept] / lengths), (rotation[:, kept] * lengths).T
