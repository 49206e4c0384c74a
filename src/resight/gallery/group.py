"""Grouping: sightings that nobody has named are joined into people, who get provisional names to confirm."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import inf
from typing import Any

import numpy as np

from resight.cameras.links import Limits, Linker, gained_by
from resight.cameras.ways import Passage, Ways
from resight.errors import GalleryError
from resight.gallery.gallery import Gallery
from resight.gallery.labels import label
from resight.gallery.passes import Pass, read_passes
from resight.gallery.people import is_provisional
from resight.gallery.sighting import Where
from resight.progress import Progress, silent

__all__ = ["Group", "Grouping", "group_people"]

_NAMED = 10**18  # numbers from here on are people with a name, who need no provisional one


@dataclass(frozen=True, kw_only=True)
class Group:
    """One person whom nobody has named yet.

    Attributes
    ----------
    name : str
        Provisional: ``person-12``, or ``anna?`` for somebody who looks like anna.
    passes : int
        Tracklets, and sightings without one.
    cameras : tuple of str
        In the order of their names.
    first, last : datetime or None
        Times of the first and the last pass that has one; UTC.
    ids : tuple of str
        Sightings, in the order of their time.
    """

    name: str
    passes: int
    cameras: tuple[str, ...]
    first: datetime | None
    last: datetime | None
    ids: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values; times in ISO 8601."""
        return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in vars(self).items()}


@dataclass(frozen=True, kw_only=True)
class Grouping:
    """Result of a grouping.

    Attributes
    ----------
    groups : tuple of Group
        People with a provisional name, the one with most passes first.
    joined : int
        Sightings without a name that have a provisional one now.
    changed : int
        Sightings whose provisional name is another now, because two people have turned out to be one.
    named : int
        Sightings whose name somebody gave. It stays.
    left_out : int
        Sightings without a name whose vector is zero.
    """

    groups: tuple[Group, ...]
    joined: int
    changed: int
    named: int
    left_out: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return vars(self) | {"people": len(self.groups), "groups": [one.to_dict() for one in self.groups]}


def group_people(
    gallery: Gallery,
    limits: Limits | float,
    ways: Ways | None = None,
    *,
    keep: bool = True,
    progress: Progress = silent,
) -> Grouping:
    """Join the sightings that have no name with each other and with people who are known, one pass after the other.

    Each pass is written before the next one is looked at: an interrupted call goes on where it stopped when it is repeated, with
    the same people in the end. A name that somebody gave is never changed, and people of different names are never joined. A pass
    that looks like anna is called ``anna?``.

    Parameters
    ----------
    gallery : Gallery
        By cosine distance.
    limits : Limits or float
        See `resight.cameras.links.Linker`.
    ways : Ways, optional
        Ways that are possible; by default nobody is in two places at once. It rules nothing out for passes without a time.
    keep : bool
        Write the names. If false, the gallery stays as it is.
    progress : Progress

    Returns
    -------
    Grouping

    Raises
    ------
    ConfigurationError
        If the gallery has another distance, or a limit is not from 0 to 2.
    GalleryError
        If another process joins people in this gallery, and names are written.
    StorageError
        If the gallery cannot be written. What was joined before stays.
    """
    gallery.settings.check_cosine()
    if keep and not gallery._store.claim("people"):
        raise GalleryError("another process joins people in this gallery; stop it, or only look with --dry-run")
    known = _Known(gallery, Linker(limits, _Dated.of(ways or Ways()), memory=inf))
    passes = read_passes(gallery, progress=progress)
    waiting = []
    left_out = 0
    for one in passes:
        if not np.any(one.embedding):
            left_out += 0 if one.identity else len(one.ids)
        elif one.identity:
            known.restore(one)
        else:
            waiting.append(one)
    for number, one in enumerate(waiting, 1):
        known.add(one, keep=keep)
        progress("joining", number, len(waiting))
    return Grouping(
        groups=tuple(
            sorted(known.groups(), key=lambda one: (-one.passes, one.first or datetime.max.replace(tzinfo=UTC), one.name))
        ),
        joined=sum(len(one.ids) for one in waiting),
        changed=len(known.renamed),
        named=sum(len(one.ids) for one in passes if one.identity and not is_provisional(one.identity)),
        left_out=left_out,
    )


class _Dated(Ways):
    """Ways that rule nothing out for passes without a time."""

    @classmethod
    def of(cls, ways: Ways) -> _Dated:
        return cls(shortest=ways.shortest, longest=ways.longest)

    def possible(self, passages: Iterable[Passage]) -> bool:
        return super().possible(one for one in passages if not isinstance(one, Pass) or one.dated)


@dataclass
class _Known:
    """People of a gallery while they are joined."""

    gallery: Gallery
    linker: Linker
    passes: dict[str, Pass] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)  # of sightings, as they were read or written last
    numbers: dict[str, int] = field(default_factory=dict)  # of people with a name
    renamed: set[str] = field(default_factory=set)

    def restore(self, one: Pass) -> None:
        """Put a pass where the gallery has it."""
        self._take(one)
        if is_provisional(one.identity) and not one.identity.endswith("?"):
            number = int(one.identity.removeprefix("person-"))
            self.linker.skip(number)
            self.linker.restore(one, number)
            return
        named = one.identity[:-1] if is_provisional(one.identity) else one.identity
        number = self.numbers.setdefault(named, _NAMED + len(self.numbers))
        self.linker.restore(one, number)
        self.linker.name(number, named)

    def add(self, one: Pass, *, keep: bool) -> None:
        """Join a pass, and name whoever changes by it."""
        self._take(one)
        changes = self.linker.add(one)
        mine = self.linker.person_of(one.name)
        # The newcomer comes last: without a name, it is joined again after an interruption.
        for person, passes in sorted(gained_by(self.linker, changes).items(), key=lambda item: item[0] == mine):
            self._call(person, passes, keep=keep)

    def _call(self, person: int, passes: Iterable[str], *, keep: bool) -> None:
        """Give passes the name of their person."""
        name = self._shown(person)
        ids = {id for one in passes for id in self.passes[one].ids}
        # What somebody named a moment ago, or purged, is left alone.
        ids = {id for id in ids if self.names[id] != name and (not self.names[id] or is_provisional(self.names[id]))}
        if keep:
            records = self.gallery.records(Where(ids=frozenset(ids)))
            mine = [record for record in records if record.identity == self.names[record.id]]
            label(self.gallery, mine, name, unless_changed=True)
        self.renamed |= {id for id in ids if self.names[id]}
        self.names.update(dict.fromkeys(ids, name))

    def groups(self) -> Iterable[Group]:
        """Everybody with a provisional name."""
        for names in self.linker.people().values():
            theirs = sorted((self.passes[name] for name in names), key=lambda one: (not one.dated, one.start, one.name))
            for name in sorted({self.names[id] for one in theirs for id in one.ids if is_provisional(self.names[id])}):
                mine = [one for one in theirs if self.names[one.ids[0]] == name]
                times = [second for one in mine if one.dated for second in (one.start, one.end)]
                yield Group(
                    name=name,
                    passes=len(mine),
                    cameras=tuple(sorted({one.camera for one in mine})),
                    first=datetime.fromtimestamp(min(times), UTC) if times else None,
                    last=datetime.fromtimestamp(max(times), UTC) if times else None,
                    ids=tuple(id for one in mine for id in one.ids),
                )

    def _take(self, one: Pass) -> None:
        self.passes[one.name] = one
        self.names.update(dict.fromkeys(one.ids, one.identity))

    def _shown(self, person: int) -> str:
        named = self.linker.named(person)
        return f"{named}?" if named else f"person-{person}"
