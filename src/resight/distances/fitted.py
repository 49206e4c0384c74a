"""Distances that are learned from labelled vectors, by name: KISSME after PCA, and XQDA."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resight.distances.kissme import KISSME
from resight.distances.pairs import sample_pairs
from resight.distances.pca import PCA
from resight.distances.quadratic import QuadraticGallery
from resight.distances.xqda import XQDA
from resight.errors import ArrayError, ConfigurationError
from resight.progress import Progress, silent

__all__ = ["FITTED", "FittedDistance", "fit_distance"]

FITTED = ("kissme", "xqda")
"""Learned distances by name."""


@dataclass(frozen=True, eq=False)
class FittedDistance:
    """A learned projection, and the matrix that compares in it.

    Attributes
    ----------
    kind : str
        One of `FITTED`.
    reduction : PCA or None
        What comes before the metric: a PCA for KISSME.
    metric : KISSME or XQDA
    """

    kind: str
    reduction: PCA | None
    metric: KISSME | XQDA

    @property
    def dimensions(self) -> int:
        """Numbers in one projected vector."""
        return len(self.metric.M_)

    @property
    def parameters(self) -> int:
        """Learned numbers that are used to compare two vectors."""
        projection = self.reduction.components_.size if self.reduction else 0
        return int(projection + self.metric.M_.size + (self.metric.W_.size if isinstance(self.metric, XQDA) else 0))

    def transform(self, features: NDArray[Any]) -> NDArray[np.float32]:
        """Features (n, d) to projected vectors, float32 (n, dimensions), which `compare` takes."""
        reduced = self.reduction.transform(features) if self.reduction else features
        return self.metric.transform(reduced).astype(np.float32)

    def compare(self, queries: NDArray[Any], gallery: NDArray[Any]) -> NDArray[np.float32]:
        """Distances, float32 (q, g), of projected vectors (q, dimensions) and (g, dimensions); smaller is more alike."""
        return QuadraticGallery(gallery, self.metric.M_).distances(queries)

    def state(self) -> dict[str, NDArray[Any]]:
        """What was learned, as arrays to save."""
        state = {f"metric.{name}": value for name, value in self.metric.state().items()}
        return state | {f"reduction.{name}": value for name, value in (self.reduction.state() if self.reduction else {}).items()}

    @classmethod
    def from_state(cls, kind: str, state: dict[str, NDArray[Any]]) -> FittedDistance:
        """The distance that `state` came from. Raises `ArrayError` if it is not one of this kind, or holds NaN."""
        parts: dict[str, dict[str, NDArray[Any]]] = {"metric": {}, "reduction": {}}
        for name, value in state.items():
            part, _, rest = name.partition(".")
            if part not in parts or not np.isfinite(value).all():
                raise ArrayError(f"the array {name!r} does not belong to a fitted distance, or holds NaN")
            parts[part][rest] = value
        reduction = PCA.from_state(parts["reduction"]) if parts["reduction"] else None
        if kind not in FITTED:
            raise ArrayError(f"distance {kind!r}; expected {' or '.join(FITTED)}")
        return cls(kind, reduction, (XQDA if kind == "xqda" else KISSME).from_state(parts["metric"]))


def fit_distance(
    kind: str,
    features: NDArray[Any],
    identities: NDArray[Any],
    cameras: NDArray[Any],
    *,
    dimensions: int = 0,
    seed: int = 0,
    progress: Progress = silent,
) -> FittedDistance:
    """Learn a distance from images of known people.

    Parameters
    ----------
    kind : str
        ``"kissme"``: PCA, then KISSME on all pairs of one person by two cameras and equally many random pairs of two people.
        ``"xqda"``: XQDA on all pairs of two cameras.
    features : float array of shape (n, d)
    identities, cameras : int arrays of shape (n,)
    dimensions : int
        For XQDA, at most so many; 0 keeps what its rule gives. For KISSME, the components of the PCA: 0 takes 200, or as many
        as there are with fewer images or numbers.
    seed : int
        Of KISSME's random pairs.
    progress : Progress

    Returns
    -------
    FittedDistance

    Raises
    ------
    ConfigurationError
        If `kind` is none of `FITTED` or `dimensions` is negative.
    ArrayError
        If the features cannot be used.
    DatasetError
        If nobody is seen by two cameras, or no two people are.
    """
    if kind not in FITTED or dimensions < 0:
        raise ConfigurationError(f"distance {kind!r} with {dimensions} dimensions; expected {' or '.join(FITTED)}, and 0 or more")
    if kind == "xqda":
        return FittedDistance(kind, None, XQDA(dimensions or None).fit(features, identities, cameras, progress=progress))
    reduction = PCA(dimensions or min(200, len(features) - 1, features.shape[1])).fit(features, progress=progress)
    return FittedDistance(kind, reduction, KISSME().fit(reduction.transform(features), *sample_pairs(identities, cameras, seed)))
