"""A run in a process of its own: it tells its progress, why it failed, and ends when it is asked to."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from conftest import TINY
from resight.configuration import to_dict
from resight.studies.perform import Task
from resight.studies.worker import Worker


def task(data: str, folder: Path, **changes: object) -> Task:
    return Task(
        data=data,
        folder=str(folder / "run"),
        configuration=to_dict(TINY) | changes,
        model=str(folder / "run"),
        scores=str(folder / "run.json"),
        distributions="",
        device="cpu",
        cache=str(folder / "cache"),
    )


def test_a_failure_is_one_line(tmp_path: Path) -> None:
    reason = Worker(task("nowhere", tmp_path), threads=1).wait(lambda *said: None)
    assert reason == "nowhere: no such folder; name the folder of a data set"


def test_it_tells_its_progress_and_can_be_ended(tiny: Path, tmp_path: Path) -> None:
    worker = Worker(task(str(tiny), tmp_path, epochs=100_000), threads=1)
    stages: list[str] = []

    def progress(stage: str, done: int, total: int, note: str = "") -> None:
        stages.append(stage)
        if stage == "training":
            assert 0 < done < total
            worker.end()

    assert worker.wait(progress) == "its process ended with code 143: no reason given"
    assert stages[-1] == "training"
    assert not (tmp_path / "run.json").exists()
    assert not list(tmp_path.rglob("*.partial"))


def test_a_death_is_told(tiny: Path, tmp_path: Path) -> None:
    worker = Worker(task(str(tiny), tmp_path, epochs=100_000), threads=1)
    os.kill(worker._child.pid, signal.SIGKILL)
    assert "ended by signal 9 (out of memory?)" in worker.wait(lambda *said: None)
