"""Tracklets in a gallery: one sighting each, with the best crops side by side as its picture."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Literal

import cv2
import numpy as np

from resight.cameras.tracklets import Tracklet
from resight.gallery.gallery import Gallery
from resight.gallery.sighting import Sighting, sighting_id
from resight.images import Pixels, resize

__all__ = ["enrol_tracklet", "strip"]

_HEIGHT, _WIDEST, _QUALITY = 128, 64, 85


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
        thumbnail=strip(tracklet.crops),
        enrolled=datetime.now(UTC),
        camera=tracklet.camera,
        time=time,
        source=source,
        tracklet=tracklet.name,
    )
    return id, "added" if gallery.add([sighting]) else "present"


def strip(crops: tuple[Pixels, ...]) -> bytes:
    """Crops side by side as one JPEG without metadata, 128 pixels high, the best at the left."""
    parts = [resize(crop, (_HEIGHT, min(_WIDEST, max(1, round(crop.shape[1] * _HEIGHT / crop.shape[0]))))) for crop in crops]
    whole = np.concatenate(parts, axis=1)
    _, data = cv2.imencode(".jpg", cv2.cvtColor(whole, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return data.tobytes()
