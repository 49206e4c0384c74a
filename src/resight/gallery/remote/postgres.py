"""A gallery in a database on another machine."""

from __future__ import annotations

from resight.errors import ArrayError, ConfigurationError, GalleryAwayError, GalleryError, ImageError, StorageError, UploadError
from resight.gallery.gallery import Gallery
from resight.gallery.matches import fuse
from resight.gallery.remote.parcel import Parcel
from resight.gallery.settings import Settings
from resight.gallery.tracklets import What, add_tracklet
from resight.models.model import Model

__all__ = ["DatabaseGallery"]


class DatabaseGallery:
    """Gallery in PostgreSQL, to which the connection is made anew if it breaks.

    Parameters
    ----------
    location : str
        See `Gallery.open`.
    shown : str
        The same without a password.
    """

    def __init__(self, location: str, shown: str) -> None:
        self._location, self.shown = location, shown
        self._gallery: Gallery | None = None

    def settings(self) -> Settings:
        """See `Destination`."""
        return self._open().settings

    def deliver(self, parcel: Parcel, model: Model) -> What:
        """See `Destination`."""
        gallery = self._open()
        try:
            crops, embedding = parcel.crops(), parcel.embedding
            if parcel.model_sha256 != gallery.settings.model_sha256:
                embedding = fuse(gallery.embed(model, crops))[0]
            return add_tracklet(
                gallery,
                name=parcel.name,
                camera=parcel.camera,
                time=parcel.time,
                source=parcel.source,
                crops=crops,
                embedding=embedding,
                seconds=parcel.seconds,
            )
        except (ArrayError, ConfigurationError, ImageError) as error:
            raise UploadError(str(error)) from error
        except (GalleryError, StorageError) as error:
            self.close()
            raise GalleryAwayError(f"{self.shown}: {error}") from error

    def close(self) -> None:
        """See `Destination`."""
        if self._gallery is not None:
            self._gallery.close()
        self._gallery = None

    def _open(self) -> Gallery:
        if self._gallery is None:
            try:
                self._gallery = Gallery.open(self._location)
            except (GalleryError, StorageError) as error:
                raise GalleryAwayError(f"{self.shown}: {error}") from error
        return self._gallery
