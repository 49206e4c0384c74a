"""Strangers within reach: how often somebody who is absent is falsely found, without a label.

Of the many people in a gallery, all but one are strangers to a query. How near the nearest of them come is seen without any
label: the number of strangers within a distance d grows as a power of d. The power is measured where strangers are many, at the
nearest fortieth of them, and carried on to where there is less than one; there, a false match begins.

Two things must be known. Several tracklets of one person are one stranger, or none if the person is the one who asks: tracklets
must be joined into people before, which may be done roughly. And people whom one camera saw look more alike than others: those
whom the query's own camera saw are counted apart from the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from resight.decision.cohort import Cohort
from resight.decision.people_distances import people_distances
from resight.errors import ArrayError

__all__ = ["FEWEST", "Side", "StrangerLaw", "fit_strangers"]

FEWEST = 30
"""People without whom nothing is fitted."""

_APART = 20  # people whom a camera saw, or did not see, to be counted apart
_SHARE = 40  # the nearest of so many strangers tell the power
_NEAREST = 7  # strangers that tell it, at least
_FIRST = 2  # nearest stranger that counts: a nearer one may be another group of the same person
_TINY = 1e-12
_HALVINGS = 60


class Side(NamedTuple):
    """Images that ask, or that are asked.

    Attributes
    ----------
    vectors : float32 array of shape (n, d)
    people, cameras : int64 arrays of shape (n,)
        Number of the person on each, from 1, and of its camera, from 0.
    """

    vectors: NDArray[np.float32]
    people: NDArray[np.int64]
    cameras: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class StrangerLaw:
    """Expected number of strangers within a distance of each query, and the rate of false matches that follows.

    Attributes
    ----------
    people : int
        People among whom each query was compared, the one who asks included.
    weights : float64 array of shape (n,)
        Weights of the queries; everybody weighs the same, and all together 1.
    common : float64 array of shape (n,)
        Commonness of each query (see `Cohort.commonness`), or 0.
    counts, distances : float64 arrays of shape (n, 2)
        `counts` strangers are within `distances`: of those whom the query's own camera saw, and of the others. A count of 0
        means that they are counted with the first.
    powers : float64 array of shape (n, 2)
        Powers of the distance by which these counts grow.
    """

    people: int
    weights: NDArray[np.float64]
    common: NDArray[np.float64]
    counts: NDArray[np.float64]
    distances: NDArray[np.float64]
    powers: NDArray[np.float64]

    def rate(self, threshold: float, *, times: float = 1.0) -> float:
        """Share of searches for somebody absent that find a stranger within a threshold.

        Parameters
        ----------
        threshold : float
            Distance, less the query's commonness.
        times : float
            Size of the gallery, in galleries as large as this one.
        """
        reach = np.maximum(threshold + self.common, 0)[:, None]
        within = (self.counts * (reach / self.distances) ** self.powers).sum(axis=1)
        return float(self.weights @ -np.expm1(-times * within))

    def threshold_for(self, wanted: float, *, times: float = 1.0) -> float:
        """Return the threshold at which the rate is a wanted one, in (0, 1)."""
        low, high = -float(self.common.max()), float(self.distances.max() - self.common.min())
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            if self.rate(middle, times=times) < wanted:
                low = middle
            else:
                high = middle
        return low


def fit_strangers(queries: Side, gallery: Side, distance: str, *, cohort: Cohort | None = None) -> StrangerLaw:
    """Fit the law to a gallery whose tracklets are joined into people, rightly for the most part.

    Parameters
    ----------
    queries, gallery : Side
        The same people and cameras; both may be the same images.
    distance : str
        A key of `resight.distances.DISTANCES`.
    cohort : Cohort, optional
        Thresholds are then less the query's commonness.

    Returns
    -------
    StrangerLaw

    Raises
    ------
    ArrayError
        If shapes do not fit, a vector holds NaN or infinity, or there are fewer people than `FEWEST`.

    References
    ----------
    .. [1] B. M. Hill, "A Simple General Approach to Inference About the Tail of a Distribution", Annals of Statistics 3(5), 1975
           (the estimate of the power, here from the second nearest stranger on, and over all queries at once).
    .. [2] L. Amsaleg et al., "Estimating Local Intrinsic Dimensionality", KDD 2015 (why small distances follow a power law).
    """
    compared = people_distances(*queries, *gallery, distance)
    between, order = compared.between[:, :-1], np.argsort(queries.people, kind="stable")
    seen_by = queries.cameras[order]
    count = between.shape[1]
    if count < FEWEST:
        raise ArrayError(f"{count} people; expected at least {FEWEST}")
    asking = np.unique(queries.people)
    columns = np.concatenate([asking, np.setdiff1d(gallery.people, asking)])
    by_name = np.argsort(columns)
    saw = np.zeros((max(queries.cameras.max(), gallery.cameras.max()) + 1, count), bool)
    saw[gallery.cameras, by_name[np.searchsorted(columns, gallery.people, sorter=by_name)]] = True
    counts, distances = np.zeros((len(between), 2)), np.ones((len(between), 2))
    kinds = np.zeros((len(between), 2), np.int64)
    spacings = np.zeros((3, 2))  # sum and number: of those whom the camera saw, of the others, of both
    for camera in np.unique(seen_by).tolist():
        rows = np.flatnonzero(seen_by == camera)
        groups = [saw[camera], ~saw[camera]]
        parts = list(enumerate(groups)) if min(map(np.count_nonzero, groups)) >= _APART else [(2, np.ones(count, bool))]
        for place, (kind, chosen) in enumerate(parts):
            number = int(np.count_nonzero(chosen)) - (0 if kind == 1 else 1)  # without the one who asks
            last = min(number, max(_NEAREST, round(number / _SHARE)))
            strangers = np.sort(np.partition(between[np.ix_(rows, chosen)], last - 1, axis=1)[:, :last], axis=1)
            logs = np.log(np.maximum(strangers[:, _FIRST - 1 :], _TINY))
            spacings[kind] += np.sum(np.diff(logs, axis=1) * np.arange(_FIRST, last)), logs.shape[0] * (logs.shape[1] - 1)
            counts[rows, place], distances[rows, place] = last - 0.5, np.maximum(strangers[:, -1], _TINY)
            kinds[rows, place] = kind
    powers = spacings[:, 1] / np.maximum(spacings[:, 0], _TINY)
    weights = 1 / np.bincount(compared.persons)[compared.persons]
    return StrangerLaw(
        people=count,
        weights=weights / weights.sum(),
        common=np.zeros(len(between)) if cohort is None else cohort.commonness(queries.vectors[order]),
        counts=counts,
        distances=distances,
        powers=powers[kinds],
    )
