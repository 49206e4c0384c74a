"""Rates at which a search finds the wrong person or misses the right one, measured on labelled vectors.

Every image asks once for its person, and once as if that person were absent: against the images of everybody else. An absent person
is falsely found if the nearest of those images is near enough. So the least of many distances counts. It is measured directly,
because the distances of pairs are not independent.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from resight.datasets.records import DISTRACTOR
from resight.decision.cohort import Cohort
from resight.decision.confidence import Rate, rate_with_limits
from resight.distances import distance_named
from resight.distances.vectors import embeddings_of
from resight.errors import ArrayError
from resight.progress import Progress, silent

__all__ = ["ErrorCurve", "LabelledSearches", "search_everybody"]

_BLOCK = 1 << 23  # distances that are held at a time
_ROUNDING = 1e-12  # in a rate or its limit


@dataclass(frozen=True, kw_only=True, eq=False)
class ErrorCurve:
    """A rate as a step function of the threshold up to which a distance is a match.

    Attributes
    ----------
    thresholds : float32 array of shape (n,)
        Increasing from minus infinity; each rate holds from its threshold up to the next.
    rates, variances : float64 arrays of shape (n,)
        Each person weighs the same in a rate. The variance is over people, not over images.
    freedoms : float64 array of shape (n,)
        Observations behind each variance.
    units : float
        Number of independent people; see `rate_with_limits`.
    confidence : float
        Confidence of each limit.
    """

    thresholds: NDArray[np.float32]
    rates: NDArray[np.float64]
    variances: NDArray[np.float64]
    freedoms: NDArray[np.float64]
    units: float
    confidence: float

    def at(self, threshold: float) -> Rate:
        """Return the rate at a threshold, with its limits."""
        return self._at_step(int(np.searchsorted(self.thresholds, threshold, side="right")) - 1)

    def threshold_for(self, wanted: float) -> float:
        """Return the largest threshold up to which the upper limit stays at or below a wanted rate, for rates that grow.

        The search walks up from rate zero and stops at the first failure. The threshold found therefore has the confidence of a
        single limit, without correction for the number of thresholds tried [1]_. It is minus infinity if even a rate of zero has
        an upper limit above the wanted one.

        References
        ----------
        .. [1] S. Bates et al., "Distribution-Free, Risk-Controlling Prediction Sets", J. ACM 68(6), 2021, theorem 1.
        """
        for step, threshold in enumerate(self.thresholds):
            if self._at_step(step).upper > wanted + _ROUNDING:
                return float(np.nextafter(threshold, np.float32(-np.inf)))
        return float(self.thresholds[-1])

    def expected_threshold(self, wanted: float) -> float:
        """Return the largest threshold up to which the measured rate stays at or below a wanted one, for rates that grow."""
        above = self.rates > wanted + _ROUNDING
        if not above.any():
            return float(self.thresholds[-1])
        return float(np.nextafter(self.thresholds[above.argmax()], np.float32(-np.inf)))

    def _at_step(self, step: int) -> Rate:
        rate, variance, freedom = (float(column[step]) for column in (self.rates, self.variances, self.freedoms))
        return rate_with_limits(rate, variance, freedom, self.units, self.confidence)


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelledSearches:
    """Nearest distances of every labelled image to its own person and to others; see `search_everybody`.

    Attributes
    ----------
    people : int
        Number of people, numbered from 0.
    persons : int64 array of shape (n,)
        Person on the query image.
    strangers : float32 array of shape (n,)
        Distance of the nearest image of another person.
    nearest : int64 array of shape (n,)
        Number of the person on that image.
    next_strangers : float32 array of shape (n,)
        Distance of the nearest image of a third person.
    own : float32 array of shape (n,)
        Distance of the nearest image of the same person by another camera; infinity if there is none.
    """

    people: int
    persons: NDArray[np.int64]
    strangers: NDArray[np.float32]
    nearest: NDArray[np.int64]
    next_strangers: NDArray[np.float32]
    own: NDArray[np.float32]

    def false_positives(self, confidence: float) -> ErrorCurve:
        """Measure how often an absent person is falsely found among the others: the false positive identification rate (FPIR).

        The variance comes from a jackknife that leaves out one person at a time, as query and as result. A person whom many are
        mistaken for is then one observation, not many. If A is near B, B is near A; so false matches come in pairs of people,
        and at most half of the people are independent.
        """
        weights = 1 / np.bincount(self.persons)[self.persons]
        # If only one person is within the threshold, there is a false match only while that person is in the gallery.
        thresholds, rates, variances, freedoms = _steps(
            np.concatenate([self.strangers, self.strangers, self.next_strangers]),
            np.concatenate([self.persons, self.nearest, self.nearest]),
            np.concatenate([weights, weights, -weights]),
            np.repeat([True, False, False], len(self.persons)),
            self.people,
        )
        return ErrorCurve(
            thresholds=thresholds,
            rates=rates,
            variances=variances,
            freedoms=freedoms / 2,
            units=self.people / 2,
            confidence=confidence,
        )

    def misses(self, confidence: float) -> ErrorCurve | None:
        """Measure how often no image of a present person by another camera is near enough; None if there is only one camera."""
        asks = np.isfinite(self.own)
        if not asks.any():
            return None
        present, persons = np.unique(self.persons[asks], return_inverse=True)
        thresholds, found, variances, freedoms = _steps(
            self.own[asks], persons, 1 / np.bincount(persons)[persons], np.ones(len(persons), bool), len(present)
        )
        return ErrorCurve(
            thresholds=thresholds,
            rates=1 - found,
            variances=variances,
            freedoms=freedoms,
            units=len(present),
            confidence=confidence,
        )


def search_everybody(
    vectors: ArrayLike,
    identities: ArrayLike,
    cameras: ArrayLike,
    distance: str,
    *,
    cohort: Cohort | None = None,
    progress: Progress = silent,
) -> LabelledSearches:
    """Search with every image, for its person and for an absent one.

    Parameters
    ----------
    vectors : array of shape (n, d)
    identities, cameras : int arrays of shape (n,)
        Images with identity 0 or less are left out. Strangers may be seen by any camera, even the query's own, as in a real search.
    distance : str
        A key of `resight.distances.DISTANCES`.
    cohort : Cohort, optional
        All distances of a query are then less its `Cohort.commonness`.
    progress : Progress

    Returns
    -------
    LabelledSearches

    Raises
    ------
    ArrayError
        If shapes do not fit, a vector holds NaN or infinity, or there are fewer than three people.
    ConfigurationError
        If `distance` is unknown.
    """
    images, who, seen_by = embeddings_of("labelled", vectors), np.asarray(identities), np.asarray(cameras)
    if who.shape != (len(images),) or seen_by.shape != who.shape:
        raise ArrayError(
            f"{len(images)} vectors, identities of shape {who.shape}, cameras of shape {seen_by.shape}; expected as many of each"
        )
    measure = distance_named(distance)
    order = np.argsort(who, kind="stable")  # the images of a person are a slice
    order = order[who[order] > DISTRACTOR]
    images, seen_by = images[order], seen_by[order]
    _, starts, persons = np.unique(who[order], return_index=True, return_inverse=True)
    if len(starts) < 3:
        raise ArrayError(f"{len(starts)} people; expected at least three")
    count = len(images)
    ends = np.append(starts[1:], count)
    strangers, next_strangers, own = (np.empty(count, np.float32) for _ in range(3))
    nearest = np.empty(count, np.int64)
    height = max(1, _BLOCK // count)
    for first in range(0, count, height):
        block = measure.between(images[first : first + height], images)
        rows = np.arange(len(block))
        asking = persons[first : first + height]
        for row, person in enumerate(asking):
            same = slice(starts[person], ends[person])
            others = block[row, same][seen_by[same] != seen_by[first + row]]
            own[first + row] = others.min(initial=np.inf)
        people = np.minimum.reduceat(block, starts, axis=1)
        people[rows, asking] = np.inf
        found = people.argmin(axis=1)
        strangers[first : first + height], nearest[first : first + height] = people[rows, found], found
        people[rows, found] = np.inf
        next_strangers[first : first + height] = people.min(axis=1)
        progress("search", first + len(block), count)
    if cohort is not None:
        common = cohort.commonness(images).astype(np.float32)
        strangers, next_strangers, own = strangers - common, next_strangers - common, own - common
    return LabelledSearches(
        people=len(starts), persons=persons, strangers=strangers, nearest=nearest, next_strangers=next_strangers, own=own
    )


def _steps(
    distances: NDArray[np.float32],
    persons: NDArray[np.int64],
    changes: NDArray[np.float64],
    counts: NDArray[np.bool_],
    people: int,
) -> tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Compute a mean over people, its variance and the observations behind it, at every distance where the mean changes.

    At each of `distances` a person's influence changes; where `counts` is true, so does that person's part of the mean.
    """
    by_person = np.lexsort((distances, persons))
    change = changes[by_person]
    begins = np.append(True, np.diff(persons[by_person]) != 0)
    before = np.cumsum(change) - change
    before -= before[np.maximum.accumulate(np.where(begins, np.arange(len(before)), 0))]
    order = np.argsort(distances, kind="stable")
    thresholds = np.unique(distances[counts])
    last = np.searchsorted(distances[order], thresholds, side="right") - 1

    def summed(column: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.append(0.0, np.cumsum(column[order])[last])

    def moment(power: int) -> NDArray[np.float64]:
        column = np.empty_like(change)
        column[by_person] = (before + change) ** power - before**power
        return summed(column) / people

    mean, second, third, fourth = (moment(power) for power in (1, 2, 3, 4))
    spread = np.maximum(second - mean**2, 0)
    tails = fourth - 4 * mean * third + 6 * mean**2 * second - 3 * mean**4
    freedoms = people * np.divide(spread**2, tails, out=np.zeros_like(tails), where=tails > _ROUNDING)
    return (
        np.append(np.float32(-np.inf), thresholds),
        np.round(summed(changes * counts) / people, 12),  # all of a person's images are one, not nearly one
        spread / (people - 1),
        freedoms,
    )
