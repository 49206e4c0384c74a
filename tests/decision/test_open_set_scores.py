"""Open-set evaluation: against loops over the definitions, and limits against populations whose truth is known."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from decision.test_calibration import PEOPLE, Population
from decision.test_open_set import Labelled, draw
from evaluation.test_model import draw_viper
from gallery.fakes import ColourModel
from resight import models
from resight.cli import main
from resight.datasets import open_dataset, viper
from resight.decision.evaluate_open_set import evaluate_open_set
from resight.decision.open_set_scores import OpenSetScores, score_open_set
from resight.decision.people_distances import people_distances
from resight.decision.tracklets import fuse_tracklets
from resight.distances import DISTANCES
from resight.errors import ArrayError, ConfigurationError, NoMatchError
from resight.images import read_images


def by_loops(query: Labelled, gallery: Labelled, wanted: float) -> tuple[float, float, float]:
    """FPIR, FNIR, and detection and identification rate at rank 1, by their definitions; wrong before right if equal."""
    (asking, who, seen_by), (images, whose, cameras) = query, gallery
    distances = DISTANCES["euclidean"].between(asking, images)
    people = [person for person in sorted(set(who.tolist())) if person > 0]

    def mean(hits: dict[int, list[bool]]) -> float:
        return float(np.mean([np.mean(hits[person]) for person in people if hits[person]]))

    def rates(threshold: float) -> tuple[float, float, float]:
        false, missed, first = ({person: [] for person in people} for _ in range(3))
        for row in np.flatnonzero(who > 0):
            others = distances[row][(whose != who[row]) & (whose != -1)]
            own = distances[row][(whose == who[row]) & (cameras != seen_by[row])]
            false[who[row]].append(bool((others <= threshold).any()))
            if len(own):
                missed[who[row]].append(bool(own.min() > threshold))
                first[who[row]].append(bool(own.min() <= threshold and own.min() < others.min()))
        return mean(false), mean(missed), mean(first)

    values = np.unique(distances)
    between = [-1.0, *((low + high) / 2 for low, high in pairwise(values.tolist())), float(values[-1]) + 1]
    return [found for found in map(rates, between) if found[0] <= wanted][-1]


@pytest.mark.parametrize("seed", [0, 1, 3])
def test_rates_are_those_of_their_definitions(seed: int) -> None:
    query, gallery = draw(seed), draw(seed + 10, people=25)
    gallery[1][np.isin(gallery[1], np.unique(gallery[1])[:4])] = 0
    gallery[1][:3] = -1
    scores = score_open_set(people_distances(*query, *gallery, "euclidean").among(), [0.1, 0.3, 0.6, 0.9], resamples=2)
    for point in scores.points:
        found = point.fpir.value, point.fnir.value, point.dir1.value
        assert found == pytest.approx(by_loops(query, gallery, point.wanted))
    assert len({point.fnir.value for point in scores.points}) > 1
    assert [point.wanted for point in scores.curve] == sorted(point.wanted for point in scores.curve)


def test_limits_hold_the_truth_as_often_as_they_say() -> None:
    population, rng = Population(0.3), np.random.default_rng(4)
    strangers, own = population.nearest_strangers(rng, PEOPLE - 1), population.nearest_own(rng)
    truth = 1 - np.searchsorted(own, np.quantile(strangers, 0.1)) / len(own)
    held, widths, values = [], [], []
    for _ in range(50):
        (point,) = score_open_set(population.searches(rng, PEOPLE), [0.1], confidence=0.9, resamples=200).points
        held.append(point.fnir.lower <= truth <= point.fnir.upper)
        widths.append(point.fnir.upper - point.fnir.lower)
        values.append(point.fnir.value)
    assert 0.84 < np.mean(held) < 1
    assert np.mean(widths) < 5 * np.std(values)  # 3.3 would be the width of 90 per cent of a normal distribution
    assert abs(np.mean(values) - truth) < 0.03


def test_what_cannot_be_scored_is_refused() -> None:
    vectors, who, cameras = draw(1)
    searches = people_distances(*[vectors, who, np.ones_like(cameras)] * 2, "euclidean").among()
    with pytest.raises(NoMatchError, match="nobody was seen by two cameras"):
        score_open_set(searches)
    searches = people_distances(*[vectors, who, cameras] * 2, "euclidean").among()
    for rates, confidence in (([0.0], 0.9), ([1.0], 0.9), ([0.1], 1.0)):
        with pytest.raises(ConfigurationError, match="expected between 0 and 1"):
            score_open_set(searches, rates, confidence=confidence)


def test_tracklets_are_the_fused_crops_of_a_person_and_a_camera() -> None:
    vectors, who, cameras = draw(2)
    who[:4] = [0, 0, -1, -1]
    found = fuse_tracklets(vectors, who, cameras)
    for vector, person, camera, crops in zip(*found, strict=True):
        rows = np.flatnonzero((who == person) & (cameras == camera))
        assert crops == (1 if person <= 0 else len(rows))
        if person > 0:
            directions = vectors[rows] / np.maximum(np.linalg.norm(vectors[rows], axis=1, keepdims=True), 1e-12)
            mean = directions.mean(axis=0)
            length = np.linalg.norm(vectors[rows], axis=1).mean()
            expected = mean / max(np.linalg.norm(mean), 1e-12) * length if len(rows) > 1 else vectors[rows[0]]
            np.testing.assert_allclose(vector, expected, atol=1e-4)
    assert found.crops.sum() == len(who)
    assert len({(p, c) for p, c in zip(found.identities, found.cameras, strict=True) if p > 0}) == (found.identities > 0).sum()
    # Named tracklets are taken as they are.
    names = [str(number % 2) for number in range(len(who))]
    keys = {(p, c, n) for p, c, n in zip(who, cameras, names, strict=True) if p > 0}
    assert (fuse_tracklets(vectors, who, cameras, names).identities > 0).sum() == len(keys)
    with pytest.raises(ArrayError, match="expected as many of each"):
        fuse_tracklets(vectors, who, cameras, ["a"])


def colours(paths: tuple[str, ...]) -> NDArray[np.float32]:
    model = ColourModel()
    return model.extract(read_images(paths, model.size))


def test_the_command(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("resight.models.reference.NETWORKS", {"colours": ""})
    monkeypatch.setattr(models, "load_model", lambda *_, **__: ColourModel())
    of = ["evaluate", "--data", str(tiny), "--model", "colours"]
    assert main([*of, "--picture", "det.png"]) == 2
    assert "give --open-set, too" in capsys.readouterr().err
    assert main([*of, "--open-set", "--rerank"]) == 2
    assert "no threshold holds" in capsys.readouterr().err
    assert main([*of, "--open-set", "--distance", "xqda", "--cohort", str(tiny)]) == 2
    assert "give --cohort none" in capsys.readouterr().err
    assert main([*of, "--open-set", "--picture", "det.png", "--json", "s.json"]) == 0
    shown = capsys.readouterr()
    assert "found at rank 1" in shown.out
    assert "6 people hardly show a rate of 0.1 %" in shown.err
    assert Path("det.png").read_bytes().startswith(b"\x89PNG")
    dataset = open_dataset(tiny)
    query, gallery = dataset.query, dataset.gallery
    asked, answering = colours(query.paths), colours(gallery.paths)
    sides = (asked, query.identities, query.cameras), (answering, gallery.identities, gallery.cameras)
    written = json.loads(Path("s.json").read_text())
    assert [point["wanted"] for point in written["points"]] == [0.001, 0.01, 0.02, 0.05, 0.1]
    last = written["points"][-1]
    expected = by_loops(*sides, 0.1)
    assert tuple(last[name]["value"] for name in ("fpir", "fnir", "dir1")) == pytest.approx(expected)

    assert main([*of, "--open-set", "--tracklets", "--json", "t.json"]) == 0
    written = json.loads(Path("t.json").read_text())
    everything = np.concatenate([asked, answering])
    who, cameras = (np.concatenate([getattr(part, name) for part in (query, gallery)]) for name in ("identities", "cameras"))
    asks = fuse_tracklets(everything, who, cameras)
    chosen = np.array([
        ((query.identities == person) & (query.cameras == camera)).any() for person, camera in zip(*asks[1:3], strict=True)
    ])  # fmt: skip
    searches = people_distances(*(column[chosen] for column in asks[:3]), *fuse_tracklets(*sides[1])[:3], "euclidean").among()
    asked_by = {*zip(query.identities.tolist(), query.cameras.tolist(), strict=True)}
    assert written["searches"] == len(searches.persons) == len(asked_by)
    assert written["points"] == json.loads(json.dumps(score_open_set(searches).to_dict()["points"]))
    assert main([*of, "--open-set", "--tracklets", "--same-camera"]) == 2
    assert "tracklets are of one camera" in capsys.readouterr().err


def test_several_divisions_are_averaged(tmp_path: Path) -> None:
    draw_viper(tmp_path)
    dataset = viper.load(tmp_path)
    scores = evaluate_open_set(ColourModel(), dataset, rates=[0.2])
    assert isinstance(scores, OpenSetScores)
    alone = []
    for split in dataset.splits:
        sides = [(colours(part.paths), part.identities, part.cameras) for part in (split.query, split.gallery)]
        alone.append(by_loops(*sides, 0.2))
    assert scores.splits == len(dataset.splits) > 1
    point = scores.points[0]
    assert (point.fpir.value, point.fnir.value, point.dir1.value) == pytest.approx(tuple(np.mean(alone, axis=0)))
