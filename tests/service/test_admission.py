"""Shares of callers: of places, and of the threads."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import ExitStack

import pytest

from resight.errors import BusyError
from resight.service.admission import FairThreads, Places


def test_a_caller_alone_has_all_places_and_a_second_one_finds_some() -> None:
    places = Places(8)
    with ExitStack() as stack:
        for _ in range(8):
            stack.enter_context(places.one("greedy"))
        with pytest.raises(BusyError):
            places.check("greedy")
        for _ in range(4):
            stack.enter_context(places.one("late"))
        with pytest.raises(BusyError):
            places.check("late")
        places.check("third")
    assert places.taken == 0


def test_a_caller_who_leaves_gives_its_share_back() -> None:
    places = Places(4)
    with places.one("one"):
        pass
    with ExitStack() as stack:
        for _ in range(4):
            stack.enter_context(places.one("two"))


def test_the_one_who_used_less_is_next() -> None:
    """A caller with long tasks on all threads and more in its queue delays another's short tasks by no more than one."""
    threads = FairThreads(2)
    done: list[tuple[str, float]] = []

    async def ask(caller: str, count: int, seconds: float) -> None:
        await asyncio.gather(*(threads.run(caller, lambda: _work(caller, seconds)) for _ in range(count)))

    def _work(caller: str, seconds: float) -> None:
        time.sleep(seconds)
        done.append((caller, time.perf_counter()))

    async def both() -> float:
        greedy = asyncio.create_task(ask("greedy", 12, 0.2))
        await asyncio.sleep(0.05)
        started = time.perf_counter()
        await ask("small", 12, 0.01)
        took = time.perf_counter() - started
        await greedy
        return took

    assert asyncio.run(both()) < 0.6  # first come, first served: 1.2 s
    assert sum(caller == "greedy" for caller, _ in done[:12]) <= 3
    threads.close()


def test_one_caller_uses_no_more_than_its_threads() -> None:
    threads, running, most = FairThreads(2), [0], [0]
    lock = threading.Lock()

    def work() -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.02)
        with lock:
            running[0] -= 1

    async def ask() -> None:
        await asyncio.gather(*(threads.run("one", work) for _ in range(12)))

    asyncio.run(ask())
    assert most == [2]
    threads.close()


def test_what_is_raised_comes_back_and_after_the_end_nothing_is_taken() -> None:
    threads = FairThreads(1)

    def fail() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        asyncio.run(threads.run("a", fail))
    assert asyncio.run(threads.run("a", lambda: 3)) == 3
    threads.close()
    with pytest.raises(BusyError):
        asyncio.run(threads.run("a", lambda: 3))
    assert threads._used == {} and threads._waiting == {}
