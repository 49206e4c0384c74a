"""Parcels: tracklets on their way to a gallery, and where they go."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from resight.cameras.tracklets import Tracklet
from resight.datasets.names import camera_name, nfc
from resight.errors import ImageError
from resight.gallery.settings import Settings
from resight.gallery.strip import SIZE
from resight.gallery.tracklets import What, as_text, tracklet_id
from resight.images import Pixels, decode, resize
from resight.models.model import Model

__all__ = ["Destination", "Parcel", "parcel_of"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Parcel:
    """Everything that a gallery keeps of a tracklet.

    Attributes
    ----------
    name, camera, source : str
        Name of the tracklet, its camera, and the origin of the film.
    time : datetime or None
        Time of its first frame; UTC.
    seconds : float
        Duration of the tracklet.
    model_sha256 : str
        Model of the vector.
    embedding : float32 array of shape (d,)
    strip : bytes
        PNG of its crops side by side, each of the size that galleries keep.
    """

    name: str
    camera: str
    source: str
    time: datetime | None
    seconds: float
    model_sha256: str
    embedding: NDArray[np.float32]
    strip: bytes

    @property
    def id(self) -> str:
        """Id of its sighting."""
        return tracklet_id(self.name, self.camera, self.time)

    def crops(self) -> list[Pixels]:
        """Decode the crops, uint8 RGB, the best first. Raises `ImageError` if the strip is damaged."""
        whole = decode(self.strip)
        count = whole.shape[1] // SIZE[1]
        if not count or whole.shape != (SIZE[0], count * SIZE[1], 3):
            raise ImageError("the strip of crops is damaged")
        return [np.ascontiguousarray(part) for part in np.split(whole, count, axis=1)]


class Destination(Protocol):
    """A gallery that parcels go to."""

    shown: str
    """Its address without passwords."""

    def settings(self) -> Settings:
        """Ask for the gallery's settings. Raises `GalleryAwayError`."""

    def deliver(self, parcel: Parcel, model: Model) -> What:
        """Add a tracklet. A parcel that is delivered again changes nothing.

        Parameters
        ----------
        parcel : Parcel
        model : Model
            Model that embeds the crops anew if the gallery has another one than the parcel.

        Raises
        ------
        GalleryAwayError
            If it cannot be delivered now; it is to be tried again.
        UploadError
            If the gallery does not take this parcel.
        """

    def close(self) -> None:
        """Close connections."""


def parcel_of(tracklet: Tracklet, source: str, model_sha256: str) -> Parcel:
    """Pack a tracklet."""
    whole = np.concatenate([resize(crop, SIZE) for crop in tracklet.crops], axis=1)
    _, strip = cv2.imencode(".png", cv2.cvtColor(whole, cv2.COLOR_RGB2BGR))
    return Parcel(
        name=nfc(tracklet.name),
        camera=camera_name(tracklet.camera),
        source=as_text(source),
        time=tracklet.at(tracklet.start),
        seconds=tracklet.end - tracklet.start,
        model_sha256=model_sha256,
        embedding=tracklet.embedding,
        strip=strip.tobytes(),
    )
