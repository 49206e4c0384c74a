"""Progress of long work: a function that takes a stage, a count and a total.

The library prints nothing: it calls `silent` unless the caller gives another function. The command line gives
`TerminalProgress`: a bar with an ETA on a terminal, a line every half minute in a log.
"""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Protocol, Self

from resight.compute import first_process

__all__ = ["Progress", "TerminalProgress", "silent"]


class Progress(Protocol):
    """A function that long work calls."""

    def __call__(self, stage: str, done: int, total: int, note: str = "") -> None:
        """Report that `done` of `total` units of `stage` are finished; `note` is a short text such as the current loss."""


def silent(stage: str, done: int, total: int, note: str = "") -> None:
    """Report nothing; the default everywhere."""


class TerminalProgress:
    """Progress on standard error: bars with an ETA on a terminal; else a line every `interval` seconds and one at the end.

    Use it as a context manager. The object itself is the `Progress` function.
    """

    def __init__(self, interval: float = 30.0) -> None:
        self.interval = interval

    def __enter__(self) -> Self:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("ETA"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=Console(stderr=True),
            disable=not sys.stderr.isatty(),
        )
        self._tasks: dict[str, tuple[int, float, int]] = {}  # stage -> task, start time, count at the start
        self._last_line = time.monotonic()
        self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._bars.stop()

    def __call__(self, stage: str, done: int, total: int, note: str = "") -> None:
        """Show `done` of `total`; see `Progress`."""
        if not first_process():
            return
        if stage not in self._tasks:
            # A resumed job starts in the middle: its speed is counted from where it began.
            task = self._bars.add_task(stage, total=total, completed=done, note=note)
            self._tasks[stage] = (int(task), time.monotonic(), done)
        task_number, start, first = self._tasks[stage]
        self._bars.update(task_number, completed=done, total=total, note=note)  # type: ignore[arg-type]
        now = time.monotonic()
        if self._bars.disable and (done >= total or now - self._last_line >= self.interval):
            self._last_line = now
            rate = (done - first) / max(now - start, 1e-9)
            eta = f", ETA {_duration((total - done) / rate)}" if rate > 0 and done < total else f" in {_duration(now - start)}"
            sys.stderr.write(f"{stage}: {done}/{total}{eta}{'  ' + note if note else ''}\n")
            sys.stderr.flush()
        if done >= total:
            self._tasks.pop(stage)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
