"""Sightings: one crop of one person each; their ids, thumbnails, times, and filters."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from resight.datasets.names import camera_name, nfc
from resight.datasets.times import parse_time
from resight.errors import ConfigurationError
from resight.images import Pixels, resize

__all__ = [
    "EVERYTHING",
    "Record",
    "Sighting",
    "Where",
    "draw_thumbnail",
    "from_microseconds",
    "parse_time",
    "sighting_id",
    "to_microseconds",
]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_THUMBNAIL_HEIGHT, _THUMBNAIL_WIDTH, _JPEG_QUALITY = 128, 128, 85


@dataclass(frozen=True, kw_only=True)
class Record:
    """One person seen by one camera at one time.

    Attributes
    ----------
    id : str
        32 hexadecimal digits; see `sighting_id`.
    enrolled : datetime
        Time of enrolment; UTC.
    camera : str
        Empty if unknown.
    time : datetime or None
        Time of the image; UTC. None if unknown.
    source : str
        Origin of the crop, for people to read. Resight never opens it.
    tracklet : str
        Name of the person's path past the camera; empty if unknown.
    identity : str
        Name of the person; empty if unknown.
    """

    id: str
    enrolled: datetime
    camera: str = ""
    time: datetime | None = None
    source: str = ""
    tracklet: str = ""
    identity: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values; times in ISO 8601."""
        values = {field.name: getattr(self, field.name) for field in fields(Record)}
        return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in values.items()}


@dataclass(frozen=True, kw_only=True, eq=False)
class Sighting(Record):
    """A record with its vector and thumbnail.

    Attributes
    ----------
    embedding : float32 array of shape (d,)
    thumbnail : bytes
        A small JPEG; see `draw_thumbnail`.
    """

    embedding: NDArray[np.float32]
    thumbnail: bytes


@dataclass(frozen=True, kw_only=True)
class Where:
    """A filter of sightings: all given conditions must hold.

    Attributes
    ----------
    cameras, identities, ids, tracklets : set of str, optional
        Sightings with one of these; names are compared after Unicode normalisation (NFC), and nothing else is folded.
    since, until : datetime, optional
        Sightings at or after `since`, and before `until`. Sightings without a time never match.
    older_than : datetime, optional
        Sightings seen or enrolled before this time, as a retention counts. A camera whose clock is wrong therefore does not stop
        a sighting from expiring.
    newer_than : datetime, optional
        Sightings seen and enrolled after this time. Those of the future were enrolled while this machine's clock was wrong.
    """

    cameras: frozenset[str] | None = None
    identities: frozenset[str] | None = None
    ids: frozenset[str] | None = None
    since: datetime | None = None
    until: datetime | None = None
    older_than: datetime | None = None
    newer_than: datetime | None = None
    tracklets: frozenset[str] | None = None

    def __post_init__(self) -> None:
        for name in ("cameras", "identities", "ids", "tracklets"):
            values: Iterable[str] | None = getattr(self, name)
            if isinstance(values, str):
                raise ConfigurationError(f"{name} is the text {values!r}; expected a set of texts")
            if values is not None:
                plain = {"cameras": camera_name, "identities": nfc, "tracklets": nfc}.get(name, str)
                object.__setattr__(self, name, frozenset(plain(value) for value in values))
        for name in ("since", "until", "older_than", "newer_than"):
            time: datetime | None = getattr(self, name)
            if time is not None and time.tzinfo is None:
                raise ConfigurationError(f"{name} is {time.isoformat()}, without a time zone; expected one, such as UTC")

    def holds(self, record: Record) -> bool:
        """Return whether a record passes."""
        time = record.time
        if self.since is not None and (time is None or time < self.since):
            return False
        if self.until is not None and (time is None or time >= self.until):
            return False
        age = min(time or record.enrolled, record.enrolled)
        if (self.older_than is not None and age >= self.older_than) or (self.newer_than is not None and age <= self.newer_than):
            return False
        asked = (
            (self.cameras, nfc(record.camera)),
            (self.identities, nfc(record.identity)),
            (self.ids, record.id),
            (self.tracklets, record.tracklet),
        )
        return all(wanted is None or value in wanted for wanted, value in asked)


EVERYTHING = Where()
"""Every sighting."""


def sighting_id(crop_sha256: str, camera: str, time: datetime | None) -> str:
    """Compute the id of a sighting from its crop, camera and time, so that nothing is enrolled twice.

    Parameters
    ----------
    crop_sha256 : str
        SHA-256 of the image file, 64 hexadecimal digits.
    camera : str
    time : datetime or None

    Returns
    -------
    str
        32 hexadecimal digits: the first half of a SHA-256. It leaves out the model, because a gallery has only one.
    """
    text = json.dumps([crop_sha256, camera_name(camera), None if time is None else to_microseconds(time)])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def draw_thumbnail(pixels: Pixels) -> bytes:
    """Encode an RGB image as a JPEG of at most 128x128 pixels without metadata."""
    height, width = pixels.shape[:2]
    scale = min(_THUMBNAIL_HEIGHT / height, _THUMBNAIL_WIDTH / width, 1.0)
    small = resize(pixels, (max(1, round(height * scale)), max(1, round(width * scale))))
    _, data = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return data.tobytes()


def to_microseconds(time: datetime) -> int:
    """Convert a time to microseconds since 1970, exactly."""
    return (time - _EPOCH) // _MICROSECOND


def from_microseconds(microseconds: int) -> datetime:
    """Convert microseconds since 1970 to a time; UTC."""
    return _EPOCH + microseconds * _MICROSECOND
