"""A cohort says how common an appearance is; thresholds that know it miss fewer people."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from gallery.fakes import ColourModel, make_settings
from resight.decision.calibrate import calibrate
from resight.decision.calibration import Calibration
from resight.decision.cohort import Cohort, fit_cohort, shipped_cohort
from resight.decision.decide import decide
from resight.decision.open_set import LabelledSearches
from resight.decision.people_distances import search_everybody
from resight.errors import ArrayError, GalleryError, ModelMismatchError
from resight.models import load_model
from resight.shipped import SHIPPED

DIMENSIONS, IMAGES = 8, 4


def draw(people: int, seed: int) -> NDArray[np.float32]:
    """People of whom half look like many others: (people * IMAGES, DIMENSIONS)."""
    rng = np.random.default_rng(seed)
    rare = people - people // 2
    alike = rng.normal(size=(people // 2, DIMENSIONS)) * 0.25 + 1
    common = np.concatenate([alike, rng.normal(size=(rare, DIMENSIONS))])
    return (common[:, None] + 0.12 * rng.normal(size=(people, IMAGES, DIMENSIONS))).reshape(-1, DIMENSIONS).astype(np.float32)


def searches(people: int, seed: int, cohort: Cohort | None) -> LabelledSearches:
    who = np.repeat(np.arange(1, people + 1), IMAGES)
    return search_everybody(draw(people, seed), who, np.tile(np.arange(IMAGES), people), "euclidean", cohort=cohort)


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return fit_cohort(draw(200, 9), "euclidean")


@pytest.mark.parametrize("distance", ["euclidean", "cosine"])
def test_commonness_is_the_mean_distance_to_the_nearest_centres(distance: str) -> None:
    vectors = draw(200, 1)
    made = fit_cohort(vectors, distance)
    assert (len(made.centres), made.neighbours) == (200, 5)
    queries, centres = draw(5, 2)[:7].astype(np.float64), made.centres / made.scale
    if distance == "cosine":
        unit = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (queries, centres)]
        between = 1 - unit[0] @ unit[1].T
    else:
        between = np.linalg.norm(queries[:, None] - centres, axis=2)
    np.testing.assert_allclose(made.commonness(queries), np.sort(between)[:, :5].mean(1), rtol=1e-5, atol=1e-6)


def test_centres_are_means_of_the_crops_nearest_to_them() -> None:
    rng = np.random.default_rng(0)
    places = rng.normal(size=(50, DIMENSIONS)) * 10
    made = fit_cohort(np.repeat(places, 4, axis=0) + 0.01 * rng.normal(size=(200, DIMENSIONS)), "euclidean")
    centres = made.centres / made.scale
    of = np.linalg.norm(places[:, None] - centres, axis=2).argmin(1)
    groups = [places[of == number].mean(0) for number in np.unique(of)]
    np.testing.assert_allclose(centres[np.unique(of)], groups, atol=0.5 / made.scale + 0.05)


def test_fewer_present_people_are_missed(cohort: Cohort) -> None:
    def missed(with_cohort: Cohort | None) -> float:
        fitted = calibrate(searches(100, 0, with_cohort), ColourModel(), "euclidean", rate=0.05, cohort=with_cohort)
        others = searches(100, 1, with_cohort)
        assert others.false_positives(0.95).at(fitted.match.threshold).value < 0.12
        misses = others.misses(0.95)
        assert misses is not None
        return misses.at(fitted.match.threshold).value

    assert missed(cohort) < 0.8 * missed(None)


def test_the_answer_depends_on_the_query_and_survives_a_file(cohort: Cohort, tmp_path: Path) -> None:
    made = calibrate(searches(100, 0, cohort), ColourModel(), "euclidean", rate=0.05, cohort=cohort)
    made.save(tmp_path / "calibration.json")
    loaded = Calibration.load(tmp_path / "calibration.json")
    common, rare = np.full(DIMENSIONS, 1.0), np.full(DIMENSIONS, -2.0)
    for query in (common, rare):
        match, possible = loaded.thresholds(query)
        assert (match, possible) == made.thresholds(query)
        assert match == made.match.threshold + cohort.commonness(query[None])[0]
        assert decide([match, np.nextafter(match, 9), np.nextafter(possible, 9)], loaded, query).tolist() == [
            "match",
            "possible",
            "unknown",
        ]
    assert loaded.thresholds(common) < loaded.thresholds(rare)
    with pytest.raises(ArrayError, match="the calibration has a cohort, which needs the vector"):
        decide([0.1], loaded)
    with pytest.raises(ArrayError, match="holds 3 numbers and the cohort has 8"):
        decide([0.1], loaded, np.zeros(3))
    with pytest.raises(ModelMismatchError):
        loaded.check(make_settings(distance="cosine"))


@pytest.mark.parametrize(
    ("name", "value"), [("centres", "AAAA"), ("centres", "!"), ("scale", 0), ("neighbours", 10**6), ("distance", "nearness")]
)
def test_a_damaged_cohort_is_named(name: str, value: object, cohort: Cohort, tmp_path: Path) -> None:
    made = calibrate(searches(100, 0, cohort), ColourModel(), "euclidean", rate=0.05, cohort=cohort)
    values = made.to_dict()
    values["cohort"][name] = value
    with pytest.raises(ValueError, match=r"its cohort|distance|base64"):
        Cohort.from_dict(values["cohort"])
    path = tmp_path / "calibration.json"
    made.save(path)
    path.write_text(path.read_text().replace('"neighbours": 5', '"neighbours": 0'))
    with pytest.raises(GalleryError, match="is not a calibration"):
        Calibration.load(path)


def test_too_few_crops_are_refused() -> None:
    with pytest.raises(ArrayError, match="199 crops of strangers; a cohort needs at least 200"):
        fit_cohort(draw(50, 0)[:199], "euclidean")


@pytest.mark.parametrize("name", SHIPPED)
def test_the_shipped_cohort_belongs_to_the_shipped_model(name: str) -> None:
    made = shipped_cohort(name)
    assert made is not None
    model = load_model(name)
    assert (made.centres.shape[1], made.distance) == (model.embedding_size, model.distance)
