"""A reader of protocol buffers, to look through files of strangers before any runtime sees them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

__all__ = ["Damaged", "Value", "budget", "fields", "gathered", "integers", "message", "text"]

Value = int | memoryview
"""Value of a field: a whole number, or bytes."""


class Damaged(Exception):
    """Bytes that are not protocol buffers, or not the expected messages."""


def budget(most: int) -> Iterator[int]:
    """Count the fields that are read; raises `Damaged` after `most`."""
    yield from range(most)
    raise Damaged(f"more than {most} fields")


def fields(content: memoryview, budget: Iterator[int]) -> Iterator[tuple[int, Value]]:
    """Field numbers and values of one message, in order. Raises `Damaged`."""
    position = 0
    while position < len(content):
        next(budget)
        key, position = _varint(content, position)
        number, kind = key >> 3, key & 7
        if kind == 0:
            value, position = _varint(content, position)
            yield number, value
            continue
        if kind == 2:
            length, position = _varint(content, position)
        elif kind in (1, 5):
            length = 8 if kind == 1 else 4
        else:
            raise Damaged(f"wire type {kind}")
        if number == 0 or position + length > len(content):
            raise Damaged("it ends too early" if number else "field number 0")
        yield number, content[position : position + length]
        position += length


def gathered(content: Value, budget: Iterator[int]) -> defaultdict[int, list[Value]]:
    """All values of each field of one message, in order. Raises `Damaged`."""
    found: defaultdict[int, list[Value]] = defaultdict(list)
    for number, value in fields(message(content), budget):
        found[number].append(value)
    return found


def message(value: Value) -> memoryview:
    """The bytes of a message. Raises `Damaged` if it is a number."""
    if isinstance(value, int):
        raise Damaged("a number where a message belongs")
    return value


def text(values: list[Value]) -> str:
    """Text of a field: its last value, as protocol buffers define it, or empty. Raises `Damaged`."""
    return bytes(message(values[-1])).decode(errors="replace") if values else ""


def integers(values: list[Value], most: int) -> list[int]:
    """The whole numbers of a repeated field, packed or not. Raises `Damaged`, also for more than `most`."""
    found: list[int] = []
    for value in values:
        if isinstance(value, int):
            found.append(value)
            continue
        position = 0
        while position < len(value) and len(found) <= most:
            number, position = _varint(value, position)
            found.append(number)
    if len(found) > most:
        raise Damaged(f"more than {most} numbers")
    return found


def _varint(content: memoryview, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(content):
            raise Damaged("it ends too early")
        byte = content[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise Damaged("a number without an end")
