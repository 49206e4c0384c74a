"""Fair shares for callers: of the places for uploads, and of the threads that work on them."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, TypeVar

from resight.errors import BusyError

__all__ = ["FairThreads", "Places"]

T = TypeVar("T")


class Places:
    """Places for uploads, shared among callers.

    A caller's share is the number of places divided by the number of callers that hold one. A single caller may therefore take all
    places, and a caller who comes later still finds one.

    Parameters
    ----------
    count : int
        Places of a caller who is alone.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._held: Counter[str] = Counter()
        self._lock = threading.RLock()

    @property
    def taken(self) -> int:
        """Places that are taken."""
        with self._lock:
            return self._held.total()

    def check(self, caller: str) -> None:
        """Raise `BusyError` if a caller holds all of its share."""
        with self._lock:
            share = max(1, self.count // len(self._held.keys() | {caller}))
            if self._held[caller] >= share:
                raise BusyError(f"{share} uploads of this token are being worked on already; ask again in a moment")

    @contextmanager
    def one(self, caller: str) -> Iterator[None]:
        """Hold a place for the length of a block. Raises `BusyError` if the caller holds all of its share."""
        with self._lock:
            self.check(caller)
            self._held[caller] += 1
        try:
            yield
        finally:
            with self._lock:
                self._held[caller] -= 1
                self._held += Counter()  # forgets callers that hold none


class FairThreads:
    """Threads that work for callers in turn: the caller who has used the least time comes next.

    One caller uses at most `count` threads. One more thread is kept for the others, so that their uploads need not wait for the end
    of a long one.

    Parameters
    ----------
    count : int
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._changed = threading.Condition()
        self._open = True
        self._waiting: dict[str, deque[tuple[Future[Any], Callable[[], Any]]]] = {}
        self._running: Counter[str] = Counter()
        self._used: dict[str, float] = {}  # seconds, of each caller whose work waits or runs
        self._threads = [threading.Thread(target=self._work, name="upload", daemon=True) for _ in range(count + 1)]
        for thread in self._threads:
            thread.start()

    async def run(self, caller: str, work: Callable[[], T]) -> T:
        """Do some work for a caller, and return its result. Raises `BusyError` after `close`."""
        future: Future[T] = Future()
        with self._changed:
            if not self._open:
                raise BusyError("the service is stopping; ask again when it runs")
            # Whoever was idle begins level with the others: idle time is no credit.
            self._used.setdefault(caller, min(self._used.values(), default=0.0))
            self._waiting.setdefault(caller, deque()).append((future, work))
            self._changed.notify()
        return await asyncio.wrap_future(future)

    def close(self, timeout: float | None = None) -> None:
        """Finish the waiting work, then stop; after `timeout` seconds stop waiting for it."""
        with self._changed:
            self._open = False
            self._changed.notify_all()
        deadline = None if timeout is None else time.monotonic() + timeout
        for thread in self._threads:
            thread.join(None if deadline is None else max(0.0, deadline - time.monotonic()))

    def _work(self) -> None:
        while True:
            with self._changed:
                while (caller := self._next()) is None:
                    if not self._open and not self._waiting:
                        return
                    self._changed.wait()
                future, work = self._waiting[caller].popleft()
                if not self._waiting[caller]:
                    del self._waiting[caller]
                self._running[caller] += 1
            started = time.perf_counter()
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(work())
                except BaseException as error:
                    future.set_exception(error)
            del future, work  # the upload is not kept until the next one
            with self._changed:
                self._used[caller] += time.perf_counter() - started
                self._running[caller] -= 1
                if not self._running[caller]:
                    del self._running[caller]
                    if caller not in self._waiting:
                        del self._used[caller]
                self._changed.notify_all()

    def _next(self) -> str | None:
        ready = [caller for caller in self._waiting if self._running[caller] < self.count]
        return min(ready, key=lambda caller: (self._running[caller], self._used[caller]), default=None)
