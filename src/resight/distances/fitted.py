"""Distances that are learned from labelled vectors, by name: KISSME after PCA, and XQDA."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse
import scipy.sparse.csgraph
from numpy.typing import NDArray

from resight.distances.kissme import KISSME
from resight.distances.pairs import sample_pairs
from resight.distances.pca import PCA
from resight.distances.quadratic import QuadraticGallery
from resight.distances.xqda import XQDA
from resight.errors import ArrayError, ConfigurationError
from resight.progress import Progress, silent

__all__ = ["FITTED", "FittedDistance", "Learner", "fit_distance"]


@dataclass(frozen=True, eq=False)
class FittedDistance:
    """A learned projection, and the matrix that compares in it.

    Attributes
    ----------
    kind : str
        Key of `FITTED`.
    reduction : PCA or None
        Projection before the metric: a PCA for KISSME.
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
        """Features (n, d) to projected vectors, float32 (n, dimensions), for `compare`."""
        reduced = self.reduction.transform(features) if self.reduction else features
        return self.metric.transform(reduced).astype(np.float32)

    def compare(self, queries: NDArray[Any], gallery: NDArray[Any]) -> NDArray[np.float32]:
        """Distances, float32 (q, g), of projected vectors (q, dimensions) and (g, dimensions); smaller is more alike."""
        return QuadraticGallery(gallery, self.metric.M_).distances(queries)

    def state(self) -> dict[str, NDArray[Any]]:
        """Learned arrays, to save."""
        state = {f"metric.{name}": value for name, value in self.metric.state().items()}
        return state | {f"reduction.{name}": value for name, value in (self.reduction.state() if self.reduction else {}).items()}

    @classmethod
    def from_state(cls, kind: str, state: dict[str, NDArray[Any]]) -> FittedDistance:
        """Distance from its `state`. Raises `ArrayError` if the state is not one of this kind, or holds NaN."""
        if kind not in FITTED:
            raise ArrayError(f"distance {kind!r}; expected {' or '.join(FITTED)}")
        parts: dict[str, dict[str, NDArray[Any]]] = {"metric": {}, "reduction": {}}
        for name, value in state.items():
            part, _, rest = name.partition(".")
            if part not in parts or not np.isfinite(value).all():
                raise ArrayError(f"the array {name!r} does not belong to a fitted distance, or holds NaN")
            parts[part][rest] = value
        reduction = PCA.from_state(parts["reduction"]) if parts["reduction"] else None
        return cls(kind, reduction, FITTED[kind].metric.from_state(parts["metric"]))


class Learner(NamedTuple):
    """Metric of a learned distance, and function that fits it; see `fit_distance`."""

    metric: type[KISSME] | type[XQDA]
    fit: Callable[[NDArray[Any], NDArray[Any], NDArray[Any], int, int, Progress], FittedDistance]


def _fit_kissme(
    features: NDArray[Any], identities: NDArray[Any], cameras: NDArray[Any], dimensions: int, seed: int, progress: Progress
) -> FittedDistance:
    first, second, similar = pairs = sample_pairs(identities, cameras, seed)
    spanned = min(_spanned(len(features), first[kind], second[kind]) for kind in (similar, ~similar))
    # In nearly as many dimensions as the pairs span, a covariance is nearly singular and the distance is worthless.
    reduction = PCA(dimensions or min(200, (spanned + 1) // 2, features.shape[1])).fit(features, progress=progress)
    return FittedDistance("kissme", reduction, KISSME().fit(reduction.transform(features), *pairs))


def _spanned(images: int, first: NDArray[np.int64], second: NDArray[np.int64]) -> int:
    """Most dimensions that the differences within some pairs can span: images, less the groups that the pairs link them to."""
    links = scipy.sparse.csr_array((np.ones(len(first)), (first, second)), shape=(images, images))
    return images - int(scipy.sparse.csgraph.connected_components(links, directed=False)[0])


def _fit_xqda(
    features: NDArray[Any], identities: NDArray[Any], cameras: NDArray[Any], dimensions: int, seed: int, progress: Progress
) -> FittedDistance:
    return FittedDistance("xqda", None, XQDA(dimensions or None).fit(features, identities, cameras, progress=progress))


FITTED = {"kissme": Learner(KISSME, _fit_kissme), "xqda": Learner(XQDA, _fit_xqda)}
"""Learned distances by name; `resight.distances.LEARNED` has the same names."""


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
        Key of `FITTED`. ``"kissme"``: PCA, then KISSME on all pairs of one person by two cameras and equally many random pairs of
        two people. ``"xqda"``: XQDA on all pairs of two cameras.
    features : float array of shape (n, d)
    identities, cameras : int arrays of shape (n,)
    dimensions : int
        Most dimensions for XQDA; 0 keeps what its rule gives. Components of the PCA for KISSME; 0 takes 200, or as many
        as there are with fewer numbers, or half as many as the differences of the pairs span with few images: of people with two
        images each, one for two people.
    seed : int
        Seed of KISSME's random pairs.
    progress : Progress

    Returns
    -------
    FittedDistance

    Raises
    ------
    ConfigurationError
        If `kind` is not in `FITTED`, or `dimensions` is negative.
    ArrayError
        If the features cannot be used.
    DatasetError
        If nobody is seen by two cameras, or no two people are.
    """
    if kind not in FITTED or dimensions < 0:
        raise ConfigurationError(f"distance {kind!r} with {dimensions} dimensions; expected {' or '.join(FITTED)}, and 0 or more")
    return FITTED[kind].fit(features, identities, cameras, dimensions, seed, progress)
