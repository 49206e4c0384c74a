"""The classical study on a drawn camera network: figures against the parts that they come from, and steps not done twice."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from resight.datasets import open_dataset
from resight.drawn import crops
from resight.errors import ConfigurationError, StorageError
from resight.evaluation.model import evaluate_model
from resight.models.lomo import LomoModel
from resight.studies.ruiz2019 import classical
from resight.studies.ruiz2019.classical import classical_study


def test_the_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = crops.generate(tmp_path / "data", identities_train=40, identities_test=10, cameras=4, images_per_camera=3)
    record = classical_study(dataset, tmp_path / "out")
    test = record["retinex"]["none"]["test"]
    model = LomoModel("none")
    for distance in ("euclidean", "kissme"):
        assert test[distance]["map"] == pytest.approx(100 * evaluate_model(model, dataset, distance).map, abs=1e-3)
    assert test["by_dimension"][-1]["dimensions"] == test["xqda"]["dimensions"] <= 75
    if test["xqda"]["dimensions"] < 75:  # then it is all that the rule gives
        assert test["xqda"]["map"] == pytest.approx(100 * evaluate_model(model, dataset, "xqda").map, abs=1e-3)
    assert set(record["retinex"]) == {"msrcp", "none"}
    assert record["retinex"][record["chosen"]]["held_out"]["map"] == max(
        found["held_out"]["map"] for found in record["retinex"].values()
    )
    assert json.loads((tmp_path / "out" / "classical.json").read_text())["chosen"] == record["chosen"]
    assert (tmp_path / "out" / "classical.png").read_bytes().startswith(b"\x89PNG")

    def not_again(*arguments: object, **options: object) -> None:
        raise AssertionError("a finished step was done again")

    monkeypatch.setattr(classical, "XQDA", not_again)
    monkeypatch.setattr(classical, "embed_files", not_again)
    again = classical_study(dataset, tmp_path / "out")
    assert again["retinex"] == record["retinex"]
    for name in ("timing.json", "descriptors/none-train.npy"):
        file = tmp_path / "out" / name
        whole = file.read_bytes()
        file.write_bytes(whole[: len(whole) // 2])
        with pytest.raises(StorageError, match=rf"{name} is damaged .*; delete it and run again"):
            classical_study(dataset, tmp_path / "out")
        file.write_bytes(whole)


def test_steps_of_one_data_set_are_not_taken_for_those_of_another(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*arguments: object, **options: object) -> None:
        raise RuntimeError("interrupted")

    monkeypatch.setattr(classical, "embed_files", interrupted)
    drawn, other = open_dataset(tiny), open_dataset(tiny, "market1501")
    with pytest.raises(RuntimeError, match="interrupted"):
        classical_study(drawn, tmp_path)
    with pytest.raises(ConfigurationError, match="holds a study with other dataset; choose another --out"):
        classical_study(other, tmp_path)
    with pytest.raises(ConfigurationError, match="with other images and seed; choose another --out"):
        classical_study(drawn.without(drawn.gallery.paths[:1], "gone"), tmp_path, seed=5)
    with pytest.raises(RuntimeError, match="interrupted"):
        classical_study(drawn, tmp_path)


def test_a_data_set_of_several_divisions_is_refused(tiny: Path, tmp_path: Path) -> None:
    drawn = open_dataset(tiny)
    with pytest.raises(ConfigurationError, match="is evaluated over 2 divisions, and this study has one"):
        classical_study(replace(drawn, splits=drawn.splits * 2), tmp_path / "out")
    assert not (tmp_path / "out").exists()
