"""A module of this package in a process of its own; parent and child speak in lines of JSON.

What takes its process down takes no other along, and what libraries print is not taken for an answer.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from typing import IO, Any, cast

__all__ = ["Child", "answering"]

_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


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
