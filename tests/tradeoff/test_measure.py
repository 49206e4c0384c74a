"""The trade-off on a drawn camera network: figures against the parts that they come from."""

from __future__ import annotations

from pathlib import Path

import pytest

from resight.datasets import open_dataset
from resight.errors import ConfigurationError
from resight.evaluation.model import evaluate_model
from resight.models import load_model
from resight.tradeoff.measure import measure_tradeoff
from resight.tradeoff.report import read_report
from resight.tradeoff.tables import save_report
from tradeoff.fakes import Clock, TimedModel


def test_a_table_of_models(tiny: Path, tiny_run: Path, tmp_path: Path) -> None:
    dataset = open_dataset(tiny)
    models = [load_model(str(tiny_run)), load_model("osnet-0.25", height=64, width=32)]
    report = measure_tradeoff(models, dataset, timed_images=16, rounds=1)
    for row, model in zip(report.rows, models, strict=True):
        scores = evaluate_model(model, dataset)
        assert row.map == pytest.approx(100 * scores.map)
        assert row.rank1 == pytest.approx(100 * scores.rank1)
        assert (row.model, row.sha256, row.input_size) == (model.name, model.sha256, (64, 32))
    assert [row.parameters for row in report.rows] == [model.parameters for model in models]
    assert any(row.on_front for row in report.rows)
    assert (report.dataset, report.images["count"]) == (dataset.name, 16)
    save_report(report, tmp_path, "tradeoff")
    assert read_report(tmp_path / "tradeoff.json").rows == report.rows
    assert (tmp_path / "tradeoff.png").read_bytes().startswith(b"\x89PNG")


def test_two_models_of_one_name_are_refused(tiny: Path) -> None:
    model = TimedModel(Clock(), lambda count: 0.001 * count)
    with pytest.raises(ConfigurationError, match="same name"):
        measure_tradeoff([model, model], open_dataset(tiny))
