"""Thresholds keep what they promise where the truth is known, and nothing else is promised."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from gallery.fakes import ColourModel, make_settings, make_sighting
from resight import models
from resight.cli import main
from resight.datasets import open_dataset
from resight.decision.calibrate import calibrate, least_people
from resight.decision.calibration import NOTHING, Calibration, OperatingPoint, kind_kept
from resight.decision.cohort import fit_cohort
from resight.decision.confidence import Rate
from resight.decision.decide import decide
from resight.decision.links import fit_links
from resight.decision.open_set import LabelledSearches
from resight.decision.people_distances import people_distances, search_everybody
from resight.decision.tracklets import fuse_tracklets
from resight.distances import DISTANCES
from resight.errors import ArrayError, ConfigurationError, GalleryError, ModelMismatchError

PEOPLE, IMAGES = 100, 3


class Population(NamedTuple):
    """People as points, some of whom look like many others, and their images as noise around them."""

    noise: float

    def draw(self, rng: np.random.Generator, people: int) -> NDArray[np.float32]:
        """Shape (people, IMAGES, 6)."""
        centres = rng.standard_normal((people, 6)) * rng.choice([0.3, 1.2], (people, 1), p=[0.15, 0.85])
        return (centres[:, None] + self.noise * rng.standard_normal((people, IMAGES, 6))).astype(np.float32)

    def searches(self, rng: np.random.Generator, people: int) -> LabelledSearches:
        vectors = self.draw(rng, people).reshape(-1, 6)
        who = np.repeat(np.arange(1, people + 1), IMAGES)
        return search_everybody(vectors, who, np.tile(np.arange(IMAGES), people), "euclidean")

    def nearest_strangers(self, rng: np.random.Generator, people: int) -> NDArray[np.float32]:
        """Sorted distances of fresh queries to fresh galleries of `people`: what the true rate is read from."""
        queries = self.draw(rng, 1000)[:, 0]
        galleries = (self.draw(rng, people).reshape(-1, 6) for _ in range(60))
        return np.sort(np.concatenate([DISTANCES["euclidean"].between(queries, gallery).min(axis=1) for gallery in galleries]))

    def nearest_own(self, rng: np.random.Generator) -> NDArray[np.float32]:
        """Sorted distances of fresh queries to the nearest other image of their person."""
        images = self.draw(rng, 40_000)
        return np.sort(np.linalg.norm(images[:, :1] - images[:, 1:], axis=2).min(axis=1))


def calibrated(searches: LabelledSearches, **changes: float) -> Calibration:
    return calibrate(searches, ColourModel(), "euclidean", promise="guaranteed", **changes)


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    searches = Population(0.3).searches(np.random.default_rng(0), PEOPLE)
    how = {"rate": 0.1, "possible_rate": 0.3, "promise": "guaranteed"}
    return calibrate(searches, ColourModel(), "euclidean", model="runs/colours", **how)


@pytest.mark.parametrize("noise", [0.02, 0.3], ids=["images of a person are alike", "images of a person differ"])
def test_the_promised_rate_holds_for_new_people_and_galleries(noise: float) -> None:
    population = Population(noise)
    rng = np.random.default_rng(7)
    strangers, own = population.nearest_strangers(rng, PEOPLE - 1), population.nearest_own(rng)

    def true_rate(distances: NDArray[np.float32], threshold: float) -> float:
        return float(np.searchsorted(distances, threshold, side="right") / len(distances))

    points, expected = [], []
    for _ in range(60):
        searches = population.searches(rng, PEOPLE)
        points.append(calibrated(searches, rate=0.1, possible_rate=0.3))
        point = calibrate(searches, ColourModel(), "euclidean", rate=0.1, promise="expected").match
        assert point.false_positives.value <= 0.1
        expected.append(true_rate(strangers, point.threshold))
    for name, wanted in (("match", 0.1), ("possible", 0.3)):
        chosen = [getattr(point, name) for point in points]
        rates = np.array([true_rate(strangers, point.threshold) for point in chosen])
        assert (rates > wanted).mean() <= 0.05  # that is the confidence
        assert rates.mean() > wanted / 6  # and it is not bought by answering nobody
        missed = [(point.misses, 1 - true_rate(own, point.threshold)) for point in chosen]
        assert np.mean([limits is not None and limits.lower <= miss <= limits.upper for limits, miss in missed]) > 0.92
    # The expected rate is right on average, and is exceeded about every other time, which this test would see above.
    assert 0.08 < np.mean(expected) < 0.12
    assert np.mean(np.array(expected) > 0.1) > 0.3


def test_the_rate_grows_at_most_as_the_gallery_does() -> None:
    population, rng = Population(0.3), np.random.default_rng(3)
    small, large = (population.nearest_strangers(rng, people) for people in (50, 200))
    for quantile in (0.01, 0.1, 0.2):
        threshold = np.quantile(small, quantile)
        assert quantile < np.searchsorted(large, threshold) / len(large) < 4 * quantile


@pytest.mark.parametrize(("rate", "confidence"), [(0.01, 0.95), (0.05, 0.9), (0.1, 0.99)])
def test_too_few_people_promise_nothing(rate: float, confidence: float) -> None:
    least = least_people(rate, confidence)
    assert (1 - rate) ** (least / 2) <= 1 - confidence < (1 - rate) ** ((least - 1) / 2)
    vectors = 100 * np.eye(2, dtype=np.float32)
    for people in (least - 1, least):
        # Everybody far from everybody: not one false match.
        searches = search_everybody(np.arange(people)[:, None] * vectors[:1], np.arange(people) + 1, np.ones(people), "euclidean")
        if people < least:
            with pytest.raises(GalleryError, match=f"{people} people cannot promise .* that takes {least}; they can promise 0"):
                calibrated(searches, rate=rate, possible_rate=rate, confidence=confidence)
        else:
            found = calibrated(searches, rate=rate, possible_rate=rate, confidence=confidence)
            assert found.match.false_positives.value == 0
            assert searches.false_positives(confidence).at(found.match.threshold).upper <= rate
            assert 99 < found.match.threshold < 100
            assert found.match.misses is None


def test_rates_that_make_no_sense_are_refused() -> None:
    searches = Population(0.3).searches(np.random.default_rng(0), PEOPLE)
    for changes in ({"rate": 0.0}, {"rate": 0.2, "possible_rate": 0.1}, {"possible_rate": 1.0}, {"rate": float("nan")}):
        with pytest.raises(ConfigurationError, match="expected 0 < rate"):
            calibrated(searches, **changes)
    for confidence in (0.5, 1.0, float("nan")):
        with pytest.raises(ConfigurationError, match="a confidence of"):
            calibrated(searches, rate=0.1, possible_rate=0.2, confidence=confidence)


def test_decide(calibration: Calibration) -> None:
    match, possible = calibration.match.threshold, calibration.possible.threshold
    assert match < possible
    answers = decide([[0.0, match, np.nextafter(match, 9)], [possible, np.nextafter(possible, 9), np.inf]], calibration)
    assert answers.tolist() == [["match", "match", "possible"], ["possible", "unknown", "unknown"]]
    assert decide([], calibration).tolist() == []
    # What a gallery returns is float32: the thresholds lie on its grid, and are not moved by it.
    assert decide(np.float32([match, possible]), calibration).tolist() == ["match", "possible"]
    with pytest.raises(ArrayError, match="NaN"):
        decide([0.1, float("nan")], calibration)


def test_a_file_keeps_everything_and_damage_is_named(calibration: Calibration, tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    calibration.save(path)
    assert Calibration.load(path) == calibration
    values = json.loads(path.read_text())
    endless = [values | {name: float("inf")} for name in ("people", "height")]
    upside_down = values | {"match": values["possible"], "possible": values["match"]}
    for damaged in ({}, [], values | {"format": "other"}, values | {"match": None}, upside_down, *endless):
        path.write_text(json.dumps(damaged))
        with pytest.raises(GalleryError, match="is not a calibration"):
            Calibration.load(path)
    path.write_bytes(b"\xff\xfe{")
    with pytest.raises(GalleryError, match="is not a calibration"):
        Calibration.load(path)
    with pytest.raises(GalleryError, match="cannot be read"):
        Calibration.load(tmp_path / "absent.json")


def test_another_model_or_distance_is_refused(calibration: Calibration) -> None:
    settings = make_settings()
    calibration.check(settings)
    calibration.check(replace(settings, model="moved/elsewhere.onnx"))
    for changes in ({"model_sha256": "0" * 64}, {"height": 32}, {"distance": "cosine"}):
        with pytest.raises(ModelMismatchError, match="calibrate the gallery's model"):
            calibration.check(replace(settings, **changes))


def test_what_is_not_promised_is_said(calibration: Calibration) -> None:
    settings = make_settings()
    assert calibration.notes(settings) == calibration.notes(replace(settings, precision="float16")) == ()
    stored = calibration.notes(replace(settings, precision="int8"), 3)
    assert "int8" in stored[0]
    assert stored[1].endswith("not for 3 fused images")


def test_a_gallery_of_another_kind_is_said(calibration: Calibration) -> None:
    crops = [make_sighting(number, tracklet="7", camera="yard") for number in range(3)]
    tracklets = [make_sighting(number, tracklet=str(number)) for number in range(3)]
    unknown = [make_sighting(number, tracklet="") for number in range(3)]
    kinds = [kind_kept(kept) for kept in (crops, tracklets, unknown, [])]
    assert kinds == ["image", "tracklet", "image", None]
    (note,) = calibration.notes(make_settings(), kept="tracklet")
    assert note.endswith("make one with `resight calibrate --sightings tracklet`")
    (note,) = replace(calibration, sightings="tracklet").notes(make_settings(), kept="image")
    assert note.endswith("make one with `resight calibrate --sightings image`")
    assert [calibration.notes(make_settings(), kept=kept) for kept in ("image", None)] == [(), ()]


def test_a_gallery_larger_than_any_calibrated_is_said() -> None:
    settings, searches = make_settings(), Population(0.3).searches(np.random.default_rng(0), PEOPLE)
    how = {"rate": 0.1, "possible_rate": 0.3}
    expected = calibrate(searches, ColourModel(), "euclidean", **how)
    guaranteed = calibrate(searches, ColourModel(), "euclidean", **how, promise="guaranteed")
    assert expected.notes(settings, people=99) == guaranteed.notes(settings, people=3) == ()
    for made, people, text in (
        (expected, 200, "the gallery has about 200 people, and the calibration 99; the distances are adjusted"),
        (expected, 5000, "the threshold of a match is extrapolated; label about 317 people"),
        (guaranteed, 5000, "nothing is a match, because no threshold keeps the rate; label about"),
        (replace(expected, growth=None), 200, "expect up to 2.0 times as many false answers"),
    ):
        assert text in " ".join(made.notes(settings, people=people))
    assert expected.thresholds(people=99) == (expected.match.threshold, expected.possible.threshold)
    sizes = [expected.thresholds(people=people) for people in (1, 20, 99, 300, 5000)]
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) == 5
    # A guarantee is proved for larger galleries only, and what cannot be guaranteed is not answered.
    assert guaranteed.thresholds(people=3) == pytest.approx(guaranteed.thresholds(), rel=0.02)
    assert decide([0.0], guaranteed, people=100_000).tolist() == ["unknown"]
    # Sightings without a name count as those of the labelled people, three each, and never make a gallery small.
    assert (expected.reckon(7, 0), expected.reckon(0, 30), expected.reckon(7, 900)) == (7, 99, 307)


def test_people_left_out_are_measured_as_a_search_among_them() -> None:
    population, rng = Population(0.3), np.random.default_rng(5)
    shown = []
    for _ in range(12):
        made = calibrate(population.searches(rng, 320), ColourModel(), "euclidean", rate=0.1, possible_rate=0.3)
        match, possible = made.measured_on(population.searches(rng, 80))
        assert (match.threshold, possible.threshold) == made.thresholds(people=79)
        shown.append((match.false_positives.value, possible.false_positives.value))
    # At the distances of a gallery of 319 people, four times as large, they are about 6 and 19 %.
    assert np.mean(shown, axis=0) == pytest.approx([0.1, 0.3], rel=0.25)
    made = calibrated(population.searches(rng, PEOPLE), rate=0.1, possible_rate=0.3)
    match, _ = made.measured_on(population.searches(rng, 2000))  # so many that no guaranteed distance keeps the rate
    assert (match.threshold, match.false_positives.value) == (NOTHING, 0) and match.misses is not None and match.misses.value == 1


def test_what_asks_decides_which_thresholds_apply(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    vectors = Population(0.6).draw(rng, PEOPLE).reshape(-1, 6)
    who, cameras = np.repeat(np.arange(1, PEOPLE + 1), IMAGES), np.tile([1, 1, 2], PEOPLE)
    tracklets = fuse_tracklets(vectors, who, cameras)[:3]
    sides = {"image": (vectors, who, cameras), "tracklet": tracklets}
    searches = {asks: people_distances(*side, *tracklets, "euclidean").among() for asks, side in sides.items()}
    how = {"rate": 0.05, "possible_rate": 0.2}
    made = calibrate(searches["image"], ColourModel(), "euclidean", **how, tracklets=searches["tracklet"], sightings="tracklet")
    alone = calibrate(searches["tracklet"], ColourModel(), "euclidean", **how)
    assert made.tracklets is not None
    assert (made.asks, made.sightings, made.tracklets.asks) == ("image", "tracklet", "tracklet")
    assert (made.tracklets.match, made.tracklets.growth) == (alone.match, alone.growth)
    assert made.asked_with(1) is made
    assert made.asked_with(2) is made.tracklets
    assert made.joins(vectors[0]) == made.tracklets.match.threshold != made.match.threshold
    assert made.notes(make_settings(), 3) == ()
    middle = (made.match.threshold + made.tracklets.match.threshold) / 2
    answers = [decide([middle], made, images=images).item() for images in (1, 2)]
    assert sorted(answers) == ["match", "possible"]
    made.save(tmp_path / "c.json")
    assert Calibration.load(tmp_path / "c.json") == made


def test_the_other_promise_and_what_more_people_would_bring_are_known() -> None:
    searches = Population(0.3).searches(np.random.default_rng(0), PEOPLE)
    expected = calibrate(searches, ColourModel(), "euclidean", rate=0.1, possible_rate=0.3)
    guaranteed = calibrate(searches, ColourModel(), "euclidean", rate=0.1, possible_rate=0.3, promise="guaranteed")
    assert expected.instead == (guaranteed.match, guaranteed.possible)
    assert guaranteed.instead == (expected.match, expected.possible)
    assert guaranteed.match.misses > expected.match.misses
    assert calibrate(searches, ColourModel(), "euclidean", rate=0.02, possible_rate=0.3).instead is None  # that takes 297 people
    # With so many people of the same kind the limits are half as far apart.
    more = Population(0.3).searches(np.random.default_rng(1), expected.match.people_to_halve)
    widths = [np.ptp(calibrate(some, ColourModel(), "euclidean", rate=0.1).match.false_positives[1:]) for some in (searches, more)]
    assert 0.4 < widths[1] / widths[0] < 0.6


def test_limits_hold_what_other_people_show() -> None:
    """Fitted to some people, measured on as many others: 95 of 100 times between the limits."""
    population, rng = Population(0.3), np.random.default_rng(11)
    held = {"expected": [], "guaranteed": []}
    for _ in range(60):
        searches, others = population.searches(rng, PEOPLE), population.searches(rng, PEOPLE)
        for promise, kept in held.items():
            at = calibrate(searches, ColourModel(), "euclidean", rate=0.1, possible_rate=0.3, promise=promise)
            for point in (at.match, at.possible):
                kept.append(point.false_positives.lower <= measure(others, point).value <= point.false_positives.upper)
    assert all(np.mean(kept) >= 0.93 for kept in held.values())


def measure(searches: LabelledSearches, point: OperatingPoint) -> Rate:
    return searches.false_positives(0.95).at(point.threshold)


def test_a_cohort_of_another_model_is_refused() -> None:
    population, rng = Population(0.3), np.random.default_rng(0)
    crops = population.draw(rng, 100).reshape(-1, 6)
    model = ColourModel()
    for sha256 in ("", model.sha256):
        cohort = fit_cohort(crops, "euclidean", model_sha256=sha256)
        assert calibrate(population.searches(rng, PEOPLE), model, "euclidean", rate=0.1, cohort=cohort).cohort is cohort
    with pytest.raises(ModelMismatchError, match=r"the cohort is of another model \(0{12}\) than colours .* crops of strangers"):
        calibrate(
            population.searches(rng, PEOPLE),
            model,
            "euclidean",
            rate=0.1,
            cohort=fit_cohort(crops, "euclidean", model_sha256="0" * 64),
        )


def test_the_command_and_the_search_that_uses_it(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    model = ColourModel()
    monkeypatch.setattr("resight.models.reference.NETWORKS", {"colours": ""})
    monkeypatch.setattr(models, "load_model", lambda *_, **__: model)
    of = ["calibrate", "--data", str(tiny), "--model", "colours", "--possible-rate", "0.9"]
    assert main([*of, "--rate", "0.1"]) == 2
    assert "6 people cannot show a rate of 0.1; that takes 10: label more, or accept more" in capsys.readouterr().err
    of += ["--promise", "guaranteed"]
    assert main(of) == 2
    assert "6 people cannot promise a rate of 0.01 with 95% confidence; that takes 597" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
    assert model.images == 0  # said before minutes of embedding
    assert main([*of, "--rate", "0.8", "--picture", "errors.png", "--json", "all.json"]) == 0
    assert "guaranteed: of 100 searches for somebody who is not in a gallery of 5 people, at most 80" in capsys.readouterr().out
    loaded = Calibration.load("calibration.json")
    assert loaded.people == 6
    assert Path("errors.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads(Path("all.json").read_text())["check"] is None
    both = ["--part", "all", "--held-out", "0.5", "--rate", "0.8", "--out", "b.json", "--json", "all.json"]
    assert main([*of, *both]) == 0
    shown = capsys.readouterr()
    assert "on 7 other people" in shown.out
    assert "on other people: the distances are those of a search in a gallery of 6 people" in shown.out
    assert "if the model was trained on these people" in shown.err
    assert json.loads(Path("all.json").read_text())["check"]["people"] == 7
    assert main([*of, "--rate", "0.8", "--part", "all", "--held-out", "0.1"]) == 2
    assert "--held-out 0.1 leaves out 1 of 14 people; expected at least 3" in capsys.readouterr().err
    assert main([*of, "--held-out", "1"]) == 2
    assert "--held-out is 1" in capsys.readouterr().err

    query = open_dataset(tiny).query.paths[10]
    assert main(["gallery", "create", "g", "--model", "colours", "--retention", "1d"]) == 0
    assert main(["gallery", "search", "g", query, "--calibration", "calibration.json"]) == 0
    assert "answer: unknown" in capsys.readouterr().out
    assert main(["gallery", "add", "g", str(tiny)]) == 0
    how = ["--calibration", "calibration.json", "--people", "5", "--json", "s.json", "-k", "40"]
    assert main(["gallery", "search", "g", query, *how]) == 0
    shown = capsys.readouterr()
    assert "answer: match" in shown.out  # itself is there
    assert "promise" not in shown.err
    assert main(["gallery", "search", "g", query, query, "--calibration", "calibration.json"]) == 0
    shown = capsys.readouterr()
    assert "promise" not in shown.err  # two images have thresholds of their own
    assert "note: the gallery has about 8 people, and the calibration 5" in shown.err
    assert main(["gallery", "search", "g", query, "--people", "4"]) == 2
    assert "name its file by --calibration" in capsys.readouterr().err
    result = json.loads(Path("s.json").read_text())
    assert result["answer"] == result["answers"][0] == "match"
    assert result["answers"] == decide([match["distance"] for match in result["matches"]], loaded).tolist()
    assert set(result["answers"]) == {"match", "possible", "unknown"}
    assert main(["gallery", "create", "other", "--model", "colours", "--retention", "1d", "--distance", "cosine"]) == 0
    assert main(["gallery", "search", "other", query, "--calibration", "calibration.json"]) == 2
    assert "the calibration is for colours" in capsys.readouterr().err


def test_people_of_one_camera_measure_nothing_across_cameras(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("resight.models.reference.NETWORKS", {"colours": ""})
    monkeypatch.setattr(models, "load_model", lambda *_, **__: ColourModel())
    rng = np.random.default_rng(0)
    for person in range(80):
        (tmp_path / "one" / f"p{person}").mkdir(parents=True)
        for image in range(6):
            colour = 40 * (np.array([person % 5, person // 5 % 4, person // 20]) + 1) + rng.integers(0, 9, 3)
            cv2.imwrite(str(tmp_path / "one" / f"p{person}" / f"{image}.png"), np.full((8, 4, 3), colour, np.uint8))
    out = tmp_path / "calibration.json"
    data = ["--data", str(tmp_path / "one"), "--model", "colours", "--distance", "cosine", "--cohort", "none"]
    assert main(["calibrate", *data, "--rate", "0.1", "--out", str(out)]) == 0
    assert "no person was seen by two cameras" in capsys.readouterr().err
    found = Calibration.load(out)
    assert (found.match.misses, found.joined) == (None, None)
    # Beside people whom two cameras saw, these take nobody's cameras away.
    (tmp_path / "two").mkdir()
    rows = ["path,identity,camera"]
    for person, camera, image in itertools.product(range(20), ("east", "west"), range(2)):
        name = f"{person}-{camera}-{image}.png"
        cv2.imwrite(str(tmp_path / "two" / name), np.full((8, 4, 3), rng.integers(0, 9, 3) + 10 * person, np.uint8))
        rows.append(f"{name},{person},{camera}")
    (tmp_path / "two" / "labels.csv").write_text("\n".join(rows))
    assert main(["calibrate", *data, "--data", str(tmp_path / "two"), "--part", "all", "--rate", "0.1", "--out", str(out)]) == 0
    both = Calibration.load(out)
    assert both.people == 100
    assert both.match.misses is not None


def test_strangers_of_two_cameras_decide_who_is_joined(calibration: Calibration, tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    people, size = 120, 16
    light = np.array([[5.0] + [0.0] * (size - 1), [0.0, 5.0] + [0.0] * (size - 2)])
    looks = rng.standard_normal((people, 1, size)) + 0.4 * rng.standard_normal((people, 2, size)) + light
    who, where = np.repeat(np.arange(1, people + 1), 2), np.tile([0, 1], people)
    point = fit_links(fuse_tracklets(looks.reshape(-1, size), who, where))
    assert point is not None and (point.people, point.cameras, point.passages) == (people, 2, 2 * people)
    units = looks / np.linalg.norm(looks, axis=2, keepdims=True)
    mean = (people * units.mean(axis=0) + 5 * units.mean(axis=(0, 1))) / (people + 5)
    rest = (units - mean).reshape(-1, size)
    rest /= np.linalg.norm(rest, axis=1, keepdims=True)
    gaps, same = 1 - rest @ rest.T, who[:, None] == who
    for among in (50, 500):
        share = float(np.mean(gaps[~same] <= point.among(among)))
        assert share == pytest.approx(0.003 * (50 / among) ** 0.5, rel=0.15)
        assert point.own_among(among) == pytest.approx(np.mean(gaps[::2, 1::2].diagonal() <= point.among(among)), abs=0.05)
    assert point.among(500) < point.among(50) == point.among(1)

    replace(calibration, joined=point).save(tmp_path / "calibration.json")
    read = Calibration.load(tmp_path / "calibration.json")
    assert read.joined == point and read.limits().centred is not None and read.limits().centred(500) == point.among(500)  # type: ignore[misc]
    assert (
        fit_links(fuse_tracklets(looks.reshape(-1, size), who, np.zeros_like(where))) is None
        and calibration.limits().centred is None
    )
