"""What the machine gives: usable cores, memory that is kept, and processes of their own.

A child process is a module of this package; parent and child speak in lines of JSON. What takes it down takes no other along, and
what libraries print is not taken for an answer.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, cast

__all__ = ["Child", "answering", "keep_freed_memory", "usable_cores"]

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # from glibc's malloc.h
_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


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


@functools.cache
def keep_freed_memory() -> bool:
    """Tell glibc's allocator to keep large freed blocks for the next request; once for the process.

    PyTorch on a CPU allocates every activation anew. glibc maps a block of 32 MB or more from the system and unmaps it when it is
    freed, so that every layer pays for zeroing its pages again: on virtual machines that can cost more than the arithmetic (OSNet
    x0.25 ran three times as fast with this, see docs/experiments.md). The price is that the process keeps its largest memory
    use until it ends.

    Returns
    -------
    bool
        False where the C library is not glibc; nothing is changed there.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, 1 << 30)) and bool(mallopt(_M_TRIM_THRESHOLD, (1 << 31) - 1))


class Child:
    """The parent's side.

    Parameters
    ----------
    module : str
        Run as a program.
    threads : int
        Of its libraries.
    ignore_interrupt : bool
        Whether Ctrl-C is for the parent alone, which then ends its children itself.
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
        """Of the process."""
        return self._process.pid

    def tell(self, what: Any) -> None:
        """Send a JSON value. To a process that has ended it is lost; `hear` says so."""
        lines = cast(IO[str], self._process.stdin)
        try:
            lines.write(json.dumps(what) + "\n")
            lines.flush()
        except BrokenPipeError:
            pass

    def hear(self) -> Any:
        """The next JSON value that the process answers with; None when it has ended without another."""
        line = cast(IO[str], self._process.stdout).readline()
        try:
            return json.loads(line)
        except ValueError:  # nothing, or half a line
            return None

    def how_it_ended(self) -> str:
        """Wait for the end, and tell of it in one line."""
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
        """End the process, if it has not ended, and let go of it."""
        self._process.kill()
        self._process.communicate()
        self._complaints.close()


def answering() -> Callable[[Any], None]:
    """The child's side: a function that answers with a JSON value, and ends this process if the parent has died.

    Standard output belongs to it from now on; whatever else is printed goes to standard error. What the parent tells comes
    in lines of JSON on standard input.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(what: Any) -> None:
        answers.write(json.dumps(what) + "\n")
        answers.flush()

    return answer
