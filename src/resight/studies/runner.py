"""The runs of a study, in turn or beside each other: teachers before their students, each failure apart, interruptible."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from resight.compute import usable_cores
from resight.models.pytorch import choose_device
from resight.networks.card import CARD
from resight.progress import Progress, silent
from resight.studies.perform import Task, attempt
from resight.studies.worker import Worker

__all__ = ["Job", "run_jobs"]

_MOST_TOGETHER = 4  # unless asked for more: a small GPU has memory for so many


@dataclass(frozen=True, kw_only=True, eq=False)
class Job:
    """One run that is still to be made.

    Attributes
    ----------
    name : str
        Name for the progress and for messages.
    task : Task
    epochs : int
        Epochs of its training; 0 if there is nothing to train.
    teacher : Job or None
        Job that must end first, because its network teaches.
    """

    name: str
    task: Task
    epochs: int = 0
    teacher: Job | None = None


def run_jobs(
    jobs: Sequence[Job],
    ended: Callable[[Job, str], None],
    *,
    together: int = 0,
    device: str = "auto",
    progress: Progress = silent,
) -> dict[Job, str]:
    """Make all runs.

    Parameters
    ----------
    jobs : sequence of Job
        Runs in the order in which to make them.
    ended : callable
        Called in this thread with each job that ended, and why it failed; empty if it succeeded.
    together : int
        Runs at the same time, each in a process of its own; 1 makes them in this process. 0 is 4 on a GPU, and otherwise one for
        each core, up to 4.
    device : str
        ``"auto"``, ``"cpu"`` or ``"cuda"``; only to choose `together`.
    progress : Progress
        Counts the epochs of all trainings, and one for each evaluation.

    Returns
    -------
    dict of Job to str
        Reasons of the jobs that never began, because their teacher failed.
    """
    together = together or (_MOST_TOGETHER if choose_device(device).type == "cuda" else min(usable_cores(), _MOST_TOGETHER))
    together = min(together, len(jobs))
    queue = _Queue(jobs, ended, progress)
    if together <= 1:
        while ready := queue.ready():
            queue.begin(ready[0])
            queue.end(ready[0], attempt(ready[0].task, queue.progress_of(ready[0])))
        return queue.left
    threads = max(1, usable_cores() // together)
    working: dict[Future[str], tuple[Job, Worker]] = {}
    with ThreadPoolExecutor(together) as pool:
        try:
            while True:
                for job in queue.ready()[: together - len(working)]:
                    queue.begin(job)
                    worker = Worker(job.task, threads)
                    working[pool.submit(worker.wait, queue.progress_of(job))] = job, worker
                if not working:
                    return queue.left
                for future in wait(working, return_when=FIRST_COMPLETED).done:
                    job, _ = working.pop(future)
                    queue.end(job, future.result())
        finally:
            for _, worker in working.values():
                worker.end()


class _Queue:
    """Jobs that wait, and jobs that work."""

    def __init__(self, jobs: Sequence[Job], ended: Callable[[Job, str], None], progress: Progress) -> None:
        self.left: dict[Job, str] = {}
        self._waiting = list(jobs)
        self._working: set[Job] = set()
        self._ended = ended
        self._progress = progress
        self._done = dict.fromkeys(jobs, 0.0)  # epochs, and one for the evaluation
        self._lock = threading.Lock()

    def ready(self) -> list[Job]:
        """The jobs that can begin. Students whose teacher failed are left out from here on."""
        found = []
        for job in list(self._waiting):
            if job.teacher in self._waiting or job.teacher in self._working:
                continue
            if job.teacher is None or _is_there(job.teacher):
                found.append(job)
            else:
                self._waiting.remove(job)
                self.left[job] = f"its teacher {job.teacher.name} is not there"
        return found

    def begin(self, job: Job) -> None:
        """Take a job from those that wait."""
        self._waiting.remove(job)
        self._working.add(job)

    def end(self, job: Job, reason: str) -> None:
        """Report a job that ended."""
        self._working.remove(job)
        self._ended(job, reason)
        self._tell(job, job.epochs + 1, f"{job.name}: {reason or 'finished'}")

    def progress_of(self, job: Job) -> Callable[..., None]:
        """Progress of one run as a part of the whole."""

        def progress(stage: str, done: int, total: int, note: str = "") -> None:
            trained = done / max(total, 1) * job.epochs if stage == "training" else self._done[job]
            self._tell(job, trained, f"{job.name}: {stage} {done}/{total} {note}".strip())

        return progress

    def _tell(self, job: Job, done: float, note: str) -> None:
        with self._lock:
            self._done[job] = done
            whole = sum(one.epochs + 1 for one in self._done)
            self._progress("study, epochs of all runs", int(sum(self._done.values())), whole, note)


def _is_there(teacher: Job) -> bool:
    """Tell if a teacher that ended has a network, even if its evaluation failed."""
    return teacher.task.configuration is None or (Path(teacher.task.folder) / CARD).exists()
