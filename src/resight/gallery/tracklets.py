"""Tracklets in a gallery: one sighting each, with the best crops side by side as its picture."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Literal

from resight.cameras.tracklets import Tracklet
from resight.gallery.gallery import Gallery
from resight.gallery.sighting import Sighting, sighting_id
from resight.gallery.strip import draw_strip

__all__ = ["enrol_tracklet"]


def enrol_tracklet(gallery: Gallery, tracklet: Tracklet, source: str = "") -> tuple[str, Literal["added", "present", "expired"]]:
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
    id = sighting_id(hashlib.sha256(tracklet.name.encode()).hexdigest(), tracklet.camera, time)
    oldest = gallery.settings.expired_before()
    if oldest is not None and time is not None and time < oldest:
        return id, "expired"
    sighting = Sighting(
        id=id,
        embedding=tracklet.embedding,
        thumbnail=draw_strip(tracklet.crops, tracklet.end - tracklet.start),
        enrolled=datetime.now(UTC),
        camera=tracklet.camera,
        time=time,
        source=source,
        tracklet=tracklet.name,
    )
    return id, "added" if gallery.add([sighting]) else "present"
