"""The rate of false matches that is predicted without labels, beside the one that labels measure."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from resight.decision.cohort import Cohort, fit_cohort
from resight.decision.people_distances import search_everybody
from resight.decision.strangers import FEWEST, Side, StrangerLaw, fit_strangers
from resight.errors import ArrayError

RATES = (0.02, 0.05, 0.1)


def draw(people: int, seed: int, dimensions: int = 6) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]:
    """People whose looks are spread evenly over a sphere, each seen twice by two or three of four cameras."""
    rng = np.random.default_rng(seed)
    looks = rng.normal(size=(people, dimensions))
    looks /= np.linalg.norm(looks, axis=1, keepdims=True)
    counts = rng.integers(2, 4, people)
    by = np.concatenate([np.repeat(rng.permutation(4)[:count], 2) for count in counts])
    who = np.repeat(np.arange(people), 2 * counts)
    return (looks[who] + 0.005 * rng.normal(size=(len(who), dimensions))).astype(np.float32), who + 1, by


def law_of(
    vectors: NDArray[np.float32],
    who: NDArray[np.int64],
    by: NDArray[np.int64],
    distance: str = "cosine",
    cohort: Cohort | None = None,
) -> StrangerLaw:
    """The law of images that ask among each other."""
    side = Side(vectors, who, by)
    return fit_strangers(side, side, distance, cohort=cohort)


@pytest.mark.parametrize("normalised", [False, True])
@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
def test_the_rate_is_what_labels_measure_on_other_people(distance: str, normalised: bool) -> None:
    cohort = fit_cohort(draw(200, 5)[0], distance) if normalised else None
    ratios = []
    for seed in range(4):
        law = law_of(*draw(250, seed), distance, cohort)
        curve = search_everybody(*draw(250, 100 + seed), distance, cohort=cohort).false_positives(0.95)
        ratios.append([curve.at(law.threshold_for(rate)).value / rate for rate in RATES])
    found = np.mean(ratios, axis=0)
    assert law.people == 250
    assert (found > 0.5).all() and (found < 2).all(), found


def test_the_law_counts_what_points_on_a_globe_must_be() -> None:
    """Of people spread evenly over a globe, half of d are within a cosine distance of d, whoever asks (Archimedes)."""
    rng = np.random.default_rng(0)
    people = 3000
    law = law_of(rng.normal(size=(people, 3)), np.arange(1, people + 1), rng.integers(0, 3, people))
    assert law.powers == pytest.approx(1, abs=0.05)
    for threshold in (1e-5, 1e-4, 1e-3):
        expected = 1 - (1 - threshold / 2) ** (people - 1)
        assert law.rate(threshold) == pytest.approx(expected, rel=0.1)
        assert law.threshold_for(expected) == pytest.approx(threshold, rel=0.15)


def test_a_larger_gallery_has_a_stricter_threshold() -> None:
    vectors, who, by = draw(120, 1)
    law = law_of(vectors, who, by)
    thresholds = [law.threshold_for(0.05, times=times) for times in (0.5, 1, 4)]
    assert thresholds == sorted(thresholds, reverse=True)
    for times, threshold in zip((0.5, 1, 4), thresholds, strict=True):
        assert law.rate(threshold, times=times) == pytest.approx(0.05, rel=1e-6)


def test_several_tracklets_of_a_person_are_one_stranger() -> None:
    """A person seen ten times instead of once is no more likely to be mistaken for somebody, if all ten look the same."""
    vectors, who, by = draw(100, 2)
    once = np.unique(who, return_index=True)[1]
    often = np.repeat(once, 10)
    law, same = (law_of(vectors[some], who[some], by[some]) for some in (once, often))
    assert same.threshold_for(0.1) == pytest.approx(law.threshold_for(0.1), rel=1e-6)


def test_too_few_people_and_wrong_shapes_are_refused() -> None:
    vectors, who, by = draw(FEWEST - 1, 3)
    with pytest.raises(ArrayError, match="29 people; expected at least 30"):
        law_of(vectors, who, by)
    with pytest.raises(ArrayError, match="expected as many"):
        law_of(vectors, who[1:], by)
