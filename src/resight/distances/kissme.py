"""KISSME: a Mahalanobis distance from the covariances of similar and dissimilar pairs, without optimisation."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from resight.distances.gram import checked_features
from resight.distances.quadratic import QuadraticDistance
from resight.errors import ArrayError, DatasetError

__all__ = ["KISSME"]

_PAIRS = 8192  # differences at a time
_ZERO, _FLOOR = 1e-10, 1e-6  # the published code lifts eigenvalues up to the first to the second

Matrix = NDArray[np.float64]


class KISSME(QuadraticDistance):
    """Keep it simple and straightforward metric.

    M = inv(C1) - inv(C0), where C1 and C0 are the mean outer products of the differences, not centred, over similar and over
    dissimilar pairs. If M is not positive definite, its eigenvalues up to 1e-10 become 1e-6, as in the published code.

    Attributes
    ----------
    M_ : float64 array of shape (d, d)
        Symmetric.
    similar_, dissimilar_ : float64 array of shape (d, d)
        C1 and C0.

    References
    ----------
    .. [1] M. Koestinger, M. Hirzer, P. Wohlhart, P. M. Roth, H. Bischof, "Large Scale Metric Learning from Equivalence
           Constraints", CVPR 2012.
    """

    def fit(self, features: NDArray[Any], first: Any, second: Any, similar: Any) -> Self:
        """Learn from pairs, such as those of `sample_pairs`.

        Parameters
        ----------
        features : float array of shape (n, d)
            A few hundred dimensions; PCA reduces more.
        first, second : int array of shape (p,)
            Row numbers of the pairs.
        similar : bool array of shape (p,)
            True if a pair shows one person.

        Returns
        -------
        KISSME
            Itself. If the fit fails or is interrupted, it keeps what it learned before.

        Raises
        ------
        ArrayError
            If the features hold NaN, the pairs are not row numbers, or a covariance is singular, because there are fewer pairs than
            dimensions or constant features.
        DatasetError
            If no pair is similar, or none is dissimilar.
        """
        features = checked_features(features)
        first, second, similar = np.asarray(first), np.asarray(second), np.asarray(similar)
        if first.ndim != 1 or not first.shape == second.shape == similar.shape or similar.dtype != np.bool_:
            raise ArrayError(
                f"pairs have shapes {first.shape}, {second.shape} and {similar.shape} ({similar.dtype}); expected two lists of row "
                "numbers and one of bool, equally long"
            )
        for rows in (first, second):
            if rows.size and (rows.dtype.kind not in "iu" or rows.min() < 0 or rows.max() >= len(features)):
                raise ArrayError(f"pairs hold other numbers than rows; expected 0 to {len(features) - 1}")
        if similar.all() or not similar.any():
            raise DatasetError(f"got {int(similar.sum())} similar pairs of {len(similar)}; expected similar and dissimilar ones")
        covariances = [self._covariance(features, first[chosen], second[chosen]) for chosen in (similar, ~similar)]
        inverses = []
        for name, covariance in zip(("similar", "dissimilar"), covariances, strict=True):
            try:
                factor = scipy.linalg.cho_factor(covariance)
                # A factor can exist because of rounding; its diagonal shows it.
                diagonal = np.abs(np.diag(factor[0]))
                if diagonal.min() <= 1e-7 * diagonal.max():
                    raise np.linalg.LinAlgError
                inverses.append(scipy.linalg.cho_solve(factor, np.eye(len(covariance))))
            except np.linalg.LinAlgError as error:
                raise ArrayError(
                    f"the covariance of the {name} pairs is singular ({features.shape[1]} dimensions, "
                    f"{int(np.sum(similar == (name == 'similar')))} pairs): reduce the dimensions by PCA or give more pairs"
                ) from error
        matrix = inverses[0] - inverses[1]
        matrix = (matrix + matrix.T) / 2
        values, vectors = scipy.linalg.eigh(matrix)
        if values[0] <= _ZERO:
            matrix = (vectors * np.where(values <= _ZERO, _FLOOR, values)) @ vectors.T
            matrix = (matrix + matrix.T) / 2
        self.M_, self.similar_, self.dissimilar_ = matrix, covariances[0], covariances[1]
        return self

    def transform(self, features: NDArray[Any]) -> Matrix:
        """The checked features, as float64: KISSME compares in the space of the features. Raises `ArrayError`."""
        return checked_features(features, columns=len(self.M_)).astype(np.float64, copy=False)

    def state(self) -> dict[str, NDArray[Any]]:
        """Learned arrays, to save."""
        return {"M": self.M_, "similar": self.similar_, "dissimilar": self.dissimilar_}

    @classmethod
    def from_state(cls, state: dict[str, NDArray[Any]]) -> Self:
        """Model from its `state`. Raises `ArrayError`."""
        try:
            matrix, similar, dissimilar = (np.asarray(state[name], np.float64) for name in ("M", "similar", "dissimilar"))
        except KeyError as error:
            raise ArrayError(f"no {error} among {', '.join(sorted(state))}; expected the state of a KISSME") from error
        if matrix.ndim != 2 or not matrix.shape == matrix.shape[::-1] == similar.shape == dissimilar.shape:
            raise ArrayError(f"M, similar and dissimilar have shapes {matrix.shape}, {similar.shape}, {dissimilar.shape}")
        model = cls()
        model.M_, model.similar_, model.dissimilar_ = matrix, similar, dissimilar
        return model

    @staticmethod
    def _covariance(features: NDArray[Any], first: NDArray[Any], second: NDArray[Any]) -> Matrix:
        """Mean outer product of the differences."""
        total = np.zeros((features.shape[1], features.shape[1]))
        for start in range(0, len(first), _PAIRS):
            rows = slice(start, start + _PAIRS)
            difference = features[first[rows]].astype(np.float64) - features[second[rows]]
            total += difference.T @ difference
        return total / len(first)
