"""Passes of a gallery: the sightings of one tracklet together, with one vector."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from math import inf, isfinite, nan

import numpy as np
from numpy.typing import NDArray

from resight.gallery.gallery import Gallery
from resight.gallery.matches import fuse
from resight.gallery.sighting import EVERYTHING, Sighting, Where
from resight.gallery.strip import seconds_in
from resight.progress import Progress, silent

__all__ = ["Pass", "read_passes"]

_AT_ONCE = 1000  # sightings that are read at a time


@dataclass(frozen=True, kw_only=True, eq=False)
class Pass:
    """One person's way past one camera: a tracklet, or one sighting without a tracklet.

    Attributes
    ----------
    name : str
        Id of its first sighting.
    camera, tracklet, identity : str
        Empty if unknown.
    start, end : float
        Seconds since 1970; NaN if its time is not known. `end` is `start` if nothing says how long it lasted.
    embedding : float32 array of shape (d,)
        Its sightings, fused.
    ids : tuple of str
        Its sightings in the gallery.
    """

    name: str
    camera: str
    tracklet: str
    identity: str
    start: float
    end: float
    embedding: NDArray[np.float32]
    ids: tuple[str, ...]

    @property
    def dated(self) -> bool:
        """True if its time is known."""
        return isfinite(self.start)


def read_passes(gallery: Gallery, where: Where = EVERYTHING, *, progress: Progress = silent) -> list[Pass]:
    """Read passes in the order of their time; those without one last.

    Sightings of one tracklet that have different identities are several passes.

    Parameters
    ----------
    gallery : Gallery
    where : Where
        Sightings to read.
    progress : Progress

    Returns
    -------
    list of Pass

    Raises
    ------
    GalleryDamagedError
        If a sighting does not fit its checksum.
    """
    together: defaultdict[tuple[str, str, str], list[Sighting]] = defaultdict(list)
    ids = [record.id for record in gallery.records(where)]
    for first in range(0, len(ids), _AT_ONCE):
        for one in gallery.sightings(ids[first : first + _AT_ONCE]).values():
            together[one.camera, f"tracklet {one.tracklet}" if one.tracklet else one.id, one.identity].append(one)
        progress("reading", min(first + _AT_ONCE, len(ids)), len(ids))
    return sorted(map(_pass, together.values()), key=_order)


def _pass(sightings: list[Sighting]) -> Pass:
    sightings = sorted(sightings, key=lambda one: (inf if one.time is None else one.time.timestamp(), one.id))
    first = sightings[0]
    seen = [(one.time.timestamp(), seconds_in(one.thumbnail) or 0.0) for one in sightings if one.time is not None]
    return Pass(
        name=first.id,
        camera=first.camera,
        tracklet=first.tracklet,
        identity=first.identity,
        start=min((start for start, _ in seen), default=nan),
        end=max((start + lasted for start, lasted in seen), default=nan),
        embedding=fuse(np.stack([one.embedding for one in sightings]))[0],
        ids=tuple(one.id for one in sightings),
    )


def _order(one: Pass) -> tuple[bool, float, float, str]:
    return (False, one.start, one.end, one.name) if one.dated else (True, 0.0, 0.0, one.name)
