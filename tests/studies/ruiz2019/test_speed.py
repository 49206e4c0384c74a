"""The speed columns: each measured rate belongs to its own network, also where one fails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from resight.datasets import open_dataset
from resight.files import read_json
from resight.studies.ruiz2019 import speed
from resight.studies.ruiz2019.experiments import added_teacher
from resight.tradeoff.report import Failure, Report, Row

PAPERS = ["lomo", "mobilenet-0.25", "mobilenet-1.0", "resnet-50", "mobilenet-0.5", "mobilenet-0.75"]


def row(model: str, rate: float) -> Row:
    figures = dict.fromkeys(
        ("network_images_per_second", "latency_ms", "latency_p95_ms", "file_latency_ms", "file_latency_p95_ms"), 1.0
    )
    rest: dict[str, Any] = {"batch_size": 1, "by_batch": {1: 1.0}, "ranges": {}, "parameters": 1, "multiply_adds": None}
    return Row(model=model, threads=2, images_per_second=rate, embedding_size=1, input_size=(1, 1), **figures, **rest)


def test_rates_by_name(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    broken = {"resnet-50"}

    def benchmark(models: list[str], *arguments: object, **options: object) -> Report:
        asked.extend(models)
        rows = [row(f"{model} untrained", float(n)) for n, model in enumerate(models) if model not in broken]
        provenance = {"hardware": {"processor": "a processor", "cores": 2, "accelerator": None}}
        failures = tuple(Failure(model=model, threads=2, reason="no memory") for model in broken)
        return Report(rows=tuple(rows), failures=failures, provenance=provenance)

    monkeypatch.setattr(speed, "benchmark", benchmark)
    teacher = added_teacher("mine", "runs/mine")[0]
    record = speed.measure_speed(open_dataset(tiny), tmp_path / "speed.json", [teacher])
    assert asked == [*PAPERS, "runs/mine"]
    rates = record["images_per_second"]
    assert rates == {name: float(n) for n, name in enumerate([*PAPERS, "mine"])} | {"resnet-50": None}
    assert read_json(tmp_path / "speed.json")["images_per_second"] == rates
    asked.clear()
    broken.clear()
    mended = speed.measure_speed(open_dataset(tiny), tmp_path / "speed.json", [teacher])  # one was missing
    assert asked == [*PAPERS, "runs/mine"]
    assert mended["images_per_second"] == {name: float(n) for n, name in enumerate([*PAPERS, "mine"])}
    asked.clear()
    again = speed.measure_speed(open_dataset(tiny), tmp_path / "speed.json", [])  # which has all of them
    assert again["images_per_second"] == mended["images_per_second"]
    assert not asked
    assert mended["dataset"] == "drawn"
    speed.measure_speed(open_dataset(tiny, "market1501"), tmp_path / "speed.json", [])
    assert asked == PAPERS
    other = added_teacher("other", "runs/other")[0]
    assert "other" in speed.measure_speed(open_dataset(tiny), tmp_path / "speed.json", [other])["images_per_second"]


@pytest.mark.slow
def test_the_networks_of_the_paper_can_be_measured(tiny: Path, tmp_path: Path) -> None:
    record = speed.measure_speed(open_dataset(tiny), tmp_path / "speed.json", [])
    assert sorted(record["images_per_second"]) == sorted(PAPERS)
    assert all(rate > 0 for rate in record["images_per_second"].values())
