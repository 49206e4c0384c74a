"""A sieve for numbers of 64 bits: it holds millions of them, and lets few others pass, in a few nanoseconds each."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["SPREAD", "SPREAD_TOO", "Places", "Sieve", "Words"]

SPREAD, SPREAD_TOO = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD6E8FEB86659FD93)
"""Odd factors, whose products mix the bits of a number into the upper ones."""

Words = NDArray[np.uint64]
Places = NDArray[np.int64]

_BLOCK = 2**14  # numbers that are looked up at a time: they and all between stay in the processor's cache
_LEAST_BITS, _MOST_BITS = 16, 25  # of the small table: its 4 MB at most fit in most caches
_LARGER = 2  # bits that the large table has more


class Sieve:
    """Two tables of bits, each with one bit set for each number (a Bloom filter of two unequal parts).

    The small table fits in the processor's cache and keeps off 5 of 6 other numbers. Only for the rest is the large one read.

    Parameters
    ----------
    numbers : uint64 array (n,)
        Numbers that pass.
    """

    def __init__(self, numbers: Words) -> None:
        bits = int(np.clip(np.ceil(np.log2(4 * len(numbers) + 1)), _LEAST_BITS, _MOST_BITS))
        self._shifts = np.uint64(64 - bits), np.uint64(64 - bits - _LARGER)
        tables = [np.zeros(1 << (64 - int(shift)), np.bool_) for shift in self._shifts]
        for start in range(0, len(numbers), _BLOCK):
            some = numbers[start : start + _BLOCK]
            tables[0][self._first(some)] = True
            tables[1][self._second(some)] = True
        self._small, self._large = (np.packbits(table, bitorder="little") for table in tables)

    def pick(self, numbers: Words) -> Places:
        """Return the places of the numbers that pass, in order."""
        picked = [np.empty(0, np.int64)]
        for start in range(0, len(numbers), _BLOCK):
            some = numbers[start : start + _BLOCK]
            likely = np.flatnonzero(_bits(self._small, self._first(some)))
            likely = likely[_bits(self._large, self._second(some[likely]))]
            picked.append(likely + start)
        return np.concatenate(picked)

    def _first(self, numbers: Words) -> Places:
        return np.right_shift(np.multiply(numbers, SPREAD), self._shifts[0]).view(np.int64)

    def _second(self, numbers: Words) -> Places:
        folded = np.bitwise_xor(numbers, np.right_shift(numbers, np.uint64(31)))
        return np.right_shift(np.multiply(folded, SPREAD_TOO), self._shifts[1]).view(np.int64)


def _bits(table: NDArray[np.uint8], places: Places) -> NDArray[np.bool_]:
    """Return the bits at some places of a table."""
    octets = table.take(places >> 3, mode="clip")  # no place is outside; this mode saves a check
    found: NDArray[np.bool_] = np.bitwise_and(octets >> places.astype(np.uint8) % 8, 1).view(np.bool_)
    return found
