"""Work on the rows of a matrix, some at a time, on all processors."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = ["in_parts"]

_CELLS = 1 << 20  # of the matrix that a thread takes at a time: what it makes of them stays small
_ROWS = 64  # at most, so that there is something for every thread

Result = TypeVar("Result")


def in_parts(work: Callable[[slice], Result], start: int, stop: int, width: int) -> list[Result]:
    """Call `work` with slices that together cover some rows, in several threads: NumPy computes outside the interpreter's lock.

    Parameters
    ----------
    work : callable
        Of a slice; it writes to no other rows.
    start, stop : int
        The rows to cover.
    width : int
        Cells in a row: a slice of many has fewer rows.

    Returns
    -------
    list
        What the calls returned, in the order of the rows.
    """
    step = max(1, min(_ROWS, _CELLS // max(1, width)))
    with ThreadPoolExecutor() as pool:
        return list(pool.map(work, (slice(first, min(first + step, stop)) for first in range(start, stop, step))))
