"""Runs beside each other, each in a process of its own: a run that takes its process down takes no other along.

A MobileNet's step is too short to fill a GPU, or two cores, with what one Python interpreter hands out; several do. All read one
memory-mapped array of decoded images from the cache. A process gets its task as a line of JSON and answers in lines of JSON.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from types import FrameType
from typing import IO, NoReturn, cast

from resight.progress import Progress
from resight.study.perform import Task, attempt

__all__ = ["Worker"]

_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
_EVERY = 1.0  # seconds between two reports of progress


class Worker:
    """The parent's side of one process.

    Parameters
    ----------
    task : Task
    threads : int
        Of its libraries.
    """

    def __init__(self, task: Task, threads: int) -> None:
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 (closed in `wait`)
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "resight.study.worker"],  # -P: not what lies in the present folder
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            text=True,
            env=os.environ | dict.fromkeys(_VARIABLES, str(threads)),
            start_new_session=True,  # Ctrl-C is for the parent, which ends its workers itself
        )
        tasks = cast(IO[str], self._process.stdin)
        try:
            tasks.write(json.dumps(asdict(task)) + "\n")
            tasks.close()
        except BrokenPipeError:
            pass  # `wait` says how it ended

    def wait(self, progress: Progress) -> str:
        """Follow the run to its end; empty, or in one line why it failed. See `resight.study.perform.attempt`."""
        reason = None
        for line in cast(IO[str], self._process.stdout):
            said = json.loads(line)
            if "progress" in said:
                progress(*said["progress"])
            else:
                reason = said["reason"]
        code = self._process.wait()
        if reason is None:
            reason = self._how_it_ended(code)
        cast(IO[str], self._process.stdout).close()
        self._complaints.close()
        return reason

    def end(self) -> None:
        """Ask the process to stop; what its checkpoint holds is kept."""
        self._process.terminate()

    def _how_it_ended(self, code: int) -> str:
        if code < 0:
            return f"its process was ended by signal {-code}" + (" (out of memory?)" if code == -9 else "")
        self._complaints.seek(0)
        lines = self._complaints.read().decode(errors="replace").split("\n")
        return f"its process ended with code {code}: {next((line for line in reversed(lines) if line.strip()), 'no reason given')}"


def _serve() -> None:
    """The process's side."""
    signal.signal(signal.SIGTERM, _leave)  # as an exception, so that half-written files are taken away
    # Libraries print what they like; the parent reads nothing but answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    task = Task(**json.loads(sys.stdin.readline()))

    def say(what: object) -> None:
        answers.write(json.dumps(what) + "\n")
        answers.flush()  # where the parent has died, this ends the process

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
