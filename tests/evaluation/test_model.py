"""A model on a data set: one command for every division, and a learned distance that is learned anew for each."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from resight.cli import main
from resight.datasets import cuhk01, open_dataset, viper
from resight.datasets.records import Dataset, Records, Split
from resight.distances import fitted
from resight.distances.kissme import KISSME
from resight.distances.pairs import sample_pairs
from resight.distances.pca import PCA
from resight.distances.xqda import XQDA
from resight.evaluation.model import evaluate_model
from resight.evaluation.protocol import score_distances
from resight.evaluation.scores import FIGURES, Scores
from resight.images import read_images
from resight.lomo.descriptor import lomo
from resight.models import load_model
from resight.models.embedding import embed_files
from resight.ranking.rerank import Reranking, rerank

PEOPLE = 24


def draw(path: Path, person: int, camera: int, number: int = 0) -> None:
    """A person of coloured patches in the camera's and the moment's light, 128x48 as VIPeR's images are."""
    moment = np.random.default_rng([person, camera, number])
    light = np.random.default_rng(camera).integers(-60, 60, 3) + moment.integers(-25, 25, 3)
    patches = np.random.default_rng(person).integers(0, 256, (8, 3, 3)) + light
    noise = moment.integers(-60, 60, (128, 48, 3))
    pixels = np.clip(patches.repeat(16, axis=0).repeat(16, axis=1) + noise, 0, 255).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, pixels)[1].tobytes())


def draw_viper(root: Path) -> None:
    for person in range(PEOPLE):
        draw(root / "cam_a" / f"{person:03d}_0.bmp", person, 1)
        draw(root / "cam_b" / f"{person:03d}_90.bmp", person, 2)


def draw_cuhk01(root: Path) -> None:
    for person in range(1, PEOPLE + 1):
        for number in (1, 2, 3, 4):
            draw(root / f"{person:04d}{number:03d}.png", person, (number + 1) // 2, number)


LAYOUTS: dict[str, tuple[Callable[[Path], None], Callable[[Path], Dataset]]] = {
    "viper": (draw_viper, viper.load),
    "cuhk01": (draw_cuhk01, cuhk01.load),
}


@pytest.fixture(scope="module", params=LAYOUTS)
def dataset(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """24 people in the layout of VIPeR or of CUHK01, in ten divisions."""
    write, load = LAYOUTS[request.param]
    root = tmp_path_factory.mktemp(request.param)
    write(root)
    return load(root)


class Colours:
    """Mean colours of the upper and the lower half of an image: an extractor of six numbers."""

    name = "colours"
    sha256 = "0"
    distance = "euclidean"
    size = (32, 12)
    embedding_size = 6
    parameters = 0
    multiply_adds = None

    def extract(self, pixels: np.ndarray) -> np.ndarray:
        halves = pixels.reshape(len(pixels), 2, -1, 3).astype(np.float32)
        return halves.mean(axis=2).reshape(len(pixels), 6)


def by_hand(distance: str, split: Split) -> Scores:
    """Learn from the training half alone, compare every pair by the formula, score."""

    def of(records: Records) -> np.ndarray:
        return Colours().extract(read_images(records.paths, Colours.size)).astype(np.float64)

    train, query, gallery = of(split.train), of(split.query), of(split.gallery)
    if distance == "xqda":
        metric = XQDA().fit(train.astype(np.float32), split.train.identities, split.train.cameras)
        query, gallery = query @ metric.W_, gallery @ metric.W_
    else:
        reduction = PCA(6).fit(train.astype(np.float32))
        pairs = sample_pairs(split.train.identities, split.train.cameras, 0)
        metric = KISSME().fit(reduction.transform(train.astype(np.float32)), *pairs)
        query, gallery = reduction.transform(query), reduction.transform(gallery)
    table = np.array([[(u - v) @ metric.M_ @ (u - v) for v in gallery] for u in query])
    return score_distances(table, *columns(split))


def columns(split: Split) -> tuple[Any, ...]:
    return split.query.identities, split.query.cameras, split.gallery.identities, split.gallery.cameras


@pytest.mark.parametrize("distance", ["xqda", "kissme"])
def test_a_distance_is_learned_from_each_divisions_training_half(
    distance: str, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    learned: list[tuple[np.ndarray, np.ndarray]] = []
    learn = fitted.fit_distance

    def spy(kind: str, features: np.ndarray, identities: np.ndarray, cameras: np.ndarray, **options: Any) -> Any:
        learned.append((features, identities))
        return learn(kind, features, identities, cameras, **options)

    monkeypatch.setattr(fitted, "fit_distance", spy)
    found = evaluate_model(Colours(), dataset, distance)
    assert len(learned) == len(dataset.splits) == found.splits == 10
    for (features, identities), split in zip(learned, dataset.splits, strict=True):
        np.testing.assert_array_equal(identities, split.train.identities)
        np.testing.assert_array_equal(features, embed_files(Colours(), split.train.paths))
        assert not set(identities) & set(split.query.identities)
    expected = [by_hand(distance, split) for split in dataset.splits]
    for name in FIGURES:
        values = [getattr(scores, name) for scores in expected]
        assert getattr(found, name) == pytest.approx(np.mean(values), abs=1e-6)
        assert found.deviations[name] == pytest.approx(np.std(values, ddof=1), abs=1e-6)
    assert found.deviations["rank1"] > 0, "divisions that all score alike would hide which one was learned from"


@pytest.mark.parametrize("distance", ["", "cosine", "xqda"])
def test_re_ranking_is_done_for_each_division(distance: str, dataset: Dataset) -> None:
    reranking = Reranking(k1=6, k2=3, original_weight=0.2)
    found = evaluate_model(Colours(), dataset, distance, reranking=reranking)
    values = []
    for split in dataset.splits:
        train, *sides = (embed_files(Colours(), part.paths) for part in (split.train, split.query, split.gallery))
        compare: Any = distance or "euclidean"
        if distance == "xqda":
            learned = fitted.fit_distance("xqda", train, split.train.identities, split.train.cameras)
            sides, compare = [learned.transform(side) for side in sides], learned.compare
        values.append(score_distances(rerank(*sides, compare, reranking), *columns(split)).map)
    assert found.map == pytest.approx(np.mean(values), abs=1e-12)
    assert found.seconds_ranking > 0
    assert found.map != evaluate_model(Colours(), dataset, distance).map


def scores_of(command: list[str], folder: Path) -> dict[str, Any]:
    assert main([*command, "--json", str(folder / "scores.json")]) == 0
    return dict(json.loads((folder / "scores.json").read_text()))


def test_one_command_for_every_kind_of_model(
    dataset: Dataset, tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["evaluate", "--data", str(dataset.root)]
    queries, gallery = len(dataset.query), len(dataset.gallery)
    for model in (
        ["--model", str(tiny_run)],
        ["--model", str(tiny_run), "--distance", "xqda"],
        ["--model", "lomo", "--width", "48"],
        ["--model", "lomo", "--width", "48", "--distance", "xqda"],
        ["--model", "lomo", "--width", "48", "--distance", "xqda", "--rerank", "--rerank-k1", "4", "--rerank-k2", "2"],
    ):
        found = scores_of([*command, *model], tmp_path)
        printed = capsys.readouterr()
        assert (found["dataset"], found["splits"], found["queries"], found["gallery"]) == (dataset.name, 10, queries, gallery)
        assert found["rank1_deviation"] >= 0
        assert f"{found['rank1']:.2f} ± {found['rank1_deviation']:.2f}" in printed.out
        assert "mean ± deviation of 10 divisions" in printed.out
        assert "too good" not in printed.err
    assert found["reranking"] == {"k1": 4, "k2": 2, "original_weight": 0.3}
    assert ", re-ranked," in printed.out
    assert found["rank1"] > 300 / 12, "three times what chance gives"


def test_a_fitted_model_is_evaluated_extracted_and_warned_of(
    dataset: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "xqda"
    assert main(["fit", "--data", str(dataset.root), "--out", str(run), "--width", "48"]) == 0
    model = load_model(str(run))
    assert model.size == (128, 48)
    found = scores_of(["evaluate", "--data", str(dataset.root), "--model", str(run)], tmp_path)
    assert found["splits"] == 10
    assert "too good" in capsys.readouterr().err
    # Nobody of the first division's test half was learned from, and the model is what is learned for it on the spot.
    first = Dataset(dataset.name, dataset.root, dataset.splits[:1])
    at_once = evaluate_model(load_model("lomo", width=48), first, "xqda").map
    assert evaluate_model(model, first).map == pytest.approx(at_once, abs=1e-9)

    out = tmp_path / "vectors"
    assert main(["extract", "--model", str(run), "--images", str(dataset.root), "--out", str(out)]) == 0
    everyone = Records.concatenate([dataset.query, dataset.gallery])
    vectors = np.load(tmp_path / "vectors.npy")
    np.testing.assert_array_equal(vectors, embed_files(model, everyone.paths))
    assert vectors.shape == (len(everyone), model.embedding_size)


def test_lomo_takes_images_as_wide_as_they_are(dataset: Dataset) -> None:
    model = load_model("lomo", width=48)
    paths = dataset.query.paths[:3]
    stored = np.stack([cv2.cvtColor(cv2.imread(path), cv2.COLOR_BGR2RGB) for path in paths])
    assert stored.shape[1:] == (128, 48, 3)
    np.testing.assert_array_equal(embed_files(model, paths), lomo(stored, "none"))
    assert model.embedding_size == load_model("lomo").embedding_size == 26960
    assert model.sha256 != load_model("lomo").sha256


def test_re_ranking_on_the_command_line(tiny: Path, tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["evaluate", "--data", str(tiny), "--model", str(tiny_run)]
    plain = scores_of(command, tmp_path)
    found = scores_of([*command, "--rerank"], tmp_path)
    assert (plain["reranking"], found["reranking"]) == (None, {"k1": 20, "k2": 6, "original_weight": 0.3})
    model, data = load_model(str(tiny_run)), open_dataset(tiny)
    gallery = data.gallery.select(data.gallery.identities != -1)
    distances = rerank(*(embed_files(model, side.paths) for side in (data.query, gallery)), "euclidean")
    expected = score_distances(distances, *columns(Split(data.train, data.query, gallery)))
    assert found["map"] == pytest.approx(100 * expected.map)
    assert found["map"] != plain["map"]
    # Lambda 1 ranks as without.
    assert scores_of([*command, "--rerank", "--rerank-lambda", "1"], tmp_path)["map"] == pytest.approx(plain["map"], abs=1e-9)
    capsys.readouterr()
    assert main([*command, "--rerank", "--rerank-k2", "30"]) == 2
    assert capsys.readouterr().err == "resight: k2 = 30; expected 1 to k1, which is 20\n"
