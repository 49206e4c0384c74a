"""Read ahead: threads decode the next images while the caller works on the present ones."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, islice
from typing import TypeVar

from resight.compute import usable_cores

__all__ = ["grouped", "read_ahead"]

T = TypeVar("T")
R = TypeVar("R")


def read_ahead(
    items: Iterable[T], read: Callable[[list[T]], R], *, at_once: int, ahead: int, threads: int | None = None
) -> Generator[R, None, None]:
    """Call `read` on threads, some items at a time, and give its results in the order of the items.

    Close it, or run it to its end: either waits for its threads.

    Parameters
    ----------
    items : iterable
        Taken on the caller's thread, and no further than is read ahead.
    read : callable
        Receives up to `at_once` consecutive items. What it raises is raised here, in its turn.
    at_once : int
    ahead : int
        Calls of `read` that may be under way or done before their result is asked for. This bounds the memory.
    threads : int, optional
        By default one for each usable core.
    """
    groups = grouped(items, at_once)
    first = list(islice(groups, 2))
    if len(first) < 2:  # one call needs no thread
        yield from map(read, first)
        return
    waiting: deque[Future[R]] = deque()
    pool = ThreadPoolExecutor(threads or usable_cores(), thread_name_prefix="decode")
    try:
        for some in chain(first, groups):
            waiting.append(pool.submit(read, some))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def grouped(items: Iterable[T], count: int) -> Iterator[list[T]]:
    """Consecutive items in lists of `count`; the last may be shorter."""
    iterator = iter(items)
    while some := list(islice(iterator, count)):
        yield some
