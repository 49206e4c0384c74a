"""Ranked lists with one place for each tracklet, person or camera, and searches that leave cameras out."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from resight.datasets.names import camera_name
from resight.errors import ArrayError, ConfigurationError
from resight.gallery.gallery import Gallery
from resight.gallery.matches import Match
from resight.gallery.sighting import EVERYTHING, Where

__all__ = ["OnePer", "search_one_per", "without_cameras"]

OnePer = Literal["sighting", "tracklet", "identity", "camera"]
"""Kind of thing that has one place of a ranked list."""


def search_one_per(
    gallery: Gallery, vectors: NDArray[np.float32], k: int = 10, where: Where = EVERYTHING, one_per: OnePer = "sighting"
) -> list[Match]:
    """The nearest sighting of each tracklet, person or camera, the nearest first.

    A tracklet belongs to its camera: two cameras may use the same name. A sighting of unknown tracklet, person or camera has a
    place of its own.

    Parameters
    ----------
    gallery : Gallery
    vectors : float32 array of shape (m, d)
        One or more images of the person; see `resight.gallery.Gallery.search`.
    k : int
        At most so many places.
    where : Where
        Filter of the sightings to search.
    one_per : str
        ``"sighting"`` (all of them), ``"tracklet"``, ``"identity"`` or ``"camera"``.

    Returns
    -------
    list of Match
        Numbered from 1.

    Raises
    ------
    ArrayError
        If the vectors have another dimension or hold NaN, or k is less than 1.
    GalleryDamagedError
        If what is found does not fit its checksum.
    """
    if one_per == "sighting":
        return list(gallery.search(vectors, k, where))
    if k < 1:
        raise ArrayError(f"k is {k}; expected at least 1")
    found = _of_each_camera(gallery, vectors, k, where) if one_per == "camera" else _of_each(gallery, vectors, k, where, one_per)
    return [replace(match, rank=rank) for rank, match in enumerate(found[:k], 1)]


def _of_each_camera(gallery: Gallery, vectors: NDArray[np.float32], k: int, where: Where) -> list[Match]:
    """Search each camera by itself: the nearest of a quiet one may be behind nearly the whole gallery."""
    cameras = gallery.cameras() if where.cameras is None else where.cameras
    found: list[Match] = []
    for camera in cameras or [""]:
        found += gallery.search(vectors, 1 if camera else k, replace(where, cameras=frozenset({camera})))
    return sorted(found, key=lambda match: (match.distance, match.record.id))


def _of_each(gallery: Gallery, vectors: NDArray[np.float32], k: int, where: Where, one_per: OnePer) -> list[Match]:
    """Search for more and more sightings, until there are enough places, or no more places can come."""
    most = sum(gallery.people(where.cameras)) if one_per == "identity" else inf
    wanted = 4 * k
    while True:
        found = gallery.search(vectors, wanted, where)
        places: dict[tuple[str, str, str], Match] = {}
        for match in found:
            name, record = getattr(match.record, one_per), match.record
            camera = record.camera if one_per == "tracklet" else ""  # other cameras may use the same name
            places.setdefault((camera, name, "" if name else record.id), match)
        if len(places) >= min(k, most) or len(found) < wanted:
            return list(places.values())
        wanted *= 4


def without_cameras(gallery: Gallery, where: Where, cameras: frozenset[str]) -> Where:
    """The same sightings, but for those that some cameras saw.

    Raises
    ------
    ConfigurationError
        If no camera is left.
    """
    names = frozenset(map(camera_name, cameras))
    left = frozenset(gallery.cameras() if where.cameras is None else where.cameras) - names
    if not left:
        raise ConfigurationError(f"no camera is left to search without {', '.join(sorted(names))}")
    return replace(where, cameras=left)
