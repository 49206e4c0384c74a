"""A rate as a function of the threshold: a mean over people, with its variance over people."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from resight.decision.confidence import Rate, rate_elsewhere, rate_with_limits, upper_exceeds

__all__ = ["ErrorCurve", "mean_steps"]

_ROUNDING = 1e-12  # in a rate or its limit
_NEAR = 0.01  # when a number is found


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
        """Return the rate at a threshold, and limits of the true one; each holds by itself."""
        return self._with(rate_with_limits, threshold)

    def elsewhere(self, threshold: float) -> Rate:
        """Return the rate at a threshold, and limits between which lies the rate of as many other people."""
        return self._with(rate_elsewhere, threshold)

    def halving(self, threshold: float) -> float:
        """Return how many times as many people would bring the limits of `elsewhere` to half their distance."""

        def distance(times: float) -> float:
            found = self._with(rate_elsewhere, threshold, times)
            return found.upper - found.lower

        wanted, low, high = distance(1) / 2, 1.0, 2.0
        while distance(high) > wanted:
            low, high = high, 2 * high
        while high - low > _NEAR * low:
            middle = (low + high) / 2
            low, high = (middle, high) if distance(middle) > wanted else (low, middle)
        return high

    def threshold_for(self, wanted: float) -> float:
        """Return the largest threshold up to which the upper limit stays at or below a wanted rate, for rates that grow.

        The search walks up from rate zero and stops at the first failure. The threshold found therefore has the confidence of a
        single limit, without correction for the number of thresholds tried [1]_. It is minus infinity if even a rate of zero has
        an upper limit above the wanted one.

        References
        ----------
        .. [1] S. Bates et al., "Distribution-Free, Risk-Controlling Prediction Sets", J. ACM 68(6), 2021, theorem 1.
        """
        return self.thresholds_for([wanted])[0]

    def thresholds_for(self, wanted: Sequence[float]) -> list[float]:
        """Return `threshold_for` of several rates that grow, with one walk."""
        steps = list(zip(self.rates.tolist(), self.variances.tolist(), self.freedoms.tolist(), strict=True))
        found, step = [], 0
        for rate in wanted:
            while step < len(steps) and not upper_exceeds(rate + _ROUNDING, *steps[step], self.units, self.confidence):
                step += 1
            last = self.thresholds[-1] if step == len(self.thresholds) else np.nextafter(self.thresholds[step], np.float32(-np.inf))
            found.append(float(last))
        return found

    def expected_threshold(self, wanted: float) -> float:
        """Return the largest threshold up to which the measured rate stays at or below a wanted one, for rates that grow."""
        above = self.rates > wanted + _ROUNDING
        if not above.any():
            return float(self.thresholds[-1])
        return float(np.nextafter(self.thresholds[above.argmax()], np.float32(-np.inf)))

    def _with(self, limits: Callable[..., Rate], threshold: float, times: float = 1.0) -> Rate:
        """Rate and limits for so many times as many people."""
        step = int(np.searchsorted(self.thresholds, threshold, side="right")) - 1
        rate, variance, freedom = (float(column[step]) for column in (self.rates, self.variances, self.freedoms))
        return limits(rate, variance / times, freedom * times, self.units * times, self.confidence)


def mean_steps(
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
