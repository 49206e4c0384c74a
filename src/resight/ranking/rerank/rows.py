"""Work on the rows of a matrix, some at a time, in several threads."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = ["in_parts"]

_CELLS = 1 << 20  # cells of the matrix that a thread takes at a time
_ROWS = 64  # most rows at a time, so that every thread has work

Result = TypeVar("Result")


def in_parts(work: Callable[[slice], Result], start: int, stop: int, width: int) -> list[Result]:
    """Call `work` in several threads, with slices that together cover some rows. NumPy computes outside the interpreter's lock.

    Parameters
    ----------
    work : callable
        Function of a slice; it writes to no other rows.
    start, stop : int
        Rows to cover.
    width : int
        Cells in a row; the wider the rows, the fewer in a slice.

    Returns
    -------
    list
        Results of the calls, in the order of the rows.
    """
    step = max(1, min(_ROWS, _CELLS // max(1, width)))
    with ThreadPoolExecutor() as pool:
        return list(pool.map(work, (slice(first, min(first + step, stop)) for first in range(start, stop, step))))
