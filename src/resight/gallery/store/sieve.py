"""A sieve for numbers of 64 bits: it holds millions of them, and lets few others pass, in a few nanoseconds each."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["SPREAD", "Places", "Sieve", "Words"]

SPREAD = np.uint64(0x9E3779B97F4A7C15)
"""Odd factor, whose products mix the bits of a number into the upper ones."""

Words = NDArray[np.uint64]
Places = NDArray[np.int64]

_BLOCK = 2**13  # numbers that are looked up at a time: they and all between stay in the processor's cache
_FULL = 2.4  # numbers a slot
_LEAST_BITS, _MOST_BITS = 10, 21  # of a slot's number: the table takes 8 MB at most
_MARK_BITS = 12
_MARKS = np.bitwise_or.reduce(np.uint32(1) << np.random.default_rng(0).integers(0, 32, (4, 2**_MARK_BITS), dtype=np.uint32))


class Sieve:
    """A table of slots of 32 bits: each number sets some four bits of one slot (a blocked Bloom filter).

    So a look-up reads the memory once. About 1 in 70 of other numbers pass.

    Parameters
    ----------
    numbers : uint64 array (n,)
        Numbers that pass, in any order.
    """

    def __init__(self, numbers: Words) -> None:
        bits = int(np.clip(np.ceil(np.log2(len(numbers) / _FULL + 1)), _LEAST_BITS, _MOST_BITS))
        self._shifts = np.uint64(64 - bits), np.uint64(64 - bits - _MARK_BITS)
        self._table = np.zeros(1 << bits, np.uint32)
        for start in range(0, len(numbers), _BLOCK):
            slots, marks = self._look(np.sort(np.multiply(numbers[start : start + _BLOCK], SPREAD)))
            first = np.flatnonzero(np.diff(slots, prepend=-1))
            self._table[slots[first]] |= np.bitwise_or.reduceat(marks, first)

    def pick(self, numbers: Words) -> Places:
        """Return the places of the numbers that pass, in order."""
        picked = [np.empty(0, np.int64)]
        for start in range(0, len(numbers), _BLOCK):
            slots, marks = self._look(np.multiply(numbers[start : start + _BLOCK], SPREAD))
            passes = np.bitwise_and(self._table.take(slots, mode="clip"), marks) == marks  # no slot is outside; clip saves a check
            picked.append(np.flatnonzero(passes) + start)
        return np.concatenate(picked)

    def _look(self, spread: Words) -> tuple[Places, NDArray[np.uint32]]:
        """Return the slots of spread numbers, and their marks in them."""
        slots = np.right_shift(spread, self._shifts[0]).view(np.int64)
        kinds = np.bitwise_and(np.right_shift(spread, self._shifts[1]), np.uint64(2**_MARK_BITS - 1)).view(np.int64)
        return slots, _MARKS.take(kinds, mode="clip")
