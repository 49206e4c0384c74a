"""Numbers about a gallery."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from resight.gallery.settings import Settings
from resight.gallery.store.database import bytes_of
from resight.gallery.store.interface import Summary
from resight.gallery.store.snapshot import snapshots

__all__ = ["Statistics", "statistics_of"]


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
    future : int
        Sightings that were enrolled in the future, while the clock was wrong. They would be kept too long.
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
    future: int
    cameras: dict[str, int]
    first: str | None
    last: str | None
    bytes: int | None
    snapshots: tuple[str, ...]
    settings: Settings

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


def statistics_of(summary: Summary, settings: Settings, folder: Path | None) -> Statistics:
    """Put the numbers of a gallery together, with those of the files in its folder."""
    cameras = summary.cameras
    firsts = [camera.first for camera in cameras.values() if camera.first is not None]
    lasts = [camera.last for camera in cameras.values() if camera.last is not None]
    return Statistics(
        count=sum(camera.sightings for camera in cameras.values()),
        identities=summary.identities,
        unlabelled=summary.unlabelled,
        expired=summary.expired,
        future=summary.future,
        cameras={name: camera.sightings for name, camera in cameras.items()},
        first=min(firsts).isoformat() if firsts else None,
        last=max(lasts).isoformat() if lasts else None,
        bytes=None if folder is None else bytes_of(file for file in folder.rglob("*") if file.is_file()),
        snapshots=() if folder is None else tuple(snapshot.name for snapshot in snapshots(folder)),
        settings=settings,
    )
