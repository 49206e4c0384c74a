"""People of a gallery: tracklets are joined as they arrive, and get provisional names until an operator gives better ones."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resight.cameras.links import Change, Linker, Threshold
from resight.cameras.tracklets import Tracklet
from resight.cameras.ways import Passage, Ways, learn_ways
from resight.gallery.gallery import Gallery
from resight.gallery.labels import label
from resight.gallery.sighting import Where

__all__ = ["People"]

_PROVISIONAL = re.compile(r"person-([1-9][0-9]{0,17})|(.+)\?", re.DOTALL)
_NAMED = 10**18  # numbers from here on are people with a name, who need no provisional one
_REFRESH = 5.0  # seconds between two looks at what operators did


@dataclass(frozen=True)
class _Seen:
    """A tracklet without pixels. Its name is the id of its sighting; its end is not known if it comes from the gallery."""

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
    changed, and people of different names are never joined.

    Parameters
    ----------
    gallery : Gallery
        By cosine distance.
    threshold : float or callable
        See `resight.cameras.links.Linker`.
    ways : Ways, optional
        Travel times and overlaps that are given. The shortest times of other ways are learned.
    memory : float
        Seconds after which somebody who was not seen is no longer compared.
    """

    def __init__(
        self, gallery: Gallery, threshold: float | Threshold, ways: Ways | None = None, *, memory: float = 86400.0
    ) -> None:
        self._gallery, self._given, self._memory = gallery, ways or Ways(), memory
        self._linker = Linker(threshold, memory=memory)
        self._since, self._looked = inf, time.monotonic()
        self._changes: list[Change] = []
        self._numbers: dict[str, int] = {}
        names = gallery.names()[1]
        self._linker.skip(max((int(found[1]) for found in map(_PROVISIONAL.fullmatch, names) if found and found[1]), default=0))

    def add(self, tracklet: Tracklet, sighting: str) -> list[dict[str, Any]]:
        """Join a tracklet, and return what changes, as events.

        Call `keep` after they are written down, so that an interruption in between repeats them and loses none.

        Parameters
        ----------
        tracklet : Tracklet
            One without a date, or without an embedding, is left alone.
        sighting : str
            Id of its sighting in the gallery.
        """
        self._changes = []
        if not tracklet.dated or not np.any(tracklet.embedding):
            return []
        name = tracklet.name
        seen = _Seen(sighting, tracklet.camera, tracklet.start, tracklet.end, tracklet.embedding, name, whole=True)
        self._recall(tracklet.start - self._memory)
        events = [self._event(change, seen) for change in self._refresh()]
        if self._known(seen):
            return events
        self._linker.ways = self._ways()
        self._changes = self._linker.add(seen)
        return events + [self._event(change, seen) for change in self._changes]

    def keep(self) -> int:
        """Write the provisional names that the last tracklet changed to the gallery; return how many sightings have another."""
        if not self._changes:
            return 0
        kept = self._changes[-1].person
        ids = frozenset(id for change in self._changes for id in change.passages)
        records = [one for one in self._gallery.records(Where(ids=ids)) if not one.identity or _PROVISIONAL.fullmatch(one.identity)]
        return label(self._gallery, records, self.shown(kept))  # in one step, so that nothing half-done is kept

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
        self._since = since
        found = [one for one in records if one.identity and one.tracklet and one.time is not None]
        for at in range(0, len(found), 1000):
            sightings = self._gallery.sightings([one.id for one in found[at : at + 1000]])
            for one in sorted(sightings.values(), key=lambda each: each.id):
                if one.time is None or not np.any(one.embedding) or self._linker.person_of(one.id) is not None:
                    continue
                start = one.time.timestamp()
                self._restore(_Seen(one.id, one.camera, start, start, one.embedding, one.tracklet, whole=False), one.identity)

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
        found = _PROVISIONAL.fullmatch(identity)
        if found and found[1]:
            self._linker.restore(seen, int(found[1]))
            return
        named = found[2] if found else identity
        number = self._numbers.setdefault(named, _NAMED + len(self._numbers))
        self._linker.restore(seen, number)
        self._linker.name(number, named)

    def _refresh(self) -> Iterable[Change]:
        """Take up what operators did: sightings that are gone, and people who are two."""
        if time.monotonic() - self._looked < _REFRESH:
            return
        people = self._linker.people()
        ids = [id for passages in people.values() for id in passages]
        records = {one.id: one for one in self._gallery.records(Where(ids=frozenset(ids)))}
        self._linker.remove([id for id in ids if id not in records])
        for person, passages in people.items():
            names = {id: records[id].identity for id in passages if id in records}
            given = {id: name for id, name in names.items() if name and not _PROVISIONAL.fullmatch(name)}
            first = next(iter(given.values()), "")
            if first:
                self._linker.name(person, first)
            for name in sorted({*given.values()} - {first}):
                change = self._linker.split(person, {id for id in given if given[id] == name})
                self._linker.name(change.person, name)
                yield change
        self._looked = time.monotonic()
