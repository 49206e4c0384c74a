"""False matches grow with the number of people in a gallery: how many to expect, and the thresholds that keep the rate.

If each of n people is within a threshold with the same probability p, a search finds one of them at a rate of 1 - (1 - p)^n. Some
people look like many others, so the rate grows a little slower: as if n were n^b, with an exponent b of at most 1. The exponent is
fitted at each threshold to galleries of fewer of the labelled people. Their rates are known exactly: each choice of n people is as
likely as any other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from resight.decision.open_set import LabelledSearches

__all__ = ["Growth", "fit_growth", "rate_among"]

Number = TypeVar("Number", float, NDArray[np.float64])

_LEAST, _MOST, _STEP = 1e-7, 0.95, 1.12  # rates whose thresholds are kept
_SHOWN = 2  # people with a false match from which a rate is taken as measured
_FEW = 0.25  # rate that any number of people is taken to show
_SMALLER = 4  # part of the people in the smallest gallery to fit to
_ALMOST = 1 - 1e-12  # a rate
_ROUNDING = 1e-9  # in a rate
_TAIL = (0.01, 0.4)  # rates on whose thresholds the straight line of the smaller ones is laid


@dataclass(frozen=True, kw_only=True)
class Growth:
    """Law by which false matches grow with a gallery.

    Attributes
    ----------
    people : int
        People in the gallery that it was fitted to.
    per_person : float
        Sightings of each.
    measured : float
        Least rate that so few people can show. Thresholds of smaller rates are extrapolated.
    rates, thresholds, exponents : tuple of float
        Rates in a gallery of `people`, increasing, the thresholds that keep them, and the exponent at each, in (0, 1].
    """

    people: int
    per_person: float
    measured: float
    rates: tuple[float, ...]
    thresholds: tuple[float, ...]
    exponents: tuple[float, ...]

    def rate(self, rate: float, people: int) -> float:
        """Predict the rate in a gallery of so many people, at a threshold whose rate is known for `self.people`."""
        exponent = np.interp(math.log(max(rate, self.rates[0])), np.log(self.rates), self.exponents)
        return float(_grown(rate, people / self.people, exponent))

    def rate_here(self, wanted: float, people: int) -> float:
        """Return the rate for `self.people` at the threshold that has the wanted rate for so many; 0 if no threshold has."""
        return self._at(wanted, people, self.rates, 0.0)

    def threshold(self, wanted: float, people: int) -> float:
        """Return the threshold that keeps the wanted rate in a gallery of so many people; minus infinity if none does."""
        return self._at(wanted, people, self.thresholds, -math.inf)

    def is_measured(self, wanted: float, people: int) -> bool:
        """Tell if the labelled people show the rate that `threshold` needs. Otherwise the threshold is extrapolated, or missing."""
        return self.rate_here(wanted, people) >= self.measured

    def people_to_measure(self, wanted: float, people: int) -> int:
        """Return about how many labelled people would show the rate that a gallery of so many people needs."""
        return math.ceil(math.sqrt(self.measured * (self.people + 1) * people / wanted))

    def _at(self, wanted: float, people: int, column: Sequence[float], without: float) -> float:
        there = np.maximum.accumulate(_grown(np.array(self.rates), people / self.people, np.array(self.exponents)))
        if wanted < there[0] * (1 - _ROUNDING):
            return without
        return float(np.interp(math.log(wanted), np.log(there), column))

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Make one from what `to_dict` returned. Raises `ValueError`, `KeyError` or `TypeError` for anything else."""
        columns = [tuple(map(float, values[name])) for name in ("rates", "thresholds", "exponents")]
        rates, thresholds, exponents = columns
        people, per_person, measured = int(values["people"]), float(values["per_person"]), float(values["measured"])
        fits = len(rates) == len(thresholds) == len(exponents) > 1 and 0 < rates[0] < rates[-1] < 1
        ordered = bool(np.all(np.diff(rates) > 0) and np.all(np.diff(thresholds) >= 0) and np.isfinite(thresholds).all())
        if not (fits and ordered and people > 0 and per_person > 0 and all(0 < exponent <= 1 for exponent in exponents)):
            raise ValueError("its law of growth is incomplete")
        return cls(people=people, per_person=per_person, measured=measured, rates=rates, thresholds=thresholds, exponents=exponents)


def fit_growth(searches: LabelledSearches, confidence: float, *, guaranteed: bool = False) -> Growth | None:
    """Fit the law to labelled searches.

    Parameters
    ----------
    searches : LabelledSearches
    confidence : float
        Confidence of the limit of a guaranteed rate.
    guaranteed : bool
        Take the thresholds that `ErrorCurve.threshold_for` gives, assume the fastest growth, an exponent of 1, and extrapolate
        nothing.

    Returns
    -------
    Growth or None
        None if there are too few people for any rate to be guaranteed.
    """
    curve = searches.false_positives(confidence)
    rates = np.geomspace(_LEAST, _MOST, math.ceil(math.log(_MOST / _LEAST) / math.log(_STEP)))
    if guaranteed:
        thresholds, exponents = np.array(curve.thresholds_for(rates.tolist())), np.ones(len(rates))
        least = float(rates[np.isfinite(thresholds)].min(initial=1.0))
    else:
        least = min(_SHOWN / searches.people, _FEW)
        thresholds = np.array([curve.expected_threshold(rate) for rate in rates])
        shown = rates >= least
        line = _line(rates[shown], thresholds[shown])
        thresholds[~shown] = np.minimum(line(np.log(rates[~shown])), thresholds[shown][0])
        exponents = np.ones(len(rates))
        exponents[shown] = [_exponent(searches, threshold) for threshold in thresholds[shown]]
        exponents[~shown] = exponents[shown][0]
    kept = np.isfinite(thresholds)
    if np.count_nonzero(kept) < 2:
        return None
    return Growth(
        people=searches.enrolled,
        per_person=searches.per_person,
        measured=least,
        rates=tuple(rates[kept].tolist()),
        thresholds=tuple(np.maximum.accumulate(thresholds[kept]).tolist()),
        exponents=tuple(exponents[kept].tolist()),
    )


def rate_among(searches: LabelledSearches, threshold: float, people: int) -> float:
    """Compute the false positive identification rate in galleries of some of the people, as the mean over all choices of them.

    Parameters
    ----------
    searches : LabelledSearches
    threshold : float
    people : int
        At most `searches.enrolled`.
    """
    near = (searches.closest <= threshold).sum(axis=1)
    missing = searches.enrolled - people
    # None of the near people is chosen: C(missing, near) / C(enrolled, near), one factor for each.
    factors = np.array([max(missing - n, 0) / (searches.enrolled - n) for n in range(min(near.max(initial=0), searches.enrolled))])
    none = np.append(1.0, np.cumprod(factors))
    weights = 1 / np.bincount(searches.persons)[searches.persons]
    return float(np.sum(weights * (1 - none[near])) / searches.people)


def _exponent(searches: LabelledSearches, threshold: float) -> float:
    """Slope of log(-log(1 - rate)) over the logarithm of the number of people."""
    sizes = np.unique(np.geomspace(max(1, searches.enrolled / _SMALLER), searches.enrolled, 8).round().astype(int))
    rates = np.array([rate_among(searches, threshold, int(size)) for size in sizes])
    if len(sizes) < 2 or not (rates[0] > 0 and rates[-1] < 1):
        return 1.0
    slope = np.polyfit(np.log(sizes), np.log(-np.log1p(-rates)), 1)[0]
    return float(np.clip(slope, 0.5, 1.0))


def _grown(rate: Number, times: float, exponent: Number) -> Number:
    """Rate in a gallery of so many times as many people."""
    grown: Number = -np.expm1(np.log1p(-np.minimum(rate, _ALMOST)) * times**exponent)
    return grown


def _line(rates: NDArray[np.float64], thresholds: NDArray[np.float64]) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """Thresholds as a straight line of the logarithm of the rate, which is on the strict side for rates that nobody measured."""
    some = (rates >= _TAIL[0]) & (rates <= _TAIL[1])
    if np.count_nonzero(some) < 2 or np.ptp(thresholds[some]) == 0:
        return lambda logarithms: np.full(len(logarithms), -np.inf)
    slope, offset = np.polyfit(np.log(rates[some]), thresholds[some], 1)
    return lambda logarithms: slope * logarithms + offset


def say_larger(growth: Growth | None, wanted: float, calibrated: int, people: int) -> str:
    """Say what a gallery of more people than were calibrated means for the rate of false matches that is wanted."""
    more = f"the gallery has about {people} people, and the calibration {calibrated}"
    if growth is None:
        return f"{more}: expect up to {people / calibrated:.1f} times as many false answers"
    if growth.is_measured(wanted, people):
        return f"{more}; the distances are adjusted to keep the rate"
    enough = growth.people_to_measure(wanted, people)
    if growth.threshold(wanted, people) == -math.inf:
        return f"{more}: nothing is a match, because no threshold keeps the rate; label about {enough} people"
    return f"{more}: the threshold of a match is extrapolated; label about {enough} people to measure it"
