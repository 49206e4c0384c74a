"""The law of growth: against galleries that were really searched, where the truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from decision.test_calibration import Population
from resight.decision.growth import Growth, fit_growth, rate_among
from resight.decision.people_distances import people_distances

POPULATION = Population(0.3)


def true_rate(distances: NDArray[np.float32], threshold: float) -> float:
    return float(np.searchsorted(distances, threshold, side="right") / len(distances))


def test_the_rate_among_some_people_is_the_mean_over_all_choices() -> None:
    """Every one of the 56 choices of five of eight others, for everybody."""
    from itertools import combinations

    rng = np.random.default_rng(1)
    vectors = POPULATION.draw(rng, 9).reshape(-1, 6)
    who, cameras = np.repeat(np.arange(1, 10), 3), np.tile(np.arange(3), 9)
    found = people_distances(*[vectors, who, cameras] * 2, "euclidean")
    searches = found.among()
    for threshold in np.quantile(searches.strangers, [0.1, 0.5, 0.9]):
        shares = []
        for person in range(9):
            rows = found.between[found.persons == person]
            others = [other for other in range(9) if other != person]
            hits = [(rows[:, list(some)] <= threshold).any(axis=1).mean() for some in combinations(others, 5)]
            shares.append(np.mean(hits))
        assert rate_among(searches, threshold, 5) == pytest.approx(np.mean(shares), abs=1e-9)
        assert rate_among(searches, threshold, 8) == pytest.approx(searches.false_positives(0.9).at(threshold).value, abs=1e-9)


def test_the_rate_and_the_threshold_are_predicted_for_larger_and_smaller_galleries() -> None:
    rng = np.random.default_rng(5)
    galleries = {people: POPULATION.nearest_strangers(rng, people) for people in (20, 200)}
    predicted, moved = {people: [] for people in galleries}, {people: [] for people in galleries}
    for _ in range(12):
        searches = POPULATION.searches(rng, 100)
        growth = fit_growth(searches, 0.95)
        at = searches.false_positives(0.95).expected_threshold(0.1)
        for people, nearest in galleries.items():
            predicted[people].append(growth.rate(0.1, people) / true_rate(nearest, at))
            moved[people].append(true_rate(nearest, growth.threshold(0.1, people)))
    assert 0.75 < np.mean(predicted[20]) < 1.2  # where the true rate is 3 per cent
    assert 0.08 < np.mean(moved[20]) < 0.12
    # A seventh of the people look alike, and are soon all found: the rate grows ever more slowly, and the law is on the safe side.
    assert 1 < np.mean(predicted[200]) < 1.4
    assert 0.08 < np.mean(moved[200]) < 0.12


def test_what_the_people_do_not_show_is_extrapolated_to_the_strict_side() -> None:
    rng = np.random.default_rng(6)
    nearest = POPULATION.nearest_strangers(rng, 400)
    rates = []
    for _ in range(8):
        growth = fit_growth(POPULATION.searches(rng, 60), 0.95)
        assert growth.is_measured(0.1, 100)
        assert not growth.is_measured(0.05, 400)
        assert growth.people_to_measure(0.05, 400) == 127  # where 2 people of 127 would be falsely found
        rates.append(true_rate(nearest, growth.threshold(0.05, 400)))
    assert 0 < np.mean(rates) < 0.07


def test_a_guaranteed_rate_grows_as_fast_as_can_be_and_is_not_extrapolated() -> None:
    searches = POPULATION.searches(np.random.default_rng(2), 100)
    curve, growth = searches.false_positives(0.95), fit_growth(searches, 0.95, guaranteed=True)
    assert set(growth.exponents) == {1.0}
    assert growth.rate(0.1, 2 * growth.people) == pytest.approx(1 - 0.9**2)
    assert growth.threshold(0.3, growth.people) == pytest.approx(curve.threshold_for(0.3), rel=0.02)
    assert growth.threshold(0.3, growth.people) > growth.threshold(0.3, 2 * growth.people) > -np.inf
    assert growth.threshold(0.1, 10 * growth.people) == -np.inf


def test_a_file_keeps_it_and_damage_is_named() -> None:
    growth = fit_growth(POPULATION.searches(np.random.default_rng(2), 40), 0.95)
    assert Growth.from_dict(growth.to_dict()) == growth
    for damage in ({"exponents": (0.0,) * 9}, {"people": 0}, {"rates": growth.rates[1:]}, {"thresholds": growth.thresholds[::-1]}):
        with pytest.raises(ValueError, match="law of growth"):
            Growth.from_dict(growth.to_dict() | damage)


def test_three_people_are_enough_for_a_law() -> None:
    growth = fit_growth(POPULATION.searches(np.random.default_rng(2), 3), 0.95)
    assert growth is not None
    assert Growth.from_dict(growth.to_dict()).threshold(0.4, 2) > -np.inf
    assert fit_growth(POPULATION.searches(np.random.default_rng(2), 3), 0.99, guaranteed=True) is None
