"""People of a gallery: tracklets are joined as they arrive, and get provisional names until an operator gives better ones."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resight.cameras.links import Change, Limits, Linker, gained_by
from resight.cameras.tracklets import Tracklet
from resight.cameras.ways import Passage, Ways, learn_ways
from resight.errors import GalleryError
from resight.gallery.gallery import Gallery
from resight.gallery.labels import PROVISIONAL, label
from resight.gallery.sighting import Record, Where
from resight.gallery.strip import seconds_in

__all__ = ["People", "is_provisional"]

_NAMED = 10**18  # numbers from here on are people with a name, who need no provisional one
_REFRESH = 5.0  # seconds between two looks at what operators did


def is_provisional(identity: str) -> bool:
    """True for names that nobody gave, such as ``person-12`` and ``anna?``."""
    return PROVISIONAL.fullmatch(identity) is not None


def _is_given(identity: str) -> bool:
    return bool(identity) and not is_provisional(identity)


@dataclass(frozen=True)
class _Seen:
    """A tracklet without pixels. Its name is the id of its sighting. `whole` is false if its end is not known."""

    name: str
    camera: str
    start: float
    end: float
    embedding: NDArray[np.float32]
    tracklet: str
    whole: bool


class People:
    """People of a gallery's tracklets.

    The gallery holds everything: a provisional name is the identity of its sightings, ``person-12``, or ``anna?`` for somebody who
    looks like the person that an operator called anna. Names that operators give are read again every few seconds, are never
    changed, and people of different names are never joined. Sightings that an operator gives to another provisional person go
    there; those whose name is taken away become somebody else, with a provisional name of their own.

    Parameters
    ----------
    gallery : Gallery
        By cosine distance.
    limits : Limits or float
        See `resight.cameras.links.Linker`.
    ways : Ways, optional
        Travel times and overlaps that are given. The shortest times of other ways are learned.
    memory : float
        Seconds after which somebody who was not seen is no longer compared.

    Raises
    ------
    ConfigurationError
        If the gallery has another distance.
    GalleryError
        If another process joins people in this gallery.
    """

    def __init__(self, gallery: Gallery, limits: Limits | float, ways: Ways | None = None, *, memory: float = 86400.0) -> None:
        gallery.settings.check_cosine()
        if not gallery._store.claim("people"):  # the other would give the same numbers, and not know what is added here
            raise GalleryError("another process joins people in this gallery; watch there, or here without --calibration")
        self._gallery, self._given, self._memory = gallery, ways or Ways(), memory
        self._linker = Linker(limits, memory=memory)
        self._since, self._looked = inf, time.monotonic()
        self._events: list[dict[str, Any]] = []  # of looks in an `add` that failed
        self._unwritten: list[tuple[int, frozenset[str]]] = []  # people, and sightings that will get their name
        self._identities: dict[str, str] = {}  # by sighting, as they were read or written last
        self._numbers: dict[str, int] = {}
        names = gallery.names()[1]
        self._linker.skip(max((int(found[1]) for found in map(PROVISIONAL.fullmatch, names) if found and found[1]), default=0))

    def add(self, tracklet: Tracklet, sighting: str) -> list[dict[str, Any]]:
        """Join a tracklet, and return what changes, as events.

        Call `keep` after they are written down, so that an interruption in between repeats them and loses none. A call that fails
        because the gallery cannot be read may be repeated.

        Parameters
        ----------
        tracklet : Tracklet
            One without a date, or without an embedding, is left alone.
        sighting : str
            Id of its sighting in the gallery.
        """
        self._events += self.look()
        events = self._join(tracklet, sighting)
        events, self._events = self._events + events, []
        return events

    def _join(self, tracklet: Tracklet, sighting: str) -> list[dict[str, Any]]:
        """Join a tracklet. What fails because the gallery cannot be read may be repeated."""
        if not tracklet.dated or not np.any(tracklet.embedding):
            return []
        name = tracklet.name
        seen = _Seen(sighting, tracklet.camera, tracklet.start, tracklet.end, tracklet.embedding, name, whole=True)
        self._recall(tracklet.start - self._memory)
        if self._known(seen):
            return []
        self._linker.ways = self._ways()
        changes = self._linker.add(seen)
        # The newcomer comes last: without a name, it is joined again after an interruption, and what was written already stays.
        mine = self._linker.person_of(sighting)
        gained = gained_by(self._linker, changes)
        self._unwritten += sorted(gained.items(), key=lambda item: item[0] == mine)
        return [self._event(change, seen) for change in changes]

    def keep(self) -> int:
        """Write the provisional names that changed to the gallery; return how many sightings have another."""
        kept = 0
        for person, ids in self._unwritten:
            name = self.shown(person)
            records = [one for one in self._gallery.records(Where(ids=ids)) if self._may_rename(one)]
            kept += label(self._gallery, records, name, unless_changed=True)  # in one step, so that nothing half-done is kept
            self._identities.update((one.id, name) for one in records)
        self._unwritten = []
        return kept

    def look_again(self) -> None:
        """Have `look` read the gallery the next time, because an operator changed it; from any thread."""
        self._looked = -inf

    @property
    def stale(self) -> bool:
        """True after `look_again`."""
        return self._looked == -inf

    def look(self) -> list[dict[str, Any]]:
        """Take up what operators did in the gallery, unless that was read a moment ago; return events as `add` does."""
        return [self._event(change, self._passage(change)) for change in self._refresh()]

    def _may_rename(self, record: Record) -> bool:
        return not _is_given(record.identity) and record.identity == self._identities.get(record.id, "")

    def _passage(self, change: Change) -> _Seen:
        return next(one for one in self._linker.passages(change.person) if isinstance(one, _Seen) and one.name in change.passages)

    def shown(self, person: int) -> str:
        """Provisional name of somebody."""
        named = self._linker.named(person) if person in self._linker.people() else ""
        return f"{named}?" if named else f"person-{person}"

    def _event(self, change: Change, cause: _Seen) -> dict[str, Any]:
        values: dict[str, Any] = {
            "event": "new person" if change.kind == "new" else change.kind,
            "camera": cause.camera,
            "tracklet": cause.tracklet,
            "time": datetime.fromtimestamp(cause.start, UTC).isoformat(timespec="milliseconds"),
            "person": self.shown(change.person),
        }
        if change.former is not None:
            values["former"] = self.shown(change.former)
        if change.distance is not None:
            values["distance"] = round(change.distance, 4)
        return values | {"sightings": list(change.passages)}

    def _ways(self) -> Ways:
        """The given ways, with the shortest times of the others as they are known so far; anybody may wait, so no longest time."""
        known: list[tuple[Passage, str]] = [
            (one, str(person))
            for person in self._linker.people()
            for one in self._linker.passages(person)
            if isinstance(one, _Seen) and one.whole
        ]
        learned = learn_ways([one for one, _ in known], [person for _, person in known]).shortest
        shortest = {pair: max(seconds, 0.0) for pair, seconds in learned.items()} | dict(self._given.shortest)
        return Ways(shortest=shortest, longest=self._given.longest)

    def _recall(self, since: float) -> None:
        """Restore people of the gallery since a time, unless that was done."""
        if since >= self._since:
            return
        until = None if self._since == inf else datetime.fromtimestamp(self._since, UTC)
        records = self._gallery.records(Where(since=datetime.fromtimestamp(max(since, 0), UTC), until=until))
        found = [one for one in records if one.identity and one.tracklet and one.time is not None]
        for at in range(0, len(found), 1000):
            sightings = self._gallery.sightings([one.id for one in found[at : at + 1000]])
            for one in sorted(sightings.values(), key=lambda each: each.id):
                if one.time is None or not np.any(one.embedding) or self._linker.person_of(one.id) is not None:
                    continue
                start, lasted = one.time.timestamp(), seconds_in(one.thumbnail)
                whole = lasted is not None
                seen = _Seen(one.id, one.camera, start, start + (lasted or 0.0), one.embedding, one.tracklet, whole)
                self._restore(seen, one.identity)
        self._since = since

    def _known(self, seen: _Seen) -> bool:
        """Tell if a tracklet has a person already, from before an interruption. Its end is known now."""
        person = self._linker.person_of(seen.name)
        if person is not None:
            self._linker.restore(seen, person)
            return True
        identity = next((one.identity for one in self._gallery.records(Where(ids=frozenset({seen.name})))), "")
        if identity:
            self._restore(seen, identity)
        return bool(identity)

    def _restore(self, seen: _Seen, identity: str) -> None:
        """Put a tracklet where the gallery has it."""
        self._identities[seen.name] = identity
        number, named = self._number(identity)
        self._linker.restore(seen, number)
        if named:
            self._linker.name(number, named)

    def _number(self, identity: str) -> tuple[int, str]:
        """Number of a person in the linker, and their name without the question mark; none if they are only a number."""
        found = PROVISIONAL.fullmatch(identity)
        if found and found[1]:
            self._linker.skip(int(found[1]))
            return int(found[1]), ""
        named = found[2] if found else identity
        return self._numbers.setdefault(named, _NAMED + len(self._numbers)), named

    def _refresh(self) -> Iterator[Change]:
        """Take up what operators did: sightings that are gone, that are somebody else's, and people who are two."""
        if time.monotonic() - self._looked < _REFRESH:
            return
        ids = [id for passages in self._linker.people().values() for id in passages]
        records = {one.id: one for one in self._gallery.records(Where(ids=frozenset(ids)))}
        self._looked = time.monotonic()
        self._linker.remove([id for id in ids if id not in records])
        for person, passages in self._linker.people().items():
            given = {id: records[id].identity for id in passages if _is_given(records[id].identity)}
            first = next(iter(given.values()), "")
            if first:
                self._linker.name(person, first)
            for name in sorted({*given.values()} - {first}):
                change = self._linker.split(person, {id for id in given if given[id] == name})
                self._linker.name(change.person, name)
                yield change
        yield from self._moves(records)

    def _moves(self, records: Mapping[str, Record]) -> Iterator[Change]:
        """Move sightings whose provisional name is another than it was, or is gone."""
        moves: defaultdict[tuple[int, str], set[str]] = defaultdict(set)
        for id, one in records.items():
            person = self._linker.person_of(id)
            if person is not None and one.identity != self._identities.get(id, "") and not _is_given(one.identity):
                moves[person, one.identity].add(id)
        self._identities = {id: one.identity for id, one in records.items()}
        for (person, identity), ids in moves.items():
            if not identity and len(ids) < len(self._linker.passages(person)):
                change = self._linker.split(person, ids)
                self._unwritten.append((change.person, frozenset(ids)))
                yield change
            elif identity:
                other, named = self._number(identity)
                if other == person or (named and named == self._linker.named(person)):
                    continue  # such as anna?, who was bea? until bea was renamed to anna
                change = self._linker.move(person, ids, other)
                if named:
                    self._linker.name(other, named)
                yield change
