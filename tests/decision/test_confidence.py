"""Limits of rates, against SciPy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special, stats

from resight.decision.confidence import incomplete_beta, rate_with_limits, upper_exceeds


def test_incomplete_beta_is_scipys() -> None:
    rng = np.random.default_rng(0)
    for _ in range(500):
        a, b = np.exp(rng.uniform(-2, 9, 2)).tolist()
        x = float(rng.beta(a, b))
        assert incomplete_beta(x, a, b) == pytest.approx(special.betainc(a, b, x), abs=1e-9)
    assert incomplete_beta(0.0, 2.0, 3.0) == 0
    assert incomplete_beta(1.0, 2.0, 3.0) == 1


@pytest.mark.parametrize(("count", "size"), [(0, 20), (1, 20), (7, 300), (299, 300), (300, 300)])
def test_independent_observations_have_clopper_and_pearsons_limits(count: int, size: int) -> None:
    rate = count / size
    found = rate_with_limits(rate, rate * (1 - rate) / size, 50.0, size, 0.95)
    expected = stats.binomtest(count, size).proportion_ci(0.9, "exact")  # each limit has half of what is left
    assert found == pytest.approx((rate, expected.low, expected.high), abs=1e-9)


def test_a_small_variance_is_believed_as_far_as_it_is_founded() -> None:
    rate, units, confidence = 0.1, 100, 0.9
    variance = rate * (1 - rate) / 1000
    for freedom in (40.0, 4.0):
        size = 1000 * (stats.norm.ppf(confidence) / stats.t.ppf(confidence, freedom)) ** 2
        expected = stats.beta.ppf(confidence, rate * size + 1, size - rate * size)
        assert rate_with_limits(rate, variance, freedom, units, confidence).upper == pytest.approx(expected, abs=1e-9)
    unfounded = rate_with_limits(rate, variance, 0.0, units, confidence)
    assert unfounded == rate_with_limits(rate, rate * (1 - rate) / units, 0.0, units, confidence)
    # A large one, as where one person causes all false matches, is believed at once.
    expected = stats.beta.ppf(confidence, rate * 10 + 1, 10 - rate * 10)
    assert rate_with_limits(rate, rate * (1 - rate) / 10, 1.0, units, confidence).upper == pytest.approx(expected, abs=1e-9)


def test_a_limit_is_compared_without_being_computed() -> None:
    rng = np.random.default_rng(0)
    answers = []
    for _ in range(300):
        rate = float(rng.choice([0.0, 1.0, *rng.uniform(0, 1, 6)]))
        of = (rate, rate * (1 - rate) * float(rng.choice([0.0, 0.3, 0.002])), float(rng.uniform(0, 50)), 100.0, 0.9)
        wanted = float(rng.choice([rate + 0.02, rate + 0.08, 0.5, 1.0]))
        answers.append(upper_exceeds(wanted, *of))
        assert answers[-1] == (rate_with_limits(*of).upper > wanted)
    assert 50 < sum(answers) < 250
