"""Tracklets in a gallery: one sighting each, with the best crops side by side as its picture."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from resight.cameras.tracklets import Tracklet
from resight.gallery.gallery import Gallery
from resight.gallery.settings import Settings
from resight.gallery.sighting import Sighting, sighting_id
from resight.gallery.strip import draw_strip
from resight.images import Pixels

__all__ = ["What", "add_tracklet", "as_text", "enrol_tracklet", "is_expired", "tracklet_id"]

What = Literal["added", "present", "expired"]
"""Result of adding a tracklet: it is new, was there before, or is older than the gallery keeps anything and is left out."""


def enrol_tracklet(gallery: Gallery, tracklet: Tracklet, source: str = "") -> tuple[str, What]:
    """Add a tracklet as one sighting. The same tracklet is not added twice.

    Parameters
    ----------
    gallery : Gallery
        A gallery of the model that made the tracklet's vector.
    tracklet : Tracklet
    source : str
        Origin of the film, for people to read.

    Returns
    -------
    tuple of (str, str)
        Id of the sighting, and ``"added"``, ``"present"`` if it was there before, or ``"expired"`` if it is older than the gallery
        keeps anything; then it is left out.

    Raises
    ------
    StorageError
        If the gallery cannot be written.
    ArrayError
        If the vector is another model's.
    """
    time = tracklet.at(tracklet.start)
    id = tracklet_id(tracklet.name, tracklet.camera, time)
    seconds = tracklet.end - tracklet.start
    return id, add_tracklet(
        gallery,
        name=tracklet.name,
        camera=tracklet.camera,
        time=time,
        source=source,
        crops=tracklet.crops,
        embedding=tracklet.embedding,
        seconds=seconds,
    )


def add_tracklet(
    gallery: Gallery,
    *,
    name: str,
    camera: str,
    time: datetime | None,
    source: str,
    crops: Sequence[Pixels],
    embedding: NDArray[np.float32],
    seconds: float | None = None,
) -> What:
    """Add a tracklet of which only this is known, as `enrol_tracklet` does."""
    if is_expired(gallery.settings, time):
        return "expired"
    sighting = Sighting(
        id=tracklet_id(name, camera, time),
        embedding=embedding,
        thumbnail=draw_strip(crops, seconds),
        enrolled=datetime.now(UTC),
        camera=camera,
        time=time,
        source=as_text(source),
        tracklet=name,
    )
    return "added" if gallery.add([sighting]) else "present"


def as_text(source: str) -> str:
    """Return the name of a file as text that can be stored; it may be none."""
    return os.fsencode(source).decode("utf-8", "replace")


def tracklet_id(name: str, camera: str, time: datetime | None) -> str:
    """Compute the id of a tracklet's sighting from its name, camera and start."""
    return sighting_id(hashlib.sha256(name.encode()).hexdigest(), camera, time)


def is_expired(settings: Settings, time: datetime | None) -> bool:
    """Tell if a gallery keeps nothing as old as this time."""
    oldest = settings.expired_before()
    return oldest is not None and time is not None and time < oldest
