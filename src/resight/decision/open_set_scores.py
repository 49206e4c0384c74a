"""Open-set evaluation: how many people who are there a search misses, at rates of finding people who are not.

The terms are those of ISO/IEC 19795-1 [1]_. A search for somebody who is enrolled is mated, one for anybody else is non-mated. The
false positive identification rate (FPIR) is the share of non-mated searches that return anybody within the threshold. The false
negative identification rate (FNIR) is the share of mated searches that do not return the person within it. The detection and
identification rate at rank 1 [2]_ is the share of mated searches that return the person, within the threshold and first of all.

Here each person weighs the same in a rate, however many searches are theirs, because a video makes many searches of one person.

.. [1] ISO/IEC 19795-1:2021, "Biometric performance testing and reporting, part 1: Principles and framework".
.. [2] P. J. Phillips, P. Grother, R. Micheals, "Evaluation Methods in Face Recognition", in "Handbook of Face Recognition", 2011.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resight.decision.confidence import Rate
from resight.decision.open_set import LabelledSearches
from resight.errors import ConfigurationError, NoMatchError

__all__ = ["FPIRS", "OpenSetPoint", "OpenSetScores", "score_open_set"]

FPIRS = (0.001, 0.01, 0.02, 0.05, 0.1)
"""Rates of false answers to report at."""

_CURVE = tuple(float(rate) for rate in np.geomspace(0.0005, 0.5, 31))
_ROUNDING = 1e-9  # in a rate


@dataclass(frozen=True, kw_only=True)
class OpenSetPoint:
    """Rates at one threshold, with limits from a bootstrap over people.

    Attributes
    ----------
    wanted : float
        FPIR that the threshold was chosen for: the largest at which the measured one is at most this.
    threshold : float
    fpir : Rate
        False positive identification rate at this threshold.
    fnir, dir1 : Rate
        False negative identification rate, and detection and identification rate at rank 1. Their limits know that the threshold
        was chosen by the same people.
    """

    wanted: float
    threshold: float
    fpir: Rate
    fnir: Rate
    dir1: Rate

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self) | {name: getattr(self, name)._asdict() for name in ("fpir", "fnir", "dir1")}


@dataclass(frozen=True, kw_only=True)
class OpenSetScores:
    """The result of an open-set evaluation, or the mean of several.

    Attributes
    ----------
    people, searches, mated : int
        People who ask, non-mated searches, and mated ones: of people who were also seen by another camera.
    enrolled : int
        People with a name in the gallery of a non-mated search.
    points : tuple of OpenSetPoint
        At each rate asked for.
    curve : tuple of OpenSetPoint
        At rates from 0.05 to 50 %, for a picture.
    confidence : float
        Confidence with which the true rate lies between two limits.
    splits : int
        Evaluations that this is the mean of. The limits are means, too, because the splits share their people.
    """

    people: int
    searches: int
    mated: int
    enrolled: int
    points: tuple[OpenSetPoint, ...]
    curve: tuple[OpenSetPoint, ...]
    confidence: float
    splits: int = 1

    def __repr__(self) -> str:
        said = ", ".join(f"{100 * point.fnir.value:.1f} % at FPIR {100 * point.wanted:g} %" for point in self.points)
        return f"<OpenSetScores: FNIR {said}; {self.people} people, {self.enrolled} enrolled>"

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values; rates are shares in [0, 1]."""
        points = {name: [point.to_dict() for point in getattr(self, name)] for name in ("points", "curve")}
        return vars(self) | points


def score_open_set(
    searches: LabelledSearches,
    rates: Sequence[float] = FPIRS,
    *,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> OpenSetScores:
    """Measure FNIR and the detection and identification rate at rates of false answers.

    The bootstrap draws people again and again. A person counts as often as drawn: as the one who asks, and as the one who is
    falsely found where nobody else is near enough. That is the effect of the person on the rate, as the jackknife knows it.

    Parameters
    ----------
    searches : LabelledSearches
    rates : sequence of float
        False positive identification rates, in (0, 1).
    confidence : float
        In (0, 1).
    resamples : int
    seed : int

    Returns
    -------
    OpenSetScores

    Raises
    ------
    ConfigurationError
        If a rate or the confidence makes no sense.
    NoMatchError
        If nobody was seen by two cameras.

    Examples
    --------
    >>> from resight.decision.people_distances import search_everybody
    >>> vectors = [[0, 0], [0, 1], [5, 0], [5, 1], [9, 0], [9, 1]]
    >>> scores = score_open_set(search_everybody(vectors, [1, 1, 2, 2, 3, 3], [1, 2, 1, 2, 1, 2], "euclidean"), [0.3])
    >>> scores.points[0].fnir.value, scores.points[0].dir1.value
    (0.0, 1.0)
    """
    if not all(0 < rate < 1 for rate in rates) or not 0 < confidence < 1:
        raise ConfigurationError(f"rates {', '.join(f'{r:g}' for r in rates)}, confidence {confidence:g}; expected between 0 and 1")
    if not np.isfinite(searches.own).any():
        raise NoMatchError("nobody was seen by two cameras, so nobody can be missed; give --same-camera, or images of more cameras")
    wanted = np.array([*rates, *_CURVE])
    counts = _Counts(searches)
    everybody = np.ones(searches.people)
    steps = counts.steps(everybody, wanted)
    measured = counts.rates(everybody, steps)
    rng = np.random.default_rng(seed)
    drawn = np.empty((resamples, 3, len(wanted)))
    for sample in drawn:
        weights = np.bincount(rng.integers(0, searches.people, searches.people), minlength=searches.people).astype(float)
        sample[0] = counts.rates(weights, steps)[0]
        sample[1:] = counts.rates(weights, counts.steps(weights, wanted))[1:]
    limits = np.clip(np.nanquantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0), 0, 1)
    points = tuple(
        OpenSetPoint(
            wanted=float(rate),
            threshold=counts.threshold(int(step)),
            **{
                name: Rate(float(value), min(float(low), float(value)), max(float(high), float(value)))
                for name, value, low, high in zip(("fpir", "fnir", "dir1"), measured[:, at], *limits[:, :, at], strict=True)
            },
        )
        for at, (rate, step) in enumerate(zip(wanted, steps, strict=True))
    )
    return OpenSetScores(
        people=searches.people,
        searches=len(searches.persons),
        mated=int(np.isfinite(searches.own).sum()),
        enrolled=searches.enrolled,
        points=points[: len(rates)],
        curve=points[len(rates) :],
        confidence=confidence,
    )


class _Counts:
    """Rates as step functions of the threshold, for any weights of the people."""

    def __init__(self, searches: LabelledSearches) -> None:
        self.people = searches.people
        weights = 1 / np.bincount(searches.persons)[searches.persons]
        asks = searches.nearest >= 0
        distances = np.concatenate([searches.strangers, searches.strangers[asks], searches.next_strangers[asks]])
        order = np.argsort(distances, kind="stable")
        self._persons = np.concatenate([searches.persons, searches.nearest[asks], searches.nearest[asks]])[order]
        self._changes = np.concatenate([weights, weights[asks], -weights[asks]])[order]
        self._found = (np.arange(len(distances)) >= len(weights))[order]  # as the one who is found, not the one who asks
        self._thresholds = np.unique(searches.strangers)
        self._last = np.searchsorted(distances[order], self._thresholds, side="right")
        mated = np.isfinite(searches.own)
        own, persons = searches.own[mated], searches.persons[mated]
        self._mated_persons = persons
        self._mated = 1 / np.bincount(persons)[persons]
        first = own < searches.strangers[mated]
        self._sides = []
        for distances in (own, np.where(first, own, np.inf)):
            order = np.argsort(distances, kind="stable")
            within = np.searchsorted(distances[order], self._thresholds)  # nearer than the next stranger
            self._sides.append((order, np.append(within, np.searchsorted(distances[order], self._thresholds[-1], side="right"))))

    def threshold(self, step: int) -> float:
        """Return the largest threshold of a step."""
        if step == len(self._thresholds):
            return float(self._thresholds[-1])
        return float(np.nextafter(self._thresholds[step], np.float32(-np.inf)))

    def steps(self, weights: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.int64]:
        """Numbers of the thresholds that may be passed, for each wanted FPIR."""
        return np.searchsorted(np.maximum.accumulate(self._fpir(weights)), wanted + _ROUNDING, side="right")

    def rates(self, weights: NDArray[np.float64], steps: NDArray[np.int64]) -> NDArray[np.float64]:
        """FPIR, FNIR and detection and identification rate, (3, n), at steps."""
        fpir = np.append(0.0, self._fpir(weights))[steps]
        each = weights[self._mated_persons] * self._mated
        found = []
        for order, place in self._sides:
            counts = np.append(0.0, np.cumsum(each[order]))
            found.append(counts[place[steps]] / each.sum() if each.sum() > 0 else np.full(len(steps), np.nan))
        return np.stack([fpir, 1 - found[0], found[1]])

    def _fpir(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        changes = self._changes * (weights[self._persons] - self._found)
        return np.append(0.0, np.cumsum(changes))[self._last] / self.people
