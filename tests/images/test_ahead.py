"""Reading ahead: order, bounds, errors and threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from resight.images import grouped, read_ahead


@pytest.mark.parametrize("count", [0, 1, 3, 4, 7, 100])
def test_results_come_in_the_order_of_the_items(count: int) -> None:
    def slow_first(some: list[int]) -> list[int]:
        time.sleep(0.02 if some[0] == 0 else 0)
        return [-item for item in some]

    parts = list(read_ahead(range(count), slow_first, at_once=3, ahead=4, threads=3))
    assert [item for part in parts for item in part] == [-item for item in range(count)]
    assert [len(part) for part in parts] == [len(some) for some in grouped(range(count), 3)]


def test_no_more_is_taken_than_is_read_ahead() -> None:
    taken = 0

    def items() -> Iterator[int]:
        nonlocal taken
        for number in range(1000):
            taken += 1
            yield number

    for done, _ in enumerate(read_ahead(items(), sum, at_once=2, ahead=5), 1):
        assert taken <= 2 * (done + 5)


def test_an_error_is_raised_in_its_turn_and_ends_the_threads() -> None:
    def fail(some: list[int]) -> int:
        if 6 in some:
            raise ValueError("six")
        return some[0]

    before, found = threading.active_count(), []
    with pytest.raises(ValueError, match="six"):
        for value in read_ahead(range(100), fail, at_once=2, ahead=8):
            found.append(value)
    assert found == [0, 2, 4]
    with closing(read_ahead(range(100), len, at_once=2, ahead=8)) as parts:
        assert next(parts) == 2
    assert threading.active_count() == before


def test_one_call_takes_no_thread() -> None:
    (where,) = read_ahead([1, 2], lambda some: threading.current_thread(), at_once=2, ahead=8)
    assert where is threading.current_thread()
    assert len(set(read_ahead(range(4), lambda some: threading.current_thread().name, at_once=1, ahead=8)) - {where.name}) >= 1
