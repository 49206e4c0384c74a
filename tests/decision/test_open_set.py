"""Open-set searches: against loops, and the variance against leaving people out for real."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from resight.decision import people_distances as measuring
from resight.decision.open_set import LabelledSearches
from resight.decision.people_distances import people_distances, search_everybody
from resight.distances import DISTANCES
from resight.errors import ArrayError, ConfigurationError

Labelled = tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]


def draw(seed: int = 0, people: int = 12) -> Labelled:
    """One to five images of each person in any order, by three cameras; distances tie, since numbers are few."""
    rng = np.random.default_rng(seed)
    who = rng.permutation(np.repeat(rng.permutation(50)[:people] + 1, rng.integers(1, 6, people)))
    centres = rng.integers(-4, 5, (51, 3))
    return (centres[who] + rng.integers(-1, 2, (len(who), 3))).astype(np.float32), who, rng.integers(1, 4, len(who))


def rate_by_loops(vectors: NDArray[np.float32], who: NDArray[np.int64], threshold: float) -> float:
    """The false positive identification rate, as its definition says it."""
    distances = DISTANCES["euclidean"].between(vectors, vectors)
    people = sorted(set(who.tolist()))
    shares = [
        np.mean([(distances[row, who != person] <= threshold).any() for row in np.flatnonzero(who == person)]) for person in people
    ]
    return float(np.mean(shares))


@pytest.mark.parametrize("distance", ["euclidean", "cosine"])
@pytest.mark.parametrize("block", [1, 100, 1 << 20])
def test_every_image_finds_what_a_loop_finds(distance: str, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "_BLOCK", block)
    vectors, who, cameras = draw()
    rng = np.random.default_rng(1)
    vectors += rng.normal(0, 0.01, vectors.shape).astype(np.float32)  # no ties: the nearest person is one
    searches = search_everybody(vectors, who, cameras, distance)
    distances = DISTANCES[distance].between(vectors, vectors)
    numbers = {person: number for number, person in enumerate(sorted(set(who.tolist())))}
    for place, row in enumerate(np.argsort(who, kind="stable")):
        others = np.where(who != who[row], distances[row], np.inf)
        nearest = who[others.argmin()]
        assert searches.persons[place] == numbers[who[row]]
        assert searches.strangers[place] == pytest.approx(others.min(), rel=1e-5)
        assert searches.nearest[place] == numbers[nearest]
        assert searches.next_strangers[place] == pytest.approx(others[who != nearest].min(), rel=1e-5)
        own = distances[row][(who == who[row]) & (cameras != cameras[row])]
        assert searches.own[place] == pytest.approx(own.min(initial=np.inf), rel=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_rate_and_variance_are_those_of_leaving_people_out(seed: int) -> None:
    vectors, who, cameras = draw(seed)
    curve = search_everybody(vectors, who, cameras, "euclidean").false_positives(0.95)
    people = np.unique(who)
    assert len(curve.thresholds) > 4
    for threshold, rate, variance in zip(curve.thresholds, curve.rates, curve.variances, strict=True):
        assert rate == pytest.approx(rate_by_loops(vectors, who, threshold))
        without = [rate_by_loops(vectors[who != person], who[who != person], threshold) for person in people]
        jackknife = (len(people) - 1) ** 2 / len(people) * np.var(without, ddof=1)
        assert variance == pytest.approx(jackknife, abs=1e-12)


@pytest.mark.parametrize("block", [1, 1 << 20])
def test_a_gallery_of_others_is_searched_as_a_loop_does(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some who ask are not in the gallery, some in the gallery never ask, and some have no name."""
    monkeypatch.setattr(measuring, "_BLOCK", block)
    (asking, who, seen_by), (images, whose, cameras) = draw(1), draw(2, people=20)
    whose[np.isin(whose, np.unique(whose)[:3])] = 0
    whose[whose == np.unique(whose)[-1]] = -1
    rng = np.random.default_rng(1)
    asking += rng.normal(0, 0.01, asking.shape).astype(np.float32)
    found = people_distances(asking, who, seen_by, images, whose, cameras, "euclidean").among()
    distances = DISTANCES["euclidean"].between(asking, images)
    names = sorted(set(who.tolist()))
    assert set(names) - set(whose.tolist())
    assert found.people == len(names)
    assert found.enrolled == len(set(whose[whose > 0].tolist())) - 1
    for place, row in enumerate(np.argsort(who, kind="stable")):
        others = np.where((whose != who[row]) & (whose != -1), distances[row], np.inf)
        nearest = whose[others.argmin()]
        assert found.persons[place] == names.index(who[row])
        assert found.nearest[place] == (names.index(nearest) if nearest in names else -1)
        people = {name: others[whose == name].min() for name in {*whose.tolist()} - {-1, who[row]}}
        kept = found.closest[place][np.isfinite(found.closest[place])]
        assert kept == pytest.approx(sorted(people.values())[: len(kept)], rel=1e-5)
        own = distances[row][(whose == who[row]) & (cameras != seen_by[row])]
        assert found.own[place] == pytest.approx(own.min(initial=np.inf), rel=1e-5)
    # Who is nobody among those who ask is nobody's fault: only people who ask are left out one by one.
    assert (np.diff(found.false_positives(0.9).rates) > 0).all()


def test_some_people_among_each_other_are_searched_as_if_there_were_no_others() -> None:
    vectors, who, cameras = draw(3, people=30)
    chosen = np.arange(30) % 3 > 0
    found = people_distances(*[vectors, who, cameras] * 2, "euclidean").among(chosen)
    rows = np.isin(who, np.unique(who)[chosen])
    alone = search_everybody(vectors[rows], who[rows], cameras[rows], "euclidean")
    assert found.people == alone.people == 20
    for name in ("persons", "strangers", "next_strangers", "own"):
        assert getattr(found, name).tolist() == getattr(alone, name).tolist()


def test_misses_are_counted_by_person() -> None:
    vectors, who, cameras = draw(4)
    curve = search_everybody(vectors, who, cameras, "euclidean").misses(0.95)
    assert curve is not None
    distances = DISTANCES["euclidean"].between(vectors, vectors)
    for threshold in (-1.0, *curve.thresholds[1:].tolist(), 99.0):
        shares = []
        for person in np.unique(who):
            rows = [row for row in np.flatnonzero(who == person) if (cameras[who == person] != cameras[row]).any()]
            if rows:
                found = [(distances[row][(who == person) & (cameras != cameras[row])] <= threshold).any() for row in rows]
                shares.append(1 - np.mean(found))
        assert curve.at(threshold).value == pytest.approx(np.mean(shares))
        step = int(np.searchsorted(curve.thresholds, threshold, side="right")) - 1
        assert curve.variances[step] == pytest.approx(np.var(shares, ddof=1) / len(shares), abs=1e-12)
        assert 2 * len(shares) > curve.freedoms[step] - 1e-6


def test_rates_are_monotone_and_lie_between_their_limits() -> None:
    searches = search_everybody(*draw(5), "euclidean")
    false, missed = searches.false_positives(0.9), searches.misses(0.9)
    assert missed is not None
    assert (np.diff(false.rates) > 0).all()
    assert (np.diff(missed.rates) < 0).all()
    assert false.rates[-1] == pytest.approx(1)
    assert missed.rates[-1] == pytest.approx(0, abs=1e-12)
    for curve in (false, missed):
        for threshold in curve.thresholds:
            value, lower, upper = curve.at(threshold)
            assert 0 <= lower <= value <= upper <= 1


def test_a_threshold_stops_before_the_first_rate_that_cannot_be_promised() -> None:
    curve = search_everybody(*draw(6, people=40), "euclidean").false_positives(0.9)
    chosen = [curve.threshold_for(wanted) for wanted in (0.12, 0.3, 0.6, 0.9)]
    assert chosen == sorted(chosen)
    for wanted, threshold in zip((0.12, 0.3, 0.6, 0.9), chosen, strict=True):
        assert curve.at(threshold).upper <= wanted
        following = curve.thresholds[curve.thresholds > threshold][0]
        assert curve.at(following).upper > wanted
        assert np.nextafter(np.float32(threshold), np.float32(np.inf)) == following  # not one image more could be answered


def test_equal_distances_count_together() -> None:
    """Everybody looks the same: either all searches are answered, or none."""
    who = np.repeat(np.arange(1, 41), 2)
    searches = search_everybody(np.ones((80, 4)), who, np.tile([1, 2], 40), "cosine")
    curve = searches.false_positives(0.95)
    assert curve.rates.tolist() == [0, pytest.approx(1)]
    assert curve.at(curve.threshold_for(0.2)).value == 0


def test_one_camera_cannot_miss_and_nobody_is_left_out() -> None:
    vectors, who, _ = draw(7)
    everybody = search_everybody(vectors, who, np.ones_like(who), "euclidean")
    assert everybody.misses(0.95) is None
    assert np.isfinite(everybody.strangers).all()
    more = np.concatenate([vectors, vectors[:5]]), np.append(who, [0, -1, 0, -1, -1]), np.ones(len(who) + 5)
    again = search_everybody(*more, "euclidean")
    assert again.strangers.tolist() == everybody.strangers.tolist()


def test_what_cannot_be_searched_is_refused() -> None:
    vectors, who, cameras = draw()
    with pytest.raises(ArrayError, match="NaN"):
        search_everybody(np.where(np.arange(3) == 1, np.nan, vectors), who, cameras, "euclidean")
    with pytest.raises(ArrayError, match="as many of each"):
        search_everybody(vectors, who[1:], cameras, "euclidean")
    with pytest.raises(ArrayError, match="2 people; expected at least three"):
        search_everybody(vectors, who % 2 + 1, cameras, "euclidean")
    with pytest.raises(ArrayError, match="0 people"):
        search_everybody(vectors, who * 0, cameras, "euclidean")
    with pytest.raises(ConfigurationError, match="'manhattan' is unknown"):
        search_everybody(vectors, who, cameras, "manhattan")


def test_searches_are_independent_of_the_order_of_images() -> None:
    vectors, who, cameras = draw(8)
    order = np.random.default_rng(0).permutation(len(who))

    def figures(searches: LabelledSearches) -> list[list[float]]:
        curve = searches.false_positives(0.95)
        return [curve.thresholds.tolist(), np.round(curve.rates, 12).tolist(), np.round(curve.variances, 9).tolist()]

    shuffled = search_everybody(vectors[order], who[order], cameras[order], "euclidean")
    assert figures(shuffled) == figures(search_everybody(vectors, who, cameras, "euclidean"))
