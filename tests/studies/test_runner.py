"""The order in which jobs run: students after their teacher, and no student of a teacher that failed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from resight.files import write_json
from resight.studies import runner
from resight.studies.perform import Task
from resight.studies.runner import Job, run_jobs


def job(folder: Path, name: str, teacher: Job | None = None, *, trained: bool = False) -> Job:
    task = Task(data="", folder=str(folder / name), configuration=None if trained else {}, device="cpu", cache="")
    return Job(name=name, task=task, epochs=3, teacher=teacher)


@pytest.mark.parametrize("together", [1, 2])
def test_teachers_come_first_and_failures_stay_apart(together: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def attempt(task: Task, progress: Any) -> str:
        name = Path(task.folder).name
        progress("training", 3, 3)
        if name == "bad teacher":
            return "no memory"
        if name == "added teacher":  # its network lies elsewhere
            return ""
        write_json(Path(task.folder) / "card.json", {})
        return "scores cannot be written" if name == "half a teacher" else ""

    class Worker:
        def __init__(self, task: Task, threads: int) -> None:
            self.wait = lambda progress: attempt(task, progress)

        def end(self) -> None: ...

    monkeypatch.setattr(runner, "attempt", attempt)
    monkeypatch.setattr(runner, "Worker", Worker)
    good, bad, half = (job(tmp_path, name) for name in ("good teacher", "bad teacher", "half a teacher"))
    added = job(tmp_path, "added teacher", trained=True)
    students = [job(tmp_path, f"student of {teacher.name}", teacher) for teacher in (good, bad, half, added)]
    ended: dict[str, str] = {}
    said: list[tuple[int, int]] = []
    left = run_jobs(
        [*students, bad, half, good, added],  # the order asked for, as far as teachers allow
        lambda one, reason: ended.update({one.name: reason}),
        together=together,
        progress=lambda stage, done, total, note="": said.append((done, total)),
    )
    assert {one.name: reason for one, reason in left.items()} == {"student of bad teacher": "its teacher bad teacher is not there"}
    assert {name: reason for name, reason in ended.items() if reason} == {
        "bad teacher": "no memory",
        "half a teacher": "scores cannot be written",
    }
    assert len(ended) == 7  # the network of the half teacher is there, and teaches
    order = list(ended)
    for teacher in ("good teacher", "half a teacher", "added teacher"):
        assert order.index(teacher) < order.index(f"student of {teacher}")
    assert said[-1] == (28, 32) and [done for done, _ in said] == sorted(done for done, _ in said)
