"""Classical models wired to everything else: fitted, saved, loaded, evaluated, and refused where damaged."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from resight.cli import main
from resight.datasets import open_dataset
from resight.distances.xqda import XQDA
from resight.errors import ConfigurationError, ResightError, WeightsError
from resight.evaluation.model import evaluate_model
from resight.evaluation.protocol import evaluate, score_distances
from resight.images import read_images
from resight.lomo.descriptor import lomo
from resight.models import load_model
from resight.models.embedding import embed_files
from resight.models.fitted import FittedModel, fit_model


def test_lomo_is_a_model(tiny: Path) -> None:
    dataset = open_dataset(tiny)
    model = load_model("lomo:none", height=64, width=32)
    paths = dataset.query.paths[:3]
    np.testing.assert_array_equal(embed_files(model, paths), lomo(read_images(paths, (64, 32)), "none"))
    assert model.embedding_size == lomo(read_images(paths, (64, 32)), "none").shape[1]
    assert model.sha256 != load_model("lomo:msrcp", height=64, width=32).sha256
    with pytest.raises(ConfigurationError, match="lomo:msrcp or lomo:none"):
        load_model("lomo:some")
    with pytest.raises(ConfigurationError, match="10x10"):
        load_model("lomo", height=9, width=9)


def test_a_fitted_xqda_scores_as_the_formula_says(tiny: Path, tmp_path: Path) -> None:
    dataset = open_dataset(tiny)
    run = fit_model(dataset, tmp_path / "xqda", "lomo:none", "xqda", dimensions=5)
    model = load_model(str(run))
    assert isinstance(model, FittedModel)
    assert model.embedding_size == model.fitted.dimensions <= 5
    found = evaluate_model(model, dataset)

    base = load_model("lomo:none")
    features = {part: embed_files(base, getattr(dataset, part).paths).astype(np.float64) for part in ("train", "query", "gallery")}
    reference = XQDA(5).fit(features["train"], dataset.train.identities, dataset.train.cameras)
    u, v = features["query"] @ reference.W_, features["gallery"] @ reference.W_
    table = np.array([[(a - b) @ reference.M_ @ (a - b) for b in v] for a in u])
    query, gallery = dataset.query, dataset.gallery
    expected = score_distances(table, query.identities, query.cameras, gallery.identities, gallery.cameras)
    assert found.map == pytest.approx(expected.map, abs=1e-6)
    assert found.rank1 == expected.rank1


@pytest.mark.parametrize("distance", ["kissme", "xqda"])
def test_learning_on_the_fly_and_from_a_folder_are_the_same(distance: str, tiny: Path, tiny_run: Path, tmp_path: Path) -> None:
    dataset = open_dataset(tiny)
    base = load_model(str(tiny_run))
    if distance == "kissme":  # 28 similar pairs a person are enough for few components only
        run = fit_model(dataset, tmp_path / "fitted", str(tiny_run), distance, dimensions=12)
        assert load_model(str(run)).embedding_size == 12
        return
    run = fit_model(dataset, tmp_path / "fitted", str(tiny_run), distance)
    fitted = evaluate_model(load_model(str(run)), dataset)
    at_once = evaluate_model(base, dataset, distance)
    assert fitted.map == pytest.approx(at_once.map, abs=1e-9)


def test_a_projected_euclidean_distance_can_be_asked_for(tiny: Path, tiny_run: Path, tmp_path: Path) -> None:
    dataset = open_dataset(tiny)
    model = load_model(str(fit_model(dataset, tmp_path / "fitted", str(tiny_run), "xqda")))
    u, v = (embed_files(model, part.paths) for part in (dataset.query, dataset.gallery))
    query, gallery = dataset.query, dataset.gallery
    expected = score_distances(cdist(u, v), query.identities, query.cameras, gallery.identities, gallery.cameras)
    assert evaluate_model(model, dataset, "euclidean").map == pytest.approx(expected.map, abs=1e-6)
    assert evaluate(u, v, query, gallery, model.distance).map == pytest.approx(evaluate_model(model, dataset).map, abs=1e-9)


def test_damaged_folders_are_refused(tiny: Path, tiny_run: Path, tmp_path: Path) -> None:
    run = fit_model(open_dataset(tiny), tmp_path / "fitted", str(tiny_run), "xqda", dimensions=3)
    card = json.loads((run / "card.json").read_text())
    for wrong in (
        {"distance": "other"},
        {"format": "?"},
        {"input": "?"},
        {"model_sha256": "0"},
        {"arrays_sha256": "0"},
        {"model": 1},
    ):
        (run / "card.json").write_text(json.dumps(card | wrong))
        with pytest.raises(ResightError):
            load_model(str(run))
    (run / "card.json").write_text("[]")
    with pytest.raises(WeightsError, match="damaged"):
        load_model(str(run))
    (run / "card.json").write_text(json.dumps(card))
    content = (run / "distance.safetensors").read_bytes()
    (run / "distance.safetensors").write_bytes(content[:-8] + b"\xff" * 8)
    with pytest.raises(WeightsError, match="not the file that its card describes"):
        load_model(str(run))


def test_a_fitted_distance_replaces_no_other_model(tiny: Path, tiny_run: Path, tmp_path: Path) -> None:
    dataset = open_dataset(tiny)
    run = shutil.copytree(tiny_run, tmp_path / "run")
    card = (run / "card.json").read_bytes()
    for reference in ("lomo:none", str(run)):
        with pytest.raises(ConfigurationError, match="run holds another model, which a fitted distance would replace"):
            fit_model(dataset, run, reference, "xqda", dimensions=3)
    assert (run / "card.json").read_bytes() == card and not (run / "distance.safetensors").exists()

    first = fit_model(dataset, tmp_path / "first", str(run), "xqda", dimensions=5)
    second = fit_model(dataset, tmp_path / "second", str(first), "xqda", dimensions=4)
    for reference in (first, second):
        with pytest.raises(ConfigurationError, match="first would be replaced by a distance that rests on it"):
            fit_model(dataset, first, str(reference), "xqda", dimensions=3)
    assert load_model(str(second)).embedding_size == 4
    fit_model(dataset, second, str(first), "xqda", dimensions=3)
    assert load_model(str(second)).embedding_size == 3
    (second / "card.json").write_text("{")
    with pytest.raises(ConfigurationError, match="second holds another model"):
        fit_model(dataset, second, str(first), "xqda", dimensions=3)


def test_a_fitted_model_works_from_any_folder(tiny: Path, tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(tiny_run, tmp_path / "network")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "none").touch()
    for number, reference in enumerate(("network", "mobilenet-0.25:network/network.safetensors", "lomo:none")):
        fitted = fit_model(open_dataset(tiny), f"fitted-{number}", reference, "xqda", dimensions=3).resolve()
        monkeypatch.chdir(tmp_path.parent)
        assert load_model(str(fitted)).embedding_size == 3
        monkeypatch.chdir(tmp_path)
    (tmp_path / "network").rename(tmp_path / "moved")
    with pytest.raises(WeightsError, match=r"fitted-0 rests on /.*/network, which is missing; put it back, or fit again$"):
        load_model("fitted-0")


def test_folders_that_rest_on_themselves_are_refused(tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = fit_model(open_dataset(tiny), tmp_path / "first", "lomo:none", "xqda", dimensions=3)
    second = shutil.copytree(first, tmp_path / "second")
    card = json.loads((first / "card.json").read_text())
    for folder, other in ((first, second), (second, first)):
        (folder / "card.json").write_text(json.dumps(card | {"model": str(other)}))
    with pytest.raises(WeightsError, match=r"/first rests on itself, or on more than 8 fitted folders; fit again$"):
        load_model(str(first))
    (first / "card.json").write_text(json.dumps(card | {"model": str(first)}))
    assert main(["evaluate", "--data", str(tiny), "--model", str(first)]) == 2
    errors = capsys.readouterr().err
    assert errors.startswith(f"resight: {first} rests on itself") and errors.count("\n") == 1


def test_one_camera_teaches_no_cross_camera_distance(tiny: Path, tmp_path: Path) -> None:
    root = tmp_path / "one"
    shutil.copytree(tiny, root)
    (root / "drawn.json").unlink()
    for path in (root / "bounding_box_train").iterdir():
        if "_c1" not in path.name:
            path.unlink()
    with pytest.raises(ResightError, match="camera"):
        fit_model(open_dataset(root), tmp_path / "fitted", "lomo:none", "xqda")


def test_on_the_command_line(tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "fitted")
    assert main(["fit", "--data", str(tiny), "--out", out, "--model", "lomo:none", "--dimensions", "4"]) == 0
    assert "xqda on lomo:none, 4 dimensions" in capsys.readouterr().out
    for arguments in (["--model", out], ["--model", "lomo:none"], ["--model", "lomo:none", "--distance", "xqda"]):
        scores = tmp_path / "scores.json"
        assert main(["evaluate", "--data", str(tiny), *arguments, "--json", str(scores)]) == 0
        assert 0 < json.loads(scores.read_text())["map"] <= 100
    assert (
        main(["tradeoff", out, "lomo:none", "--data", str(tiny), "--out", str(tmp_path / "t"), "--count", "8", "--rounds", "1"])
        == 0
    )
    rows = json.loads((tmp_path / "t" / "tradeoff.json").read_text())["models"]
    assert [row["embedding_size"] for row in rows] == [4, 26960]
    assert rows[1]["parameters"] == 0
    assert rows[1]["multiply_adds"] is None
