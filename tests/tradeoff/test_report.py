"""The trade-off on a drawn camera network: figures against the parts that they come from."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from resight.datasets import open_dataset
from resight.errors import ConfigurationError
from resight.evaluation.model import evaluate_model
from resight.features.deep import load_extractor
from resight.images import Pixels
from resight.tradeoff.report import COLUMNS, Row, measure_tradeoff, save_tradeoff, table_csv, table_markdown
from resight.tradeoff.speed import measure_speeds


class Sleeper:
    """A model that takes a known time for an image."""

    name, size, embedding_size, parameters, multiply_adds = "sleeper", (32, 32), 2, 0, None

    def __init__(self, milliseconds: float) -> None:
        self.milliseconds = milliseconds

    def extract(self, pixels: Pixels) -> np.ndarray:
        import time

        time.sleep(self.milliseconds / 1000 * len(pixels))
        return np.ones((len(pixels), 2), np.float32)


def test_speed_is_images_over_time(tiny: Path) -> None:
    paths = open_dataset(tiny).gallery.paths[:20]
    slow, fast = measure_speeds([Sleeper(8), Sleeper(2)], paths, rounds=3)
    assert 10 < slow.network_alone <= 125
    assert slow.network_alone < fast.network_alone <= 500
    assert slow.files_to_vectors <= slow.network_alone
    assert slow.files_to_vectors_range[0] <= slow.files_to_vectors <= slow.files_to_vectors_range[1]
    assert (slow.images, slow.rounds) == (20, 3)
    with pytest.raises(ConfigurationError, match="0 images"):
        measure_speeds([Sleeper(1)], [])


def test_a_table_of_models(tiny: Path, tiny_run: Path, tmp_path: Path) -> None:
    dataset = open_dataset(tiny)
    models = [load_extractor(str(tiny_run)), load_extractor("osnet-0.25", height=64, width=32)]
    rows = measure_tradeoff(models, dataset, timed_images=16, rounds=1)
    for row, model in zip(rows, models, strict=True):
        scores = evaluate_model(model, dataset)
        assert row.map == pytest.approx(100 * scores.map)
        assert row.rank1 == pytest.approx(100 * scores.rank1)
    assert [row.parameters for row in rows] == [model.parameters for model in models]
    assert rows[0].embedding_size == 256
    assert any(row.on_front for row in rows)

    record = save_tradeoff(rows, tmp_path, dataset="tiny", rounds=1)
    assert json.loads((tmp_path / "tradeoff.json").read_text()) == json.loads(json.dumps(record))
    assert (tmp_path / "tradeoff.png").read_bytes().startswith(b"\x89PNG")
    written = list(csv.DictReader((tmp_path / "tradeoff.csv").read_text().splitlines()))
    assert [row["model"] for row in written] == [row.model for row in rows]
    assert float(written[0]["map"]) == rows[0].map
    assert (tmp_path / "tradeoff.md").read_text().count("\n") == 2 + len(rows)


def test_two_models_of_one_name_are_refused(tiny: Path) -> None:
    with pytest.raises(ConfigurationError, match="same name"):
        measure_tradeoff([Sleeper(1), Sleeper(1)], open_dataset(tiny))


def test_tables_show_every_column() -> None:
    row = Row(
        model="a, b",
        rank1=12.345,
        map=6.789,
        images_per_second=1234.5,
        network_images_per_second=2345.6,
        images_per_second_range=(1.0, 2.0),
        parameters=213_072,
        multiply_adds=None,
        embedding_size=256,
        input_size=(128, 64),
        on_front=True,
    )
    assert table_markdown([row]).splitlines()[2] == "| a, b | 12.35 | 6.79 | 1234 | 2346 | 0.21 | - | 256 | 128x64 | * |"
    assert next(csv.reader([table_csv([row]).splitlines()[1]]))[:3] == ["a, b", "12.345", "6.789"]
    assert len(COLUMNS) == 10
