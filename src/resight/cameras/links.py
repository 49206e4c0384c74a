"""The same person across cameras: passages are joined into people as they arrive."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from resight.cameras.ways import Passage, Ways
from resight.errors import ArrayError, ConfigurationError

__all__ = ["Change", "Linker", "Seen"]


class Seen(Passage, Protocol):
    """A passage with its name and its fused embedding; a `Tracklet` is one."""

    @property
    def name(self) -> str:
        """Name of the passage, given once."""

    @property
    def embedding(self) -> NDArray[np.float32]:
        """Float32 (d,), of any length but 0."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """Change of a person, as later evidence makes it.

    Attributes
    ----------
    kind : str
        ``"new"``, ``"seen again"``, ``"merged"`` or ``"split"``.
    person : int
        Provisional number of the person, from 1.
    passages : tuple of str
        Names of the passages that are now this person's, and were not before.
    former : int or None
        Whose they were: the person who was merged or split.
    distance : float or None
        Mean cosine distance that decided; None if nobody was compared, or an operator decided.
    """

    kind: str
    person: int
    passages: tuple[str, ...]
    former: int | None = None
    distance: float | None = None


class _Person:
    """Passages of one person, and the sum of their unit vectors."""

    def __init__(self, passages: list[Seen], total: NDArray[np.float64]) -> None:
        self.passages, self.total = passages, total


class _People(dict[int, _Person]):
    """Everybody who is remembered, with the sums as one matrix, so that one product compares somebody with all."""

    def __init__(self) -> None:
        super().__init__()
        self._rows: dict[int, int] = {}
        self._totals, self._counts = np.empty((0, 0)), np.empty(0)

    def __setitem__(self, number: int, person: _Person) -> None:
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


class Linker:
    """Joins passages into people.

    A passage belongs to the person whose passages are the least far from it, on average, if that distance is within the threshold
    and the way is possible. Whoever has come close to somebody else by a new passage is merged, and the change says so.

    Parameters
    ----------
    threshold : float
        Largest mean cosine distance of one person's passages, such as ``calibration.match.threshold``.
    ways : Ways, optional
        Rules of what is possible. By default nobody is in two places at once.
    memory : float
        Seconds after which somebody who was not seen is no longer compared.

    Raises
    ------
    ConfigurationError
        If the threshold is not from 0 to 2, or the memory is not above 0.
    """

    def __init__(self, threshold: float, ways: Ways | None = None, *, memory: float = 86400.0) -> None:
        if not 0 <= threshold <= 2 or not memory > 0:
            raise ConfigurationError(f"links: threshold {threshold}, memory {memory}; expected 0 to 2, and more than 0 seconds")
        self.threshold, self.ways, self.memory = threshold, ways or Ways(), memory
        self._people = _People()
        self._apart: set[frozenset[int]] = set()
        self._given = 0

    def add(self, passage: Seen) -> list[Change]:
        """Take the next passage, and say what changes. Raises `ArrayError` for an embedding that is not finite, or is 0."""
        vector = np.asarray(passage.embedding, np.float64)
        length = float(np.linalg.norm(vector))
        if not np.isfinite(length) or length == 0 or vector.ndim != 1:
            raise ArrayError(
                f"passage {passage.name}: an embedding of shape {vector.shape} and length {length}; expected (d,), finite"
            )
        self._forget(passage.start)
        newcomer = _Person([passage], vector / length)
        self._given += 1
        mine = self._given
        self._people[mine] = newcomer
        found = self._nearest(mine)
        if found is None:
            return [Change(kind="new", person=mine, passages=(passage.name,))]
        person, distance = found
        self._given -= 1
        self._join(person, mine)
        changes = [Change(kind="seen again", person=person, passages=(passage.name,), distance=distance)]
        while (found := self._nearest(person)) is not None:
            kept, gone = min(person, found[0]), max(person, found[0])
            changes.append(self._merged(kept, gone, found[1]))
            person = kept
        return changes

    def people(self) -> dict[int, tuple[str, ...]]:
        """Names of the passages of everybody who is remembered."""
        return {person: tuple(one.name for one in held.passages) for person, held in self._people.items()}

    def merge(self, one: int, other: int) -> Change:
        """Join two people, as an operator decides. Raises `ConfigurationError` if one is not known."""
        for person in (one, other):
            self._require(person)
        if one == other:
            raise ConfigurationError(f"person {one} cannot be merged with itself; name two people")
        self._apart.discard(frozenset((one, other)))
        return self._merged(min(one, other), max(one, other), None)

    def split(self, person: int, passages: set[str]) -> Change:
        """Make somebody else of some passages, as an operator decides. The two are not joined again.

        Raises
        ------
        ConfigurationError
            If the person is not known, or would have no passage, or all of them, left.
        """
        held = self._require(person)
        theirs = [one for one in held.passages if one.name in passages]
        rest = [one for one in held.passages if one.name not in passages]
        if not theirs or not rest:
            raise ConfigurationError(
                f"person {person} has {len(held.passages)} passages, {len(theirs)} of the named ones; name some"
            )
        self._given += 1
        self._people[person], self._people[self._given] = (_Person(some, _total(some)) for some in (rest, theirs))
        self._apart.add(frozenset((person, self._given)))
        return Change(kind="split", person=self._given, passages=tuple(one.name for one in theirs), former=person)

    def _nearest(self, person: int) -> tuple[int, float] | None:
        """Who is least far from somebody within the threshold, and can be the same."""
        mine = self._people[person]
        for distance, other in self._people.near(person, self.threshold):
            passages = [*mine.passages, *self._people[other].passages]
            if frozenset((person, other)) not in self._apart and self.ways.possible(passages):
                return other, distance
        return None

    def _merged(self, kept: int, gone: int, distance: float | None) -> Change:
        names = tuple(one.name for one in self._people[gone].passages)
        self._join(kept, gone)
        return Change(kind="merged", person=kept, passages=names, former=gone, distance=distance)

    def _join(self, kept: int, gone: int) -> None:
        one, other = self._people[kept], self._people[gone]
        del self._people[gone]
        self._people[kept] = _Person([*one.passages, *other.passages], one.total + other.total)
        self._apart = {frozenset(kept if who == gone else who for who in pair) for pair in self._apart}

    def _forget(self, now: float) -> None:
        old = {who for who, held in self._people.items() if now - max(one.end for one in held.passages) > self.memory}
        for who in old:
            del self._people[who]
        self._apart = {pair for pair in self._apart if not pair & old}

    def _require(self, person: int) -> _Person:
        if person not in self._people:
            raise ConfigurationError(f"no person {person}; expected one of {len(self._people)} who are remembered")
        return self._people[person]


def _total(passages: list[Seen]) -> NDArray[np.float64]:
    vectors = np.stack([np.asarray(one.embedding, np.float64) for one in passages])
    total: NDArray[np.float64] = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).sum(axis=0)
    return total
