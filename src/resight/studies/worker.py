"""A run in a process of its own: a run that takes its process down takes no other along.

A MobileNet's step is too short to fill a GPU, or two cores, from one Python interpreter; several interpreters fill it. All of them
read one memory-mapped array of decoded images from the cache.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from types import FrameType
from typing import NoReturn

from resight.compute import Child, answering
from resight.progress import Progress
from resight.studies.perform import Task, attempt

__all__ = ["Worker"]

_EVERY = 1.0  # seconds between two reports of progress


class Worker:
    """The parent's side of one process.

    Parameters
    ----------
    task : Task
    threads : int
        Threads of its libraries.
    """

    def __init__(self, task: Task, threads: int) -> None:
        self._child = Child("resight.studies.worker", threads, ignore_interrupt=True)
        self._child.tell(asdict(task))

    def wait(self, progress: Progress) -> str:
        """Follow the run to its end. Returns what `resight.studies.perform.attempt` returns."""
        try:
            while (said := self._child.hear()) is not None:
                if "progress" in said:
                    progress(*said["progress"])
                else:
                    return str(said["reason"])
            return self._child.how_it_ended()
        finally:
            self._child.close()

    def end(self) -> None:
        """Ask the process to stop. Its checkpoint stays."""
        self._child.terminate()


def _serve() -> None:
    """The process's side."""
    signal.signal(signal.SIGTERM, _leave)  # as an exception, so that half-written files are taken away
    say = answering()
    task = Task(**json.loads(sys.stdin.readline()))
    say({"reason": attempt(task, _sometimes(lambda *said: say({"progress": said})))})


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(143)


def _sometimes(tell: Callable[..., None]) -> Progress:
    last = time.monotonic()

    def progress(stage: str, done: int, total: int, note: str = "") -> None:
        nonlocal last
        if done >= total or time.monotonic() - last >= _EVERY:
            last = time.monotonic()
            tell(stage, done, total, note)

    return progress


if __name__ == "__main__":
    _serve()
