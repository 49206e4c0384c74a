"""Searching bytes for what should be gone, against Python's own `in`."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gallery.fakes import make_sighting
from resight.gallery.store.traces import Traces, telling_part, without_legitimate


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
    found = Traces(contents).in_bytes(before + piece + after)
    assert found
    assert all(any(f in content for content in contents) and len(f) >= 16 for f in found)
    # What stands beside it may agree with the content by chance.
    assert any(f in piece or piece[:16] in f or piece[-16:] in f for f in found)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(min_size=0, max_size=60), max_size=5), st.binary(max_size=300))
def test_what_is_found_is_there(contents: list[bytes], data: bytes) -> None:
    for piece in Traces(contents).in_bytes(data):
        assert piece in data
        assert any(piece in content for content in contents)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_bytes_of_few_values(seed: int) -> None:
    """Where everything looks alike, all that is found is true, and whatever Python finds is found."""
    rng = np.random.default_rng(seed)
    content, data = rng.choice([0, 1], 40).astype(np.uint8).tobytes(), rng.choice([0, 1], 400).astype(np.uint8).tobytes()
    data = data[:200] + content[7:35] + data[200:]
    found = Traces([content]).in_bytes(data)
    assert all(piece in data and piece in content for piece in found)
    assert found


def test_no_false_alarm_in_much_noise() -> None:
    assert Traces(noise(number, 4000) for number in range(200)).in_bytes(noise(7777, 4_000_000)) == set()


def test_a_repeated_byte_tells_nothing() -> None:
    assert Traces([bytes(100), b"\xff" * 100]).in_bytes(bytes(5000) + b"\xff" * 5000) == set()
    assert Traces([bytes(50) + noise(1, 30)]).in_bytes(bytes(64) + noise(1, 30)) != set()


def test_contents_that_follow_each_other_are_not_one() -> None:
    first, second = noise(1, 20), noise(2, 20)
    assert Traces([first, second]).in_bytes(first[-10:] + second[:10]) == set()
    assert Traces([]).in_bytes(noise(1, 100)) == set()
    assert Traces([b"short"]).in_bytes(b"short" * 10) == set()


@pytest.mark.parametrize("size", [7, 33, 4096])
@pytest.mark.parametrize("place", [0, 1, 4080, 4089, 4095, 4096, 8188, 9984])
def test_pieces_on_the_border_of_chunks(place: int, size: int) -> None:
    content = noise(1, 16)
    data = bytearray(noise(2, 10_000))
    data[place : place + 16] = content
    assert Traces([content]).in_chunks(bytes(data[start : start + size]) for start in range(0, len(data), size)) == {content}


def test_what_others_hold_is_theirs() -> None:
    one, other = noise(1, 100), noise(2, 100)
    pieces = Traces([one]).in_bytes(other + one + other)
    assert without_legitimate(pieces, [other, noise(3, 100)]) == pieces
    assert without_legitimate(pieces, [other, b"x" + one]) == set()
    # Only the beginning is shared: the rest is still a remainder.
    assert without_legitimate(pieces, [one[:40]])


def test_jpegs_have_nothing_in_common_but_their_tables() -> None:
    first, second = make_sighting(1).thumbnail, make_sighting(2).thumbnail
    assert Traces([first]).in_bytes(second)
    assert not Traces([telling_part(first)]).in_bytes(second)
    assert len(telling_part(first)) > 0.3 * len(first)
    assert telling_part(b"no JPEG at all") == b"no JPEG at all"
