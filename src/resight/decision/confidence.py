"""Confidence limits of a rate with dependent observations."""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist
from typing import NamedTuple

__all__ = ["Rate", "incomplete_beta", "rate_elsewhere", "rate_with_limits", "upper_exceeds"]

_HALVINGS = 50  # of [0, 1]: beyond float64's digits
_TINY = 1e-300


class Rate(NamedTuple):
    """A measured rate, and limits of the true one or of the one that other people show.

    Attributes
    ----------
    value, lower, upper : float
        In [0, 1].
    """

    value: float
    lower: float
    upper: float


def rate_with_limits(rate: float, variance: float, freedom: float, units: float, confidence: float) -> Rate:
    """Compute exact binomial limits (Clopper and Pearson) for the number of independent observations that has this variance [1]_.

    A variance from few observations is uncertain. Beyond `units`, the number of observations therefore shrinks by the squared ratio
    of the normal quantile to Student's. Up to `units` this is not needed, because no average of numbers from 0 to 1 varies more
    than a count.

    Parameters
    ----------
    rate : float
        Measured rate, in [0, 1].
    variance : float
        Variance of `rate`.
    freedom : float
        Degrees of freedom of `variance`.
    units : float
        Number of independent things averaged.
    confidence : float
        Confidence of each limit, in (0.5, 1).

    Returns
    -------
    Rate

    Examples
    --------
    >>> round(rate_with_limits(0.0, 0.0, 0.0, 300, 0.95).upper, 4)  # the rule of three: 3 / 300
    0.0099

    References
    ----------
    .. [1] E. L. Korn, B. I. Graubard, "Confidence Intervals for Proportions with Small Expected Number of Positive Counts Estimated
           from Survey Data", Survey Methodology 24(2), 1998.
    """
    rate = min(max(rate, 0.0), 1.0)
    return Rate(rate, *_limits(rate, _size(rate, variance, freedom, units, confidence), confidence))


def rate_elsewhere(rate: float, variance: float, freedom: float, units: float, confidence: float) -> Rate:
    """Compute limits between which, with a confidence, lies the rate that as many other people show; see `rate_with_limits`.

    Both rates vary, so the variance is twice that of one. Two counts of one mean are 0 and n with a chance of 1 in 2^n, so the
    lower limit is 0 up to the count for which that chance is as small as the confidence demands.
    """
    rate = min(max(rate, 0.0), 1.0)
    each = (1 + confidence) / 2
    lower, upper = _limits(rate, _size(rate, 2 * variance, freedom, units / 2, each), each)
    count = rate * _size(rate, variance, freedom, units, each)
    return Rate(rate, 0.0 if 0.5**count >= 1 - each else lower, upper)


def upper_exceeds(wanted: float, rate: float, variance: float, freedom: float, units: float, confidence: float) -> bool:
    """Tell if the upper limit that `rate_with_limits` computes is above a wanted rate, in a fiftieth of its time."""
    rate = min(max(rate, 0.0), 1.0)
    if rate == 1 or wanted >= 1:
        return wanted < 1
    least = min(rate * (1 - rate) / variance, units) if variance > 0 and rate > 0 else units
    for size in (least, _size(rate, variance, freedom, units, confidence)):
        if incomplete_beta(wanted, rate * size + 1, size - rate * size) >= confidence:
            return False  # the first looks at as few observations as can be: more would bring the limit down further
    return True


def _size(rate: float, variance: float, freedom: float, units: float, confidence: float) -> float:
    """Number of independent observations that has a variance, as far as it can be believed."""
    if not (variance > 0 and 0 < rate < 1):
        return units
    size = rate * (1 - rate) / variance
    return size if size <= units else max(units, size * _believed(freedom, confidence))


def _limits(rate: float, size: float, confidence: float) -> tuple[float, float]:
    count = rate * size
    lower = 0.0 if rate == 0 else _quantile(1 - confidence, count, size - count + 1)
    upper = 1.0 if rate == 1 else _quantile(confidence, count + 1, size - count)
    return lower, upper


def incomplete_beta(x: float, a: float, b: float) -> float:
    """Compute the regularised incomplete beta function by its continued fraction [1]_, because the core does not need SciPy.

    Parameters
    ----------
    x : float
        In [0, 1].
    a, b : float
        Positive.

    References
    ----------
    .. [1] NIST Digital Library of Mathematical Functions, 8.17.22, evaluated by Lentz's method.
    """
    if not 0 < x < 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):  # where it converges slowly
        return 1 - incomplete_beta(1 - x, b, a)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x))
    fraction, numerator, denominator, step = 1.0, 1.0, 0.0, 0
    factor = 0.0
    while abs(factor - 1) > 1e-14 and step < 10_000:
        step += 1
        m = step // 2
        if step % 2:
            term = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            term = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        denominator = 1 / ((1 + term * denominator) or _TINY)
        numerator = (1 + term / numerator) or _TINY
        factor = numerator * denominator
        fraction *= factor
    return front / (a * fraction)


def _believed(freedom: float, confidence: float) -> float:
    """Return the squared ratio of the normal quantile to Student's, for freedom to three digits."""
    return 0.0 if freedom <= 0 else _squared_ratio(float(f"{freedom:.3g}"), confidence)


@lru_cache(maxsize=4096)
def _squared_ratio(freedom: float, confidence: float) -> float:
    ratio = _quantile(2 * (1 - confidence), freedom / 2, 0.5)  # of Student's t: freedom / (freedom + t^2)
    return NormalDist().inv_cdf(confidence) ** 2 * ratio / (freedom * (1 - ratio))


def _quantile(probability: float, a: float, b: float) -> float:
    """Return the quantile of the beta distribution."""
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if incomplete_beta(middle, a, b) < probability:
            low = middle
        else:
            high = middle
    return (low + high) / 2
