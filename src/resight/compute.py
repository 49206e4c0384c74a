"""Usable cores, and child processes.

A child process runs a module of this package. Parent and child exchange lines of JSON. If it dies, no other process does, and what
libraries print is not mistaken for an answer.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, cast

__all__ = ["Child", "answering", "first_process", "usable_cores"]

_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def first_process() -> bool:
    """False in all processes of a torchrun but the first, which writes and speaks for them."""
    return "TORCHELASTIC_RUN_ID" not in os.environ or os.environ.get("RANK") == "0"


def usable_cores() -> int:
    """Processor cores that this process may use: those of its affinity, at most the limit of its container, at least one."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, math.ceil(min(cores, _container_limit())))


def _container_limit(root: Path = Path("/sys/fs/cgroup"), mine: Path = Path("/proc/self/cgroup")) -> float:
    """Cores that Linux control groups allow, of version 2 (cpu.max) or 1 (cpu.cfs_quota_us); infinity without a limit."""
    limits = [math.inf]
    try:
        lines = [line.split(":", 2) for line in mine.read_text().splitlines()]
    except OSError:
        return math.inf
    for _, controllers, path in (line for line in lines if len(line) == 3):
        if controllers and "cpu" not in controllers.split(","):
            continue
        top = root / "cpu" if controllers else root
        group = top / path.lstrip("/")
        # Every group above counts, too. In a container the path may be the host's, which is not there: then the top counts.
        for folder in [group, *group.parents][: len(group.parts) - len(top.parts) + 1]:
            with contextlib.suppress(OSError, ValueError):
                if controllers:
                    quota, period = ((folder / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
                else:
                    quota, period = (folder / "cpu.max").read_text().split()
                if float(quota) > 0 and float(period) > 0:
                    limits.append(float(quota) / float(period))
    return min(limits)


class Child:
    """A child process, seen by its parent.

    Parameters
    ----------
    module : str
        Name of the module to run as a program.
    threads : int
        Threads of its libraries.
    ignore_interrupt : bool
        Keep Ctrl-C from the child; the parent then ends it.
    """

    def __init__(self, module: str, threads: int, *, ignore_interrupt: bool = False) -> None:
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 (closed in `close`)
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", module],  # -P: not what lies in the present folder
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            text=True,
            env=os.environ | dict.fromkeys(_VARIABLES, str(threads)),
            start_new_session=ignore_interrupt,
        )

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    def tell(self, what: Any) -> None:
        """Send a JSON value. It is lost if the process has ended; `hear` then returns None."""
        lines = cast(IO[str], self._process.stdin)
        try:
            lines.write(json.dumps(what) + "\n")
            lines.flush()
        except BrokenPipeError:
            pass

    def hear(self) -> Any:
        """Wait for the next JSON value of the process; None if it has ended without one."""
        line = cast(IO[str], self._process.stdout).readline()
        try:
            return json.loads(line)
        except ValueError:  # nothing, or half a line
            return None

    def how_it_ended(self) -> str:
        """Wait for the end, and describe it in one line."""
        code = self._process.wait()
        if code < 0:
            return f"its process was ended by signal {-code}" + (" (out of memory?)" if code == -9 else "")
        self._complaints.seek(0)
        lines = self._complaints.read().decode(errors="replace").split("\n")
        return f"its process ended with code {code}: {next((line for line in reversed(lines) if line.strip()), 'no reason given')}"

    def terminate(self) -> None:
        """Ask the process to stop."""
        self._process.terminate()

    def close(self) -> None:
        """End the process if it runs, and free what it held."""
        self._process.kill()
        self._process.communicate()
        self._complaints.close()


def answering() -> Callable[[Any], None]:
    """Prepare a child process: return the function that sends a JSON value to the parent, and ends the child if the parent died.

    From now on only that function writes to standard output; all else that is printed goes to standard error. The parent's values
    come as lines of JSON on standard input.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(what: Any) -> None:
        answers.write(json.dumps(what) + "\n")
        answers.flush()

    return answer
