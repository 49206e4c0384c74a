"""Tracklets in which nobody has a name, of a gallery or of crops, for a calibration without labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from resight.decision.calibration import IMAGE, TRACKLET, Kind
from resight.distances.vectors import embeddings_of
from resight.errors import ArrayError, GalleryError
from resight.gallery.gallery import Gallery
from resight.gallery.matches import fuse
from resight.gallery.passes import read_passes
from resight.gallery.strip import crops_in
from resight.models.model import Model
from resight.progress import Progress, silent

__all__ = ["MOST", "Unnamed", "fuse_unnamed", "read_unnamed"]

MOST = 3000
"""Tracklets that are looked at; of more, the last."""


class Unnamed(NamedTuple):
    """Tracklets of people whose names are not known.

    Attributes
    ----------
    vectors : float32 array of shape (t, d)
        One for each tracklet, as a gallery keeps them.
    cameras : int64 array of shape (t,)
        Numbers from 0.
    crops : float32 array of shape (n, d)
    of : int64 array of shape (n,)
        Row of each crop's tracklet.
    kept : str
        Kind of the sightings that the gallery keeps: each ``"image"``, or a ``"tracklet"``.
    left_out : int
        Tracklets that were left out, because there are more than `MOST`.
    """

    vectors: NDArray[np.float32]
    cameras: NDArray[np.int64]
    crops: NDArray[np.float32]
    of: NDArray[np.int64]
    kept: Kind = IMAGE
    left_out: int = 0


def fuse_unnamed(vectors: ArrayLike, cameras: ArrayLike, tracklets: Sequence[str]) -> Unnamed:
    """Fuse crops into tracklets.

    Parameters
    ----------
    vectors : array of shape (n, d)
    cameras : int array of shape (n,)
    tracklets : sequence of str
        Name of each crop's tracklet; a crop without one is alone.

    Raises
    ------
    ArrayError
        If shapes do not fit, or a vector holds NaN or infinity.
    """
    images, seen_by = embeddings_of("crops", vectors), np.asarray(cameras, np.int64)
    if not seen_by.shape == (len(images),) == (len(tracklets),):
        raise ArrayError(f"{len(images)} vectors, cameras of shape {seen_by.shape}, {len(tracklets)} tracklets; expected as many")
    rows: dict[tuple[int, str | int], list[int]] = {}
    for row, key in enumerate(zip(seen_by.tolist(), tracklets, strict=True)):
        rows.setdefault((key[0], key[1] or row), []).append(row)
    some = list(rows.values())[-MOST:]
    if not some:
        raise ArrayError("no crops; expected some")
    together = np.concatenate([np.array(part) for part in some])
    return Unnamed(
        vectors=np.concatenate([fuse(images[part]) for part in some]),
        cameras=seen_by[[part[0] for part in some]],
        crops=images[together],
        of=np.repeat(np.arange(len(some)), [len(part) for part in some]),
        left_out=len(rows) - len(some),
    )


def read_unnamed(gallery: Gallery, extractor: Model, *, progress: Progress = silent) -> Unnamed:
    """Read the last tracklets of a gallery. Names are not looked at.

    If the gallery keeps tracklets, as `resight watch` does, the crops in their pictures are embedded; otherwise its sightings are
    the crops.

    Raises
    ------
    ModelMismatchError
        If `extractor` is not the gallery's model.
    GalleryError
        If a sighting does not fit its checksum, or no sighting has a known camera.
    """
    found = [one for one in read_passes(gallery, progress=progress) if one.camera and one.embedding.any()]
    passes = found[-MOST:]
    if not passes:
        raise GalleryError("the gallery has no sighting of a known camera; watch cameras, or add crops with --camera")
    watched = all(one.tracklet and len(one.ids) == 1 for one in passes)
    crops, of = [], []
    for row, one in enumerate(passes):
        several = gallery.sightings(one.ids).values()
        made = [gallery.embed(extractor, crops_in(seen.thumbnail)) if watched else seen.embedding[None] for seen in several]
        crops += made
        of += [row] * sum(map(len, made))
        progress("crops", row + 1, len(passes))
    _, cameras = np.unique([one.camera for one in passes], return_inverse=True)
    vectors = np.stack([one.embedding for one in passes])
    kept: Kind = TRACKLET if watched else IMAGE
    return Unnamed(vectors, cameras, np.concatenate(crops), np.array(of), kept, len(found) - len(passes))
