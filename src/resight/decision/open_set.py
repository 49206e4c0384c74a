"""Searches of a gallery by people who are in it and by people who are not, on labelled vectors.

Every query asks once for its person, and once as if that person were absent: against the images of everybody else. An absent person
is falsely found if the nearest of those images is near enough. So the least of many distances counts. It is measured directly,
because the distances of pairs are not independent.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from resight.decision.error_curve import ErrorCurve, mean_steps

__all__ = ["LabelledSearches"]


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelledSearches:
    """Nearest distances of every query to its own person and to others; see `resight.decision.people_distances`.

    Attributes
    ----------
    people : int
        Number of people who ask, numbered from 0.
    enrolled : int
        Number of people in the gallery besides the one who asks.
    per_person : float
        Images of each of them.
    persons : int64 array of shape (n,)
        Person on the query image.
    closest : float32 array of shape (n, m)
        Distances of the nearest image of each of the m nearest other people, the nearest first.
    nearest : int64 array of shape (n,)
        Number of the nearest of them; -1 for somebody who does not ask.
    own : float32 array of shape (n,)
        Distance of the nearest image of the same person by another camera; infinity without one.
    """

    people: int
    enrolled: int
    per_person: float
    persons: NDArray[np.int64]
    closest: NDArray[np.float32]
    nearest: NDArray[np.int64]
    own: NDArray[np.float32]

    @property
    def strangers(self) -> NDArray[np.float32]:
        """Distance of the nearest image of another person, (n,)."""
        return self.closest[:, 0]

    @property
    def next_strangers(self) -> NDArray[np.float32]:
        """Distance of the nearest image of a third person, (n,)."""
        return self.closest[:, 1]

    def false_positives(self, confidence: float) -> ErrorCurve:
        """Measure how often an absent person is falsely found among the others: the false positive identification rate (FPIR).

        The variance comes from a jackknife that leaves out one person at a time, as query and as result. A person whom many are
        mistaken for is then one observation, not many. If A is near B, B is near A; so false matches come in pairs of people,
        and at most half of the people are independent.
        """
        weights = 1 / np.bincount(self.persons)[self.persons]
        asks = self.nearest >= 0
        # If only one person is within the threshold, there is a false match only while that person is in the gallery.
        thresholds, rates, variances, freedoms = mean_steps(
            np.concatenate([self.strangers, self.strangers[asks], self.next_strangers[asks]]),
            np.concatenate([self.persons, self.nearest[asks], self.nearest[asks]]),
            np.concatenate([weights, weights[asks], -weights[asks]]),
            np.arange(len(weights) + 2 * np.count_nonzero(asks)) < len(weights),
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
        """Measure how often no image of a present person by another camera is near enough; None if there is only one camera.

        This is the false negative identification rate (FNIR), whatever the rank of the person.
        """
        asks = np.isfinite(self.own)
        if not asks.any():
            return None
        present, persons = np.unique(self.persons[asks], return_inverse=True)
        thresholds, found, variances, freedoms = mean_steps(
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
