"""Many runs, in turn or beside each other: teachers before their students, one failure apart, interruptible."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from pathlib import Path

from resight.compute import usable_cores
from resight.configuration import to_dict
from resight.errors import DownloadError, ResightError
from resight.files import write_json
from resight.models.pytorch import choose_device
from resight.networks.published import PUBLISHED, fetch
from resight.progress import Progress
from resight.studies.ruiz2019.finished import is_evaluated, is_trained
from resight.studies.ruiz2019.perform import Task, attempt
from resight.studies.ruiz2019.plan import Run
from resight.studies.ruiz2019.worker import Worker

__all__ = ["make_runs", "put_down"]

_MOST_TOGETHER = 4  # unless asked for more: a small GPU has the memory for so many


def make_runs(runs: Sequence[Run], *, together: int, device: str, cache: Path, progress: Progress) -> dict[Run, str]:
    """Train and evaluate what is neither there nor impossible.

    Parameters
    ----------
    runs : sequence of Run
        All of the study, in the order in which to make them.
    together : int
        See `resight.studies.ruiz2019.config.StudyConfig`.
    device : str
    cache : Path
        For decoded images and teachers' answers, which all runs share.
    progress : Progress
        Counts epochs of all trainings, and one for each evaluation.

    Returns
    -------
    dict of Run to str
        Why a run was not made or failed; runs that are there are not in it.
    """
    together = together or (_MOST_TOGETHER if choose_device(device).type == "cuda" else min(usable_cores(), _MOST_TOGETHER))
    queue = _Queue(runs, progress)
    together = min(together, queue.length)
    if together <= 1:
        while ready := queue.ready():
            run = ready[0]
            queue.begin(run)
            queue.end(run, attempt(_task(run, device, cache), queue.progress_of(run)))
        return queue.reasons
    threads = max(1, usable_cores() // together)
    working: dict[Future[str], tuple[Run, Worker]] = {}
    with ThreadPoolExecutor(together) as pool:
        try:
            while True:
                for run in queue.ready()[: together - len(working)]:
                    queue.begin(run)
                    worker = Worker(_task(run, device, cache), threads)
                    working[pool.submit(worker.wait, queue.progress_of(run))] = run, worker
                if not working:
                    return queue.reasons
                for future in wait(working, return_when=FIRST_COMPLETED).done:
                    run, _ = working.pop(future)
                    queue.end(run, future.result())
        finally:
            for _, worker in working.values():
                worker.end()


def put_down(run: Run, reason: str) -> None:
    """Keep why a run failed, or with an empty reason that it did not, so that the next time it is known, too.

    Raises `StorageError`.
    """
    if reason:
        write_json(run.failure, {"reason": reason, "date": datetime.now(UTC).isoformat(timespec="seconds")})
    else:
        run.failure.unlink(missing_ok=True)


def _task(run: Run, device: str, cache: Path) -> Task:
    return Task(
        data=run.data,
        folder=str(run.folder),
        configuration=None if run.config is None or is_trained(run) else to_dict(run.config),
        model=run.model,
        scores=str(run.scores),
        distributions=str(run.distributions) if run.experiment.teaches else "",
        device=device,
        cache=str(cache),
    )


class _Queue:
    """What is still to be made, and why not."""

    def __init__(self, runs: Sequence[Run], progress: Progress) -> None:
        self.reasons: dict[Run, str] = {}
        self._waiting: list[Run] = []
        self._working: set[Run] = set()
        self._by_name = {(run.dataset, run.name): run for run in runs}
        self._progress = progress
        self._lengths: dict[Run, int] = {}  # epochs, and one for the evaluation
        self._done: dict[Run, float] = {}
        self._lock = threading.Lock()
        lost: dict[str, str] = {}  # published weights that are not to be had
        for run in runs:
            try:
                trained = is_trained(run)
            except ResightError as error:
                self.reasons[run] = str(error)
                continue
            reason = run.obstacle
            if trained and run.data and run.config is not None:
                reason = ""
            elif not reason and run.config is not None and run.config.weights in PUBLISHED:
                name = run.config.weights
                if name not in lost:
                    lost[name] = _fetched(name)
                reason = lost[name]
            if reason:
                self.reasons[run] = reason
            elif not (trained and is_evaluated(run)):
                self._waiting.append(run)
                self._lengths[run] = 1 if trained or run.config is None else run.config.epochs + 1
                self._done[run] = 0.0

    @property
    def length(self) -> int:
        """Runs that wait."""
        return len(self._waiting)

    def ready(self) -> list[Run]:
        """The runs that can begin; those that never will get their reason."""
        found = []
        for run in list(self._waiting):
            teacher = self._by_name.get((run.dataset, run.experiment.teacher))
            if teacher is None or not (teacher in self._waiting or teacher in self._working or teacher in self.reasons):
                found.append(run)
            elif teacher in self.reasons:
                if _is_there(teacher):
                    found.append(run)
                else:
                    self._waiting.remove(run)
                    self.reasons[run] = f"its teacher {teacher.name} is not there"
        return found

    def begin(self, run: Run) -> None:
        """Take a run from those that wait."""
        self._waiting.remove(run)
        self._working.add(run)

    def end(self, run: Run, reason: str) -> None:
        """Put down what became of a run."""
        self._working.remove(run)
        if reason:
            self.reasons[run] = reason
        put_down(run, reason)
        self._tell(run, self._lengths[run], f"{run.name}: {reason or 'finished'}")

    def progress_of(self, run: Run) -> Callable[..., None]:
        """Progress of one run as a part of the whole."""

        def progress(stage: str, done: int, total: int, note: str = "") -> None:
            trained = done / max(total, 1) * (self._lengths[run] - 1) if stage == "training" else self._done[run]
            self._tell(run, trained, f"{run.name}: {stage} {done}/{total} {note}".strip())

        return progress

    def _tell(self, run: Run, done: float, note: str) -> None:
        with self._lock:
            self._done[run] = done
            self._progress("study, epochs of all runs", int(sum(self._done.values())), sum(self._lengths.values()), note)


def _is_there(teacher: Run) -> bool:
    """Whether a teacher that is not to be made now was made before."""
    try:
        return is_trained(teacher)
    except ResightError:
        return False


def _fetched(name: str) -> str:
    """Download published weights; why they are not to be had, or nothing."""
    try:
        fetch(name)
    except DownloadError as error:
        return str(error)
    return ""
