"""Thresholds that were chosen without a label, beside what labels measure on other people."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from gallery.fakes import START, ColourModel, make_settings
from resight import models
from resight.cli import main
from resight.decision.calibration import TRACKLET, Calibration
from resight.decision.cohort import fit_cohort
from resight.decision.people_distances import search_everybody
from resight.decision.unlabelled import ENOUGH, OFF, calibrate_unlabelled
from resight.decision.unnamed import MOST, fuse_unnamed, read_unnamed
from resight.errors import ArrayError, ConfigurationError, GalleryError, ModelMismatchError
from resight.gallery import Gallery
from resight.gallery.tracklets import add_tracklet

RATES = (0.02, 0.05, 0.1)
Crops = tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]


def draw(people: int, seed: int, dimensions: int = 40) -> Crops:
    """Two crops by each of three cameras, which move all looks their own way, of people in three pieces of clothing each."""
    rng, shop = np.random.default_rng(seed), np.random.default_rng(1)
    cameras, clothes = shop.normal(size=(3, dimensions)) / 4, shop.normal(size=(3, 16, dimensions))
    looks = rng.normal(size=(people, dimensions)) + sum(kind[rng.integers(16, size=people)] for kind in clothes)
    who, by = np.repeat(np.arange(people), 6), np.tile(np.repeat(np.arange(3), 2), people)
    vectors = looks[who] + cameras[by] + 0.3 * rng.normal(size=(len(who), dimensions))
    return vectors.astype(np.float32), who + 1, by


def names_of(who: NDArray[np.int64]) -> list[str]:
    """Names of tracklets, equal for all cameras, which tells nothing: a tracklet is one camera's."""
    return [f"t{number}" for number in who.tolist()]


def calibrated(people: int, seed: int, **changes: object) -> Calibration:
    vectors, who, by = draw(people, seed)
    return calibrate_unlabelled(fuse_unnamed(vectors, by, names_of(who)), ColourModel(), "cosine", **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("normalised", [False, True])
def test_the_rate_is_within_a_factor_of_two_on_other_people(normalised: bool) -> None:
    cohort = fit_cohort(draw(150, 9)[0], "cosine") if normalised else None
    ratios = []
    for seed in range(3):
        found = calibrated(150, seed, rate=0.02, cohort=cohort)
        curve = search_everybody(*draw(150, 100 + seed), "cosine", cohort=cohort).false_positives(0.95)
        assert found.growth is not None and not found.labelled and 110 <= found.people <= 150
        assert found.growth.threshold(0.02, found.people - 1) == pytest.approx(found.match.threshold, abs=0.003)
        ratios.append([curve.at(found.growth.threshold(rate, found.people - 1)).value / rate for rate in RATES])
    mean = np.mean(ratios, axis=0)
    assert (mean > 0.5).all() and (mean < 2).all(), mean


def test_a_larger_gallery_and_a_tracklet_have_stricter_thresholds() -> None:
    found = calibrated(150, 3, rate=0.02)
    assert found.tracklets is not None and found.tracklets.asks == TRACKLET
    thresholds = [found.thresholds(people=people)[0] for people in (100, 400, 2000)]
    assert thresholds == sorted(thresholds, reverse=True) and len(set(thresholds)) == 3
    assert found.tracklets.match.threshold != found.match.threshold
    assert found.joined is not None and found.joined.among(100) > 0


def test_the_answer_says_that_nobody_gave_a_label(tmp_path: Path) -> None:
    found = calibrated(150, 0)
    found.save(tmp_path / "c.json")
    read = Calibration.load(tmp_path / "c.json")
    assert not read.labelled and read.tracklets is not None and not read.tracklets.labelled
    (note,) = read.notes(make_settings(), people=50)
    assert f"made without labels: where labels checked such ones, false answers came {OFF[0]} to {OFF[1]} times" in note
    assert read.match.misses is None and read.instead is None


def test_how_far_it_is_off_is_what_was_measured() -> None:
    """The two numbers are the least and the largest mean in the results, rounded, and 1."""
    results = Path(__file__).parents[2] / "results"
    means = []
    for path in sorted(results.glob("decision*.json")):
        rows = json.loads(path.read_text()).get("unlabelled", [])
        for key in {(row["asks"], row["sightings"], row["wanted"]) for row in rows}:
            some = [row for row in rows if (row["asks"], row["sightings"], row["wanted"]) == key]
            means.append(np.mean([row["unlabelled"]["false_positives"] for row in some]) / key[2])
    assert (round(min(means), 1), max(round(max(means), 1), 1.0)) == OFF


def test_what_tells_too_little_is_refused() -> None:
    vectors, who, by = draw(150, 0)
    model, few = ColourModel(), who < ENOUGH / 2
    with pytest.raises(GalleryError, match="all tracklets are of one camera; without labels, it takes two"):
        calibrate_unlabelled(fuse_unnamed(vectors, 0 * by, names_of(who)), model, "cosine")
    with pytest.raises(GalleryError, match=f"of about 49 people; without labels, it takes {ENOUGH}: watch for longer, or label"):
        calibrate_unlabelled(fuse_unnamed(vectors[few], by[few], names_of(who[few])), model, "cosine")
    given = fuse_unnamed(vectors, by, names_of(who))
    with pytest.raises(ConfigurationError, match="expected 0 < rate"):
        calibrate_unlabelled(given, model, "cosine", rate=0.2, possible_rate=0.1)
    with pytest.raises(ModelMismatchError, match="the cohort is of another model"):
        calibrate_unlabelled(given, model, "cosine", cohort=fit_cohort(vectors, "cosine", model_sha256="0" * 64))
    with pytest.raises(ArrayError, match="expected as many"):
        fuse_unnamed(vectors, by[1:], names_of(who))


def test_crops_without_a_tracklet_are_alone_and_of_many_the_last_count() -> None:
    vectors = np.eye(4, dtype=np.float32)
    found = fuse_unnamed(vectors, np.array([0, 0, 1, 1]), ["a", "a", "a", ""])
    assert found.cameras.tolist() == [0, 1, 1] and found.of.tolist() == [0, 0, 1, 2]
    assert found.vectors[0] == pytest.approx([2**-0.5, 2**-0.5, 0, 0])
    many = fuse_unnamed(np.ones((MOST + 5, 2)), np.arange(MOST + 5), [""] * (MOST + 5))
    assert many.left_out == 5 and many.cameras[0] == 5 and len(many.vectors) == MOST


def test_the_command_reads_a_gallery_and_a_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    model = ColourModel(dimension=32)
    monkeypatch.setattr("resight.models.reference.NETWORKS", {"colours": ""})
    monkeypatch.setattr(models, "load_model", lambda *_, **__: model)
    rng = np.random.default_rng(0)
    looks = rng.integers(0, 256, (150, 16, 8, 3))
    Path("crops").mkdir()
    rows = ["path,camera,tracklet"]
    with Gallery.create("people", make_settings(dimension=32, distance="cosine")) as gallery:
        for number in range(300):
            crops = np.clip(looks[number // 2] + rng.integers(-20, 21, (2, 16, 8, 3)), 0, 255).astype(np.uint8)
            vectors = model.embed(crops)
            camera, time = ("door", "hall")[number % 2], START + timedelta(seconds=number)
            about = {"name": f"t{number}", "camera": camera, "time": time, "source": ""}
            add_tracklet(gallery, **about, crops=list(crops), embedding=vectors.mean(axis=0), seconds=1.0)  # type: ignore[arg-type]
            for place, pixels in enumerate(crops):
                cv2.imwrite(f"crops/{number}-{place}.png", pixels[..., ::-1])
                rows.append(f"crops/{number}-{place}.png,{camera},t{number}")
        kept = read_unnamed(gallery, model)
    Path("table.csv").write_text("\n".join(rows))
    assert kept.kept == TRACKLET and len(kept.vectors) == 300 and len(kept.crops) == 600
    for source in ("people", "table.csv"):
        of_files = [] if source == "people" else ["--distance", "cosine"]
        assert main(["calibrate", "--unlabelled", source, "--model", "colours", "--cohort", "none", *of_files]) == 0
        said = capsys.readouterr()
        assert re.search("300 tracklets of about 1[45]. people", said.out) and "made without labels" in said.err
        assert Calibration.load("calibration.json").sightings == {"people": "tracklet", "table.csv": "image"}[source]
    assert main(["gallery", "search", "people", "crops/0-0.png", "--calibration", "calibration.json"]) == 0
    said = capsys.readouterr()
    assert "answer: match." in said.out and "chosen without labels" in said.out and "made without labels" in said.err
    assert main(["calibrate", "--unlabelled", "people", "--sightings", "image", "--distance", "euclidean"]) == 2
    assert "people is a gallery, which has its own; leave out --distance" in capsys.readouterr().err
    assert main(["calibrate", "--unlabelled", "people", "--promise", "guaranteed"]) == 2
    assert "are for people with labels" in capsys.readouterr().err
    assert main(["calibrate"]) == 2
    assert "by --unlabelled" in capsys.readouterr().err
