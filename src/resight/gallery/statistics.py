"""What is in a gallery, in figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from resight.gallery.settings import Settings
from resight.gallery.sighting import Record

__all__ = ["Statistics", "summarise"]


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """What is in a gallery.

    Attributes
    ----------
    count, identities : int
        Sightings, and people that they are labelled with.
    unlabelled : int
        Sightings of unknown identity.
    expired : int
        Sightings that are kept longer than the retention allows, in the gallery or a snapshot; a purge removes them.
    cameras : dict of str to int
        Sightings by camera.
    first, last : str or None
        When the first and the last were seen; ISO 8601, UTC. None if no time is known.
    bytes : int or None
        Of all files, snapshots included; None in a database.
    snapshots : tuple of str
        Their names.
    settings : Settings
    """

    count: int
    identities: int
    unlabelled: int
    expired: int
    cameras: dict[str, int]
    first: str | None
    last: str | None
    bytes: int | None
    snapshots: tuple[str, ...]
    settings: Settings

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self)


def summarise(
    records: Sequence[Record],
    settings: Settings,
    expired: int,
    *,
    size: int | None = None,
    snapshots: tuple[str, ...] = (),
) -> Statistics:
    """Count records; the rest is known to whoever has the gallery."""
    times = [record.time for record in records if record.time is not None]
    people = Counter(record.identity for record in records)
    return Statistics(
        count=len(records),
        identities=len(people.keys() - {""}),
        unlabelled=people[""],
        expired=expired,
        cameras=dict(sorted(Counter(record.camera for record in records).items())),
        first=min(times).isoformat() if times else None,
        last=max(times).isoformat() if times else None,
        bytes=size,
        snapshots=snapshots,
        settings=settings,
    )
