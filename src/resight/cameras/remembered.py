"""Everybody whom a linker remembers: their passages, and who is near to whom."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from resight.cameras.ways import Passage

__all__ = ["People", "Person", "Seen", "Threshold"]

Threshold = Callable[[NDArray[np.float64]], float]
"""Largest distance of one person's passages, for the embedding of one of them."""


class Seen(Passage, Protocol):
    """A passage with its name and its fused embedding; a `Tracklet` is one."""

    @property
    def name(self) -> str:
        """Name of the passage, given once."""

    @property
    def embedding(self) -> NDArray[np.float32]:
        """Float32 (d,), of any length but 0."""


class Person:
    """Passages of one person, the sum of their unit vectors and of their thresholds, and the name that an operator gave."""

    def __init__(self, passages: list[Seen], total: NDArray[np.float64], limit: float, named: str = "") -> None:
        self.passages, self.total, self.limit, self.named = passages, total, limit, named

    @classmethod
    def of(cls, passages: list[Seen], threshold: Threshold, named: str = "") -> Person:
        vectors = [np.asarray(one.embedding, np.float64) for one in passages]
        total: NDArray[np.float64] = np.sum([vector / np.linalg.norm(vector) for vector in vectors], axis=0)
        return cls(passages, total, sum(map(threshold, vectors)), named)

    def with_all(self, other: Person) -> Person:
        passages = [*self.passages, *other.passages]
        return Person(passages, self.total + other.total, self.limit + other.limit, self.named or other.named)


class People(dict[int, Person]):
    """Everybody who is remembered, with the sums as one matrix, so that one product compares somebody with all."""

    def __init__(self) -> None:
        super().__init__()
        self._rows: dict[int, int] = {}
        self._totals, self._counts = np.empty((0, 0)), np.empty(0)

    def __setitem__(self, number: int, person: Person) -> None:
        super().__setitem__(number, person)
        row = self._rows.setdefault(number, max(self._rows.values(), default=-1) + 1)
        if row >= len(self._totals):
            self._grow(len(person.total))
            row = self._rows[number]
        self._totals[row], self._counts[row] = person.total, len(person.passages)

    def __delitem__(self, number: int) -> None:
        super().__delitem__(number)
        del self._rows[number]

    def _grow(self, size: int) -> None:
        """Close the gaps of those who left, and make room for as many again."""
        held = [(who, row) for who, row in self._rows.items() if row < len(self._totals)]
        totals, counts = np.zeros((2 * len(self._rows) + 8, size)), np.ones(2 * len(self._rows) + 8)
        if held:
            rows = [row for _, row in held]
            totals[: len(rows)], counts[: len(rows)] = self._totals[rows], self._counts[rows]
        new = [who for who in self._rows if who not in dict(held)]
        self._rows = {who: row for row, who in enumerate([*dict(held), *new])}
        self._totals, self._counts = totals, counts

    def near(self, number: int, threshold: float) -> list[tuple[float, int]]:
        """Mean cosine distance and number of all others within a threshold, the least first."""
        person = self[number]
        others, rows = list(self._rows), list(self._rows.values())
        distances = 1 - self._totals[rows] @ person.total / (self._counts[rows] * len(person.passages))
        within = np.flatnonzero(distances <= threshold).tolist()
        return sorted((float(distances[at]), others[at]) for at in within if others[at] != number)
