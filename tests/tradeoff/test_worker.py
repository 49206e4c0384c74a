"""A model in a process of its own: it has the cores it was given, answers, and its end is an error with a reason."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from resight.datasets import open_dataset
from resight.errors import MeasurementError
from resight.tradeoff.speed import SpeedConfig
from resight.tradeoff.worker import Worker

CONFIG = SpeedConfig(batch_sizes=(1, 2), seconds=0.001)


def test_a_worker_measures_and_its_end_is_told(tiny: Path) -> None:
    paths = open_dataset(tiny).gallery.paths[:3]
    with Worker("lomo", paths, 1, CONFIG) as worker:
        about = worker.load()
        assert (about["model"], about["input_size"], about["embedding_size"]) == ("lomo", (128, 64), 26_960)
        if hasattr(os, "sched_getaffinity"):
            assert len(os.sched_getaffinity(worker.pid)) == 1
        found = worker.one_round()
        assert {"latency_ms", "batch_1", "batch_2", "images_per_second"} <= set(found)
        assert all(value > 0 for value in found.values())
        assert "search_ms" not in found  # 100,000 descriptors take 10 GB
        if Path("/proc/self/status").exists():
            assert 50 < found["memory_mb"] < 2000
        os.kill(worker.pid, signal.SIGKILL)
        with pytest.raises(MeasurementError, match="lomo: its process was ended by signal 9"):
            worker.one_round()


def test_a_model_that_does_not_load_says_why(tiny: Path) -> None:
    paths = open_dataset(tiny).gallery.paths[:3]
    with Worker("lomo:bright", paths, 1, CONFIG) as worker, pytest.raises(MeasurementError, match="lomo:none"):
        worker.load()
