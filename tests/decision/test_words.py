"""What an answer rests on, in words that can be checked against the numbers."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from gallery.fakes import DIMENSION, make_settings, make_sighting, make_sightings
from resight.decision.cohort import fit_cohort
from resight.decision.words import Usual, explain, look_around
from resight.gallery import Gallery, Match


def ranked(*places: tuple[float, str]) -> list[Match]:
    return [
        Match(rank=rank, distance=distance, record=make_sighting(rank, identity=name))
        for rank, (distance, name) in enumerate(places, 1)
    ]


@pytest.mark.parametrize(
    ("distance", "says"),
    [
        (0.2, "The nearest is at 0.200; for this question, everything up to 0.300 is a match."),
        (0.3, "The nearest is at 0.300; for this question, everything up to 0.300 is a match."),
        (0.35, "The nearest is at 0.350: too far for a match, which is up to 0.300; what is up to 0.400 is possible."),
        (0.5, "The nearest is at 0.500; for this question, only what is within 0.400 would be possible."),
    ],
)
def test_it_says_how_near_the_nearest_is(distance: float, says: str) -> None:
    assert explain(ranked((distance, "")), 0.3, 0.4) == (says,)


@pytest.mark.parametrize(
    ("others", "says"),
    [
        ([(0.25, "anna?"), (0.5, "bob")], "somebody else, bob, is at 0.500, which is too far."),
        ([(0.25, ""), (0.39, "bob"), (0.5, "cid")], "somebody else, bob, is at 0.390, which is possible, too."),
        ([(0.25, "person-3")], "somebody else, person-3, is at 0.250, which is a match, too"),
        ([(0.25, "anna"), (0.26, "")], "Nobody else with a name is among the 3 nearest."),
    ],
)
def test_it_says_how_near_somebody_else_is(others: list[tuple[float, str]], says: str) -> None:
    (_, second) = explain(ranked((0.2, "anna"), *others), 0.3, 0.4)
    assert says in second


def test_without_names_nothing_is_said_of_somebody_else() -> None:
    assert len(explain(ranked((0.2, ""), (0.25, "bob")), 0.3, 0.4)) == 1
    assert explain([], 0.3, 0.4) == ()
    assert "no distance is near enough" in explain(ranked((0.2, "")), -1.0, -1.0)[0]


def test_how_common_a_look_is_here_is_counted_in_the_gallery(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    cohort = fit_cohort(rng.normal(size=(400, DIMENSION)) + 1, "cosine")
    with Gallery.create(tmp_path / "gallery", make_settings(distance="cosine")) as gallery:
        gallery.add(make_sightings(29))
        assert look_around(gallery, cohort) is None
        gallery.add(make_sightings(271, first=29))
        usual = look_around(gallery, cohort)
        assert usual is not None and len(usual.commonness) == 200
        everywhere = cohort.commonness(np.stack([gallery.get(one.id).embedding for one in gallery.records()]))
    assert np.abs(usual.commonness[:, None] - everywhere).min(axis=1).max() < 1e-6 and (np.diff(usual.commonness) >= 0).all()
    for place, word in ((5, "Many"), (100, "neither"), (195, "Few")):
        common = float(usual.commonness[place])
        (_, said) = explain(ranked((0.2, "")), 0.3, 0.4, common=common, usual=usual)
        assert word in said
        counted = int((usual.commonness > common).sum()) if word != "Few" else int((usual.commonness <= common).sum())
        assert re.search(rf"\b{counted} of 200 sightings", said)


def test_no_sentence_holds_a_percentage() -> None:
    usual = Usual(np.linspace(0, 1, 60))
    for distance in (0.1, 0.35, 0.9):
        for common in (0.0, 0.5, 1.0):
            for said in explain(ranked((distance, "a"), (0.95, "b")), 0.3, 0.4, common=common, usual=usual):
                assert "%" not in said and "per cent" not in said and said.endswith(".")
