"""Principal component analysis. It comes before KISSME, whose covariances need more pairs than dimensions."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from resight.distances.gram import centred_gram, checked_features, combine, project
from resight.distances.krylov import leading_eigenpairs
from resight.errors import ArrayError, ConfigurationError
from resight.progress import Progress, silent

__all__ = ["PCA"]

DENSE_LIMIT = 2000
"""Largest covariance, or matrix of inner products, that is decomposed as a whole."""

Matrix = NDArray[np.float64]


class PCA:
    """Projection to the directions of largest variance.

    Parameters
    ----------
    components : int
        Dimensions to keep; the paper keeps 200.

    Attributes
    ----------
    mean_ : float64 array of shape (d,)
    components_ : float64 array of shape (components, d)
        Orthonormal rows, largest variance first; the largest entry of each is positive.
    variance_ : float64 array of shape (components,)
        Along each component, with divisor n - 1.
    """

    def __init__(self, components: int = 200) -> None:
        self.components = components

    def fit(self, features: NDArray[Any], *, progress: Progress = silent) -> Self:
        """Find the components.

        Parameters
        ----------
        features : float array of shape (n, d)
            If d > n, everything is computed from the n x n inner products.
        progress : Progress

        Returns
        -------
        PCA
            Itself. If the fit fails or is interrupted, it keeps what it learned before.

        Raises
        ------
        ArrayError
            If the features hold NaN, or vary in fewer directions than `components`.
        ConfigurationError
            If `components` is below 1.
        """
        if self.components < 1:
            raise ConfigurationError(f"components is {self.components}; expected at least 1")
        features = checked_features(features)
        samples, width = features.shape
        if self.components > min(samples - 1, width):
            raise ArrayError(
                f"{samples} samples of {width} dimensions have at most {min(samples - 1, width)} components; "
                f"got components = {self.components}"
            )
        mean = features.mean(axis=0, dtype=np.float64)
        if width > samples:
            values, coefficients = self._leading(centred_gram(features, progress=progress), progress)
            directions = combine(features, coefficients) / np.sqrt(values)
        else:
            scatter = np.zeros((width, width))
            for start in range(0, samples, 4096):
                centred = features[start : start + 4096] - mean
                scatter += centred.T @ centred
            values, directions = self._leading(scatter, progress)
        directions *= np.sign(directions[np.argmax(np.abs(directions), axis=0), np.arange(len(values))])
        self.mean_, self.components_, self.variance_ = mean, np.ascontiguousarray(directions.T), values / (samples - 1)
        return self

    def transform(self, features: NDArray[Any]) -> Matrix:
        """Project features.

        Parameters
        ----------
        features : float array of shape (n, d)

        Returns
        -------
        float64 array of shape (n, components)

        Raises
        ------
        ArrayError
            If the features hold NaN or have another number of dimensions.
        """
        features = checked_features(features, columns=len(self.mean_))
        projected = project(features, self.components_.T)
        projected -= self.components_ @ self.mean_
        return projected

    def state(self) -> dict[str, NDArray[Any]]:
        """Learned arrays, to save."""
        return {"mean": self.mean_, "components": self.components_, "variance": self.variance_}

    @classmethod
    def from_state(cls, state: dict[str, NDArray[Any]]) -> Self:
        """Model from its `state`. Raises `ArrayError`."""
        try:
            mean, components, variance = (np.asarray(state[name], np.float64) for name in ("mean", "components", "variance"))
        except KeyError as error:
            raise ArrayError(f"no {error} among {', '.join(sorted(state))}; expected the state of a PCA") from error
        if components.ndim != 2 or components.shape != (*variance.shape, *mean.shape):
            raise ArrayError(f"components {components.shape}, mean {mean.shape}, variance {variance.shape} do not belong together")
        model = cls(len(components))
        model.mean_, model.components_, model.variance_ = mean, components, variance
        return model

    def _leading(self, matrix: Matrix, progress: Progress) -> tuple[Matrix, Matrix]:
        """Leading eigenpairs of a symmetric matrix without negative eigenvalues. Refuses zero eigenvalues."""
        size = len(matrix)
        if size <= DENSE_LIMIT:
            values, vectors = scipy.linalg.eigh(matrix, subset_by_index=(size - self.components, size - 1))
            values, vectors = values[::-1], vectors[:, ::-1]
        else:
            values, vectors = leading_eigenpairs(
                lambda x: matrix @ x, lambda x: x, size, count=self.components, block=64, progress=progress, stage="components"
            )
        # Rounding errors of float32 inner products look like variance, but only up to this size.
        present = values > 1e-7 * matrix.diagonal().max()
        if len(values) < self.components or not present.all():
            raise ArrayError(
                f"the features vary in {int(present.sum())} directions only, expected {self.components}; ask for fewer components, "
                "and look for constant or repeated features"
            )
        return values, vectors
