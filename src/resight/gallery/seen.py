"""Who was seen of late: tracklets and their people, from the sightings of a gallery."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from resight.gallery.gallery import Gallery
from resight.gallery.people import is_provisional
from resight.gallery.sighting import Record, Sighting, Where
from resight.gallery.strip import seconds_in

__all__ = ["PassBy", "PersonSeen", "latest_of", "people_seen"]

_SHORTEST = timedelta(milliseconds=1)  # span of time that is not halved any more
_LATEST = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class PassBy:
    """One pass of a person, past one camera: a tracklet, or a sighting without one.

    Attributes
    ----------
    camera, tracklet : str
    start : datetime
    end : datetime or None
        None if nobody knows.
    ids : tuple of str
        Its sightings in the gallery.
    """

    camera: str
    tracklet: str
    start: datetime
    end: datetime | None
    ids: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class PersonSeen:
    """One person, and where they went.

    Attributes
    ----------
    identity : str
        Empty for a pass that belongs to nobody known: each of those is a person alone.
    passes : tuple of PassBy
        At least one, in the order of time.
    """

    identity: str
    passes: tuple[PassBy, ...]

    @property
    def provisional(self) -> bool:
        """True if no operator has given the name."""
        return is_provisional(self.identity)

    @property
    def cameras(self) -> list[str]:
        """The cameras that saw them, in the order of the first time."""
        return list(dict.fromkeys(one.camera for one in self.passes))

    @property
    def first(self) -> datetime:
        """Time at which they were seen first."""
        return self.passes[0].start

    @property
    def last(self) -> datetime:
        """Time at which they were seen last, as far as it is known."""
        return max(one.end or one.start for one in self.passes)


def people_seen(sightings: Iterable[Sighting]) -> list[PersonSeen]:
    """Group sightings that have a time into tracklets and people, those who were seen last first.

    Sightings of one tracklet that have different identities count as several passes.
    """
    passes: dict[tuple[str, ...], list[Sighting]] = {}
    for one in sightings:
        key = (one.camera, one.tracklet or one.id, one.identity)
        if one.time is not None:
            passes.setdefault(key, []).append(one)
    people: dict[str, list[PassBy]] = {}
    for (camera, tracklet, identity), several in passes.items():
        name = several[0].tracklet
        made = PassBy(camera=camera, tracklet=name, start=min(map(_start, several)), end=_end(several), ids=_ids(several))
        people.setdefault(identity or f"\0{camera}\0{tracklet}", []).append(made)
    found = [
        PersonSeen(identity="" if key.startswith("\0") else key, passes=tuple(sorted(some, key=lambda one: (one.start, one.ids))))
        for key, some in people.items()
    ]
    return sorted(found, key=lambda one: (one.last, one.first, one.passes[0].ids), reverse=True)


def _start(one: Sighting) -> datetime:
    assert one.time is not None
    return one.time


def _end(several: list[Sighting]) -> datetime | None:
    lasted = [(_start(one), seconds_in(one.thumbnail)) for one in several]
    if len(lasted) == 1 and lasted[0][1] is None:
        return None
    return max(start + min(timedelta(seconds=seconds or 0.0), _LATEST - start) for start, seconds in lasted)


def _ids(several: list[Sighting]) -> tuple[str, ...]:
    return tuple(one.id for one in sorted(several, key=lambda one: (_start(one), one.id)))


def latest_of(gallery: Gallery, where: Where, limit: int) -> tuple[list[Record], Where, bool]:
    """The last sightings of a filter with a time, at most `limit`.

    Parameters
    ----------
    gallery : Gallery
    where : Where
        Cameras, identities and times. Without `since`, the first sightings are given instead of the last.
    limit : int

    Returns
    -------
    tuple of (list of Record, Where, bool)
        Sightings in the order of time, the filter that gives exactly these, with a later `since` if there were too many, and
        whether there are others. Of too many, at least half as many as the limit are given.
    """

    def read(since: datetime | None) -> tuple[list[Record], Where]:
        asked = replace(where, since=since)
        return [one for one in gallery.page(asked, limit + 1) if one.time is not None], asked

    page, asked = read(where.since)
    if len(page) <= limit or where.since is None:
        return page[:limit], asked, len(page) > limit
    many, few = (
        where.since,
        where.until or datetime.now(UTC),
    )  # pages begin at their first, so the time of the last ones is searched
    while few - many > _SHORTEST:
        middle = many + (few - many) / 2
        page, asked = read(middle)
        if limit / 2 <= len(page) <= limit:
            return page, asked, True
        many, few = (middle, few) if len(page) > limit else (many, middle)
    page, asked = read(many)  # more than the limit at one time
    return page[:limit], asked, True
