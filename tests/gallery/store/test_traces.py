"""Searching bytes for what should be gone, against Python's own `in`."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gallery.fakes import make_sighting
from resight.gallery.store.traces import Traces, confirm, telling_part


def found_in(traces: Traces, data: bytes) -> set[bytes]:
    return pieces_in(traces, [data])


def pieces_in(traces: Traces, chunks: Iterable[bytes]) -> set[bytes]:
    return {piece for found in traces.left(chunks) for piece in traces.pieces(found)}


def noise(seed: int, size: int) -> bytes:
    return np.random.default_rng(seed).bytes(size)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_piece_of_16_bytes_is_found_wherever_it_lies(data: st.DataObject) -> None:
    contents = [noise(number, data.draw(st.integers(16, 70))) for number in range(data.draw(st.integers(1, 4)))]
    content = data.draw(st.sampled_from(contents))
    start = data.draw(st.integers(0, len(content) - 16))
    piece = content[start : start + data.draw(st.integers(16, len(content) - start))]
    before, after = noise(98, data.draw(st.integers(0, 40))), noise(99, data.draw(st.integers(0, 40)))
    found = found_in(Traces(contents), before + piece + after)
    assert found
    assert all(any(f in content for content in contents) and len(f) >= 16 for f in found)
    # What stands beside it may agree with the content by chance.
    assert any(f in piece or piece[:16] in f or piece[-16:] in f for f in found)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(min_size=0, max_size=60), max_size=5), st.binary(max_size=300))
def test_what_is_found_is_there(contents: list[bytes], data: bytes) -> None:
    for piece in found_in(Traces(contents), data):
        assert piece in data
        assert any(piece in content for content in contents)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_bytes_of_few_values(seed: int) -> None:
    """Where everything looks alike, all that is found is true, and what is there is found."""
    rng = np.random.default_rng(seed)
    content, data = rng.choice([0, 1], 40).astype(np.uint8).tobytes(), rng.choice([0, 1], 400).astype(np.uint8).tobytes()
    data = data[:200] + content[7:35] + data[200:]
    found = found_in(Traces([content]), data)
    assert all(piece in data and piece in content for piece in found)
    pieces = {content[start : start + 16] for start in range(7, 20)}
    assert bool(found) == any(re.search(rb"(.)\1{7}", piece, re.DOTALL) is None for piece in pieces)


def test_no_false_alarm_in_much_noise() -> None:
    assert found_in(Traces(noise(number, 4000) for number in range(200)), noise(7777, 4_000_000)) == set()


def test_a_repeated_byte_tells_nothing() -> None:
    assert found_in(Traces([bytes(100), b"\xff" * 100]), bytes(5000) + b"\xff" * 5000) == set()
    assert found_in(Traces([bytes(50) + noise(1, 30)]), bytes(64) + noise(1, 30)) != set()
    sparse = Traces([bytes(40) + noise(number, 8) + bytes(40) for number in range(300)])  # a page's free space, and a row
    assert found_in(sparse, b"".join(bytes(40) + noise(number, 3) + noise(number + 400, 90) for number in range(300))) == set()


def test_contents_that_follow_each_other_are_not_one() -> None:
    first, second = noise(1, 20), noise(2, 20)
    assert found_in(Traces([first, second]), first[-10:] + second[:10]) == set()
    assert found_in(Traces([]), noise(1, 100)) == set()
    assert found_in(Traces([b"short"]), b"short" * 10) == set()


@pytest.mark.parametrize("size", [7, 33, 4096])
@pytest.mark.parametrize("place", [0, 1, 4080, 4089, 4095, 4096, 8188, 9984])
def test_pieces_on_the_border_of_chunks(place: int, size: int) -> None:
    content = noise(1, 16)
    data = bytearray(noise(2, 10_000))
    data[place : place + 16] = content
    assert pieces_in(Traces([content]), (bytes(data[start : start + size]) for start in range(0, len(data), size))) == {content}


def test_what_others_hold_is_theirs() -> None:
    one, other = noise(1, 100), noise(2, 100)

    def left(*survivors: bytes, data: bytes = other + one + other) -> set[bytes]:
        traces = Traces([one])
        traces.forget(survivors)
        return found_in(traces, data)

    assert len(left()) == 85  # every 16 bytes
    assert left(other, noise(3, 100)) == left()
    assert left(other, b"x" + one) == set()
    # Only the beginning is shared: the rest is still a remainder, but for what touches the shared part.
    rest = left(one[:40])
    assert rest and all(one.index(piece) > 24 for piece in rest)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_bytes_after_the_end_of_a_survivor_may_agree_by_chance(data: st.DataObject) -> None:
    """A survivor's content in a file, followed and preceded by a few bytes that a deleted content has there, too."""
    survivor, before, after = noise(1, data.draw(st.integers(16, 64))), noise(2, 30), noise(3, 30)
    traces = Traces([before + survivor + after])
    traces.forget([survivor])
    chance = [data.draw(st.integers(0, 3)) for _ in range(2)]
    file = noise(4, data.draw(st.integers(0, 20))) + before[30 - chance[0] :] + survivor + after[: chance[1]] + noise(5, 40)
    assert found_in(traces, file) == set()


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 40), st.booleans(), st.booleans())
def test_whatever_is_forgotten_the_rest_is_found(seed: int, gap: int, few: bool, common: bool) -> None:
    """Against Python's own `in`: all pieces of the file that the contents hold and the survivors do not, if they stand alone."""
    rng = np.random.default_rng(seed)
    alphabet = 3 if few else 256
    contents = [rng.integers(0, alphabet, rng.integers(16, 60)).astype(np.uint8).tobytes() for _ in range(3)]
    survivors = [noise(seed + 1, 5) + contents[0][3:30] + noise(seed + 2, gap), noise(seed + 3, 50)]
    file = noise(seed + 4, gap) + contents[1] + noise(seed + 5, gap + 20)
    traces = Traces(contents)
    (traces.forget_common if common else traces.forget)(survivors)
    pieces = {file[start : start + 16] for start in range(len(file) - 15)}
    expected = {piece for piece in pieces if any(piece in content for content in contents)}
    expected -= {piece for piece in expected if any(piece in survivor for survivor in survivors)}
    found = found_in(traces, file)
    assert found <= expected
    if not few:
        assert found == expected


def test_a_few_pieces_are_looked_for_at_every_place() -> None:
    held, other = noise(1, 16), noise(2, 16)
    for place in range(9):
        assert confirm({held, other}, [noise(3, 40), noise(4, place) + held + noise(5, 9)]) == {other}
    assert confirm({held}, []) == {held}


def test_much_that_is_alike_takes_no_longer() -> None:
    """Contents that share most of their pieces with thousands of survivors: every word of these is known."""
    common = noise(1, 3000)
    gone = [common + noise(number, 400) for number in range(2, 60)]
    survivors = [common + noise(number, 400) for number in range(100, 4100)]
    traces = Traces(gone)
    started = time.process_time()
    traces.forget(survivors)
    assert found_in(traces, b"".join(survivors)) == set()
    assert time.process_time() - started < 5
    assert found_in(traces, b"".join(survivors) + gone[3])


def test_a_thousand_of_twenty_thousand_look_alikes_cost_about_as_much_as_of_strangers() -> None:
    common = noise(1, 2500)
    gone = [common + noise(number, 400) for number in range(2, 1002)]

    def cost(survivors: list[bytes]) -> float:
        traces = Traces(gone)
        started = time.process_time()
        traces.forget(survivors)
        assert found_in(traces, b"".join(survivors)) == set()
        return time.process_time() - started

    alike = cost([common + noise(number, 400) for number in range(10_000, 30_000)])
    assert alike < 5 * cost([noise(number, 2900) for number in range(10_000, 30_000)])


def test_jpegs_have_nothing_in_common_but_their_tables() -> None:
    first, second = make_sighting(1).thumbnail, make_sighting(2).thumbnail
    assert found_in(Traces([first]), second)
    assert not found_in(Traces([telling_part(first)]), second)
    assert len(telling_part(first)) > 0.3 * len(first)
    assert telling_part(b"no JPEG at all") == b"no JPEG at all"
