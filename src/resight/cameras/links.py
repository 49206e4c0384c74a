"""The same person across cameras: passages are joined into people as they arrive."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np

from resight.cameras.remembered import Limits, People, Person, Seen, Threshold
from resight.cameras.ways import Ways
from resight.errors import ArrayError, ConfigurationError

__all__ = ["Change", "Limits", "Linker", "Seen", "Threshold", "gained_by"]

_REOPENED = {16, 32, 64, 128, 256}
"""Numbers of passages at which everybody is compared again, because the means of cameras were less well known before."""


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
        Names of the passages that this person has gained.
    former : int or None
        Person who was merged or split.
    distance : float or None
        Mean cosine distance that decided; None if nobody was compared, or an operator decided.
    """

    kind: str
    person: int
    passages: tuple[str, ...]
    former: int | None = None
    distance: float | None = None


class Linker:
    """Joins passages into people.

    A passage belongs to the nearest person, by the mean distance to their passages, if that distance is within the threshold and
    the way is possible. If a new passage brings two people close enough, they are merged, and a change says so. So are people who
    turn out to be one as the means of the cameras become known; see `Limits`.

    Parameters
    ----------
    limits : Limits or float
        Largest mean cosine distances of one person's passages, such as ``calibration.limits()``; or one for vectors as they are.
    ways : Ways, optional
        Rules of what is possible. By default nobody is in two places at once.
    memory : float
        Seconds after which somebody who was not seen is no longer compared.

    Raises
    ------
    ConfigurationError
        If the threshold is not from 0 to 2, or the memory is not above 0.
    """

    def __init__(self, limits: Limits | float, ways: Ways | None = None, *, memory: float = 86400.0) -> None:
        if not (isinstance(limits, Limits) or 0 <= limits <= 2) or not memory > 0:
            raise ConfigurationError(f"links: threshold {limits}, memory {memory}; expected 0 to 2, and more than 0 seconds")
        self.ways, self.memory = ways or Ways(), memory
        self._people = People(limits if isinstance(limits, Limits) else Limits(lambda vector: limits))
        self._apart: set[frozenset[int]] = set()
        self._given = 0

    def add(self, passage: Seen) -> list[Change]:
        """Add the next passage, and return what changes. Raises `ArrayError` for an embedding that is not finite, or is 0."""
        self._check(passage)
        self._forget(passage.start)
        self._given += 1
        mine = self._given
        self._people.give(passage, mine)
        found = self._nearest(mine)
        if found is None:
            return [Change(kind="new", person=mine, passages=(passage.name,)), *self._reopen()]
        person, distance = found
        self._given -= 1
        self._join(person, mine)
        again = Change(kind="seen again", person=person, passages=(passage.name,), distance=distance)
        return [again, *self._close(person), *self._reopen()]

    def people(self) -> dict[int, tuple[str, ...]]:
        """Names of the passages of everybody who is remembered."""
        return {person: tuple(one.name for one in held.passages) for person, held in self._people.items()}

    def passages(self, person: int) -> list[Seen]:
        """Passages of somebody who is remembered."""
        return list(self._require(person).passages)

    def person_of(self, name: str) -> int | None:
        """Number of the person whose passage has a name, if it is remembered."""
        return self._people.person_of(name)

    def named(self, person: int) -> str:
        """Name that an operator gave to somebody who is remembered; empty without one."""
        return self._require(person).named

    def name(self, person: int, name: str) -> None:
        """Note the name that an operator gave to somebody. People with different names are never joined."""
        self._require(person).named = name

    def restore(self, passage: Seen, person: int) -> None:
        """Put a passage where it was before, without a comparison; one of the same name is replaced. Raises as `add` does."""
        self._check(passage)
        named = self._people[person].named if person in self._people else ""
        self._people.give(passage, person)
        self._people[person].named = named

    def skip(self, number: int) -> None:
        """Give newcomers larger numbers than this one."""
        self._given = max(self._given, number)

    def remove(self, names: Collection[str]) -> None:
        """Forget passages at once, such as those that were deleted elsewhere."""
        for name in names:
            self._people.forget(name)

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
        theirs = sum(one.name in passages for one in held.passages)
        if not 0 < theirs < len(held.passages):
            raise ConfigurationError(f"person {person} has {len(held.passages)} passages, {theirs} of the named ones; name some")
        self._given += 1
        return self.move(person, passages, self._given)

    def move(self, person: int, passages: set[str], other: int) -> Change:
        """Put passages of somebody with another person, who may be new, as an operator decides.

        If all of them are moved, the two are merged. If not, they are not joined again. Raises `ConfigurationError` if the person
        is not known.
        """
        held = self._require(person)
        names = tuple(one.name for one in held.passages if one.name in passages)
        rest = len(names) < len(held.passages)
        if not rest and other in self._people:
            self._apart.discard(frozenset((person, other)))
            return self._merged(other, person, None)
        self._people.move(names, other)
        if rest:
            self._apart.add(frozenset((person, other)))
        return Change(kind="split" if rest else "merged", person=other, passages=names, former=person)

    def _close(self, person: int) -> list[Change]:
        """Merge somebody with everybody near enough."""
        changes = []
        while (found := self._nearest(person)) is not None:
            kept, gone = sorted((person, found[0]), key=lambda who: (not self._people[who].named, who))
            changes.append(self._merged(kept, gone, found[1]))
            person = kept
        return changes

    def _reopen(self) -> list[Change]:
        """Compare everybody again while the means of the cameras are still becoming known."""
        if self._people.passages not in _REOPENED or not self._people.centred:
            return []
        return [change for person in sorted(self._people) if person in self._people for change in self._close(person)]

    def _nearest(self, person: int) -> tuple[int, float] | None:
        """Find the nearest person within the threshold who can be the same."""
        mine = self._people[person]
        for distance, other in self._people.near(person):
            theirs = self._people[other]
            apart = frozenset((person, other)) in self._apart or (mine.named and theirs.named and mine.named != theirs.named)
            if not apart and self.ways.possible([*mine.passages, *theirs.passages]):
                return other, distance
        return None

    def _check(self, passage: Seen) -> None:
        vector = np.asarray(passage.embedding, np.float64)
        length = float(np.linalg.norm(vector))
        if not np.isfinite(length) or length == 0 or vector.ndim != 1:
            raise ArrayError(
                f"passage {passage.name}: an embedding of shape {vector.shape} and length {length}; expected (d,), finite"
            )

    def _merged(self, kept: int, gone: int, distance: float | None) -> Change:
        names = tuple(one.name for one in self._people[gone].passages)
        self._join(kept, gone)
        return Change(kind="merged", person=kept, passages=names, former=gone, distance=distance)

    def _join(self, kept: int, gone: int) -> None:
        one, other = self._people[kept], self._people[gone]
        one.named = one.named or other.named
        self._people.move([passage.name for passage in other.passages], kept)
        self._apart = {frozenset(kept if who == gone else who for who in pair) for pair in self._apart}

    def _forget(self, now: float) -> None:
        old = {who for who, held in self._people.items() if now - max(one.end for one in held.passages) > self.memory}
        self.remove([one.name for who in old for one in self._people[who].passages])
        self._apart = {pair for pair in self._apart if not pair & old}

    def _require(self, person: int) -> Person:
        if person not in self._people:
            raise ConfigurationError(f"no person {person}; expected one of {len(self._people)} who are remembered")
        return self._people[person]


def gained_by(linker: Linker, changes: Iterable[Change]) -> dict[int, frozenset[str]]:
    """Names of the passages in some changes, by the person who has them now."""
    gained: defaultdict[int, set[str]] = defaultdict(set)
    for name in (name for change in changes for name in change.passages):
        person = linker.person_of(name)
        if person is not None:
            gained[person].add(name)
    return {person: frozenset(names) for person, names in gained.items()}
