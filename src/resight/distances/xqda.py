"""XQDA: a subspace and a distance, learned from pairs of images by two cameras."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from resight.distances.gram import centred_gram, checked_features, combine, project
from resight.distances.pairs import CrossCameraPairs
from resight.distances.quadratic import QuadraticDistance
from resight.distances.xqda_large import dual_subspace, primal_subspace, singular
from resight.errors import ArrayError, ConfigurationError
from resight.progress import Progress, silent

__all__ = ["XQDA"]

DENSE_LIMIT = 2000
"""Problems of more dimensions, or samples if they are fewer, go to a Krylov subspace; the distances are the same."""

Matrix = NDArray[np.float64]


class XQDA(QuadraticDistance):
    """Cross-view quadratic discriminant analysis.

    S_I and S_E are the covariances of the differences between two cameras' images of one person, and of two people. The
    left singular vectors of inv(S_I) S_E with singular values > 1, at least one, span the subspace W, and
    M = inv(W' S_I W) - inv(W' S_E W) compares in it.

    Parameters
    ----------
    dimensions : int, optional
        Most dimensions; without it, as many as the rule gives.
    regularisation : float
        Added to the diagonal of S_I; 0.001 suits descriptors of about unit length.

    Attributes
    ----------
    W_ : float64 array of shape (d, k)
        Projection, most discriminative direction first.
    M_ : float64 array of shape (k, k)
        Symmetric, and indefinite in general: it is not projected to the positive semi-definite cone.
    within_, between_ : float64 array of shape (k, k)
        W' S_I W and W' S_E W.
    spectrum_ : float64 array
        Singular values, descending: all of them up to `DENSE_LIMIT`, the leading k beyond it.
    dimensions_ : int
        k.

    References
    ----------
    .. [1] S. Liao, Y. Hu, X. Zhu, S. Z. Li, "Person Re-identification by Local Maximal Occurrence Representation and Metric
           Learning", CVPR 2015. The text says generalised eigenvectors; the released code computes singular vectors, as here.
    """

    def __init__(self, dimensions: int | None = None, regularisation: float = 0.001) -> None:
        self.dimensions = dimensions
        self.regularisation = regularisation

    def fit(self, features: NDArray[Any], identities: Any, cameras: Any, *, progress: Progress = silent) -> Self:
        """Learn from images of people by several cameras: all pairs of two different cameras.

        Parameters
        ----------
        features : float array of shape (n, d)
        identities, cameras : int array of shape (n,)
        progress : Progress

        Returns
        -------
        XQDA
            Itself. If the fit fails or is interrupted, it keeps what it learned before.

        Raises
        ------
        ArrayError
            If the features hold NaN, are all the same or do not match the labels, or a covariance is singular.
        DatasetError
            If nobody is seen by two cameras, or no two people are.
        ConfigurationError
            If a parameter is out of range.
        """
        self._check_parameters()
        features = checked_features(features)
        pairs = CrossCameraPairs(identities, cameras)
        if len(features) != len(pairs.same_degree):
            raise ArrayError(f"got {len(features)} features and {len(pairs.same_degree)} identities; expected one for each image")
        if all((features[start : start + 256] == features[:1]).all() for start in range(0, len(features), 256)):
            raise ArrayError("all features are the same: there is nothing to find a subspace in; look at how they were made")
        samples, width = features.shape
        dual = width > samples
        if min(samples, width) <= DENSE_LIMIT:
            spectrum, directions = self._dense(features, pairs, dual=dual)
        elif dual:
            products = centred_gram(features, progress=progress)
            spectrum, coefficients = dual_subspace(products, pairs, self.regularisation, self.dimensions, progress)
            del products
            directions = combine(features, coefficients)
        else:
            within, between = self._covariances(features.astype(np.float64, copy=False), pairs)
            spectrum, directions = primal_subspace(within, between, self.regularisation, self.dimensions, progress)
        kept = max(int(np.sum(spectrum > 1)), 1)
        kept = min(kept, self.dimensions or kept)
        directions = directions[:, :kept]
        # A direction and its opposite are the same: the sign is chosen by the largest entry.
        directions = directions * np.sign(directions[np.argmax(np.abs(directions), axis=0), np.arange(kept)])
        projected = project(features, directions)
        within = projected.T @ pairs.apply_same(projected) / pairs.same + self.regularisation * directions.T @ directions
        between = projected.T @ pairs.apply_different(projected) / pairs.different
        return self._learned(np.ascontiguousarray(directions), within, between, spectrum)

    def truncated(self, dimensions: int) -> XQDA:
        """The same model in its leading dimensions: a fit with `dimensions` would learn the same.

        Parameters
        ----------
        dimensions : int
            From 1 to `dimensions_`.

        Raises
        ------
        ConfigurationError
            If the fit has fewer.
        """
        if not 1 <= dimensions <= self.dimensions_:
            raise ConfigurationError(f"got {dimensions} dimensions; this fit has 1 to {self.dimensions_}")
        k = dimensions
        shorter = XQDA(dimensions, self.regularisation)
        return shorter._learned(self.W_[:, :k].copy(), self.within_[:k, :k], self.between_[:k, :k], self.spectrum_)

    def transform(self, features: NDArray[Any]) -> Matrix:
        """Project features into the learned subspace.

        Parameters
        ----------
        features : float array of shape (n, d)

        Returns
        -------
        float64 array of shape (n, k)
            M compares them, not the Euclidean distance.

        Raises
        ------
        ArrayError
            If the features hold NaN or have another number of dimensions.
        """
        return project(checked_features(features, columns=len(self.W_)), self.W_)

    def state(self) -> dict[str, NDArray[Any]]:
        """Learned arrays, to save."""
        return {"W": self.W_, "within": self.within_, "between": self.between_, "spectrum": self.spectrum_}

    @classmethod
    def from_state(cls, state: dict[str, NDArray[Any]]) -> Self:
        """Model from its `state`. Raises `ArrayError`."""
        try:
            w, within, between, spectrum = (np.asarray(state[k], np.float64) for k in ("W", "within", "between", "spectrum"))
        except KeyError as error:
            raise ArrayError(f"no {error} among {', '.join(sorted(state))}; expected the state of an XQDA") from error
        if w.ndim != 2 or within.shape != (w.shape[1], w.shape[1]) or between.shape != within.shape:
            raise ArrayError(
                f"W, within and between have shapes {w.shape}, {within.shape}, {between.shape}; they do not belong together"
            )
        return cls()._learned(w, within, between, spectrum)

    def _check_parameters(self) -> None:
        if self.dimensions is not None and self.dimensions < 1:
            raise ConfigurationError(f"dimensions is {self.dimensions}; expected at least 1, or none for the rule")
        if not (np.isfinite(self.regularisation) and self.regularisation >= 0):
            raise ConfigurationError(f"regularisation is {self.regularisation}; expected a number of at least 0")

    def _covariances(self, samples: Matrix, pairs: CrossCameraPairs) -> tuple[Matrix, Matrix]:
        within = samples.T @ pairs.apply_same(samples) / pairs.same
        between = samples.T @ pairs.apply_different(samples) / pairs.different
        within = (within + within.T) / 2
        within[np.diag_indices_from(within)] += self.regularisation
        return within, (between + between.T) / 2

    def _dense(self, features: NDArray[Any], pairs: CrossCameraPairs, *, dual: bool) -> tuple[Matrix, Matrix]:
        """The whole spectrum and all directions, by the plain algorithm."""
        samples: Matrix = features.astype(np.float64, copy=False)
        if dual:
            basis, triangle = scipy.linalg.qr(samples.T, mode="economic")
            samples = np.asarray(triangle.T, np.float64)
        within, between = self._covariances(samples, pairs)
        try:
            factor = scipy.linalg.cho_factor(within)
            directions, spectrum, _ = scipy.linalg.svd(scipy.linalg.cho_solve(factor, between), full_matrices=False)
        except np.linalg.LinAlgError as error:
            raise singular("within", self.regularisation) from error
        return spectrum, basis @ directions if dual else directions

    def _learned(self, directions: Matrix, within: Matrix, between: Matrix, spectrum: Matrix) -> Self:
        """Set all learned attributes at once."""
        within, between = (within + within.T) / 2, (between + between.T) / 2
        inverses = []
        for name, covariance in (("within", within), ("between", between)):
            try:
                factor = scipy.linalg.cho_factor(covariance)
                inverses.append(scipy.linalg.cho_solve(factor, np.eye(len(covariance))))
            except np.linalg.LinAlgError as error:
                raise singular(name, self.regularisation) from error
        difference: Matrix = inverses[0] - inverses[1]
        self.W_, self.within_, self.between_, self.spectrum_ = directions, within, between, spectrum
        self.M_ = (difference + difference.T) / 2
        self.dimensions_ = directions.shape[1]
        return self
