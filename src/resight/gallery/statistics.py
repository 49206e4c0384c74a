"""Numbers about a gallery."""

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
    """Numbers about a gallery.

    Attributes
    ----------
    count, identities : int
        Number of sightings, and of people they are labelled with.
    unlabelled : int
        Sightings without an identity.
    expired : int
        Sightings older than the retention, in the gallery or a snapshot; a purge removes them.
    cameras : dict of str to int
        Sightings by camera.
    first, last : str or None
        Times of the first and the last sighting; ISO 8601, UTC. None if no sighting has a time.
    bytes : int or None
        Size of all files, snapshots included; None in a database.
    snapshots : tuple of str
        Names of the snapshots.
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
        """Return plain JSON values."""
        return asdict(self)


def summarise(
    records: Sequence[Record],
    settings: Settings,
    expired: int,
    *,
    size: int | None = None,
    snapshots: tuple[str, ...] = (),
) -> Statistics:
    """Count records."""
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
