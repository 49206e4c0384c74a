"""Tracklets of labelled crops: one vector for all crops of one person by one camera."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from resight.distances.vectors import embeddings_of
from resight.errors import ArrayError
from resight.gallery.matches import fuse

__all__ = ["Tracklets", "fuse_tracklets"]


class Tracklets(NamedTuple):
    """Fused crops.

    Attributes
    ----------
    vectors : float32 array of shape (n, d)
        See `resight.gallery.fuse`.
    identities, cameras, crops : int64 arrays of shape (n,)
        Person, camera, and number of crops.
    """

    vectors: NDArray[np.float32]
    identities: NDArray[np.int64]
    cameras: NDArray[np.int64]
    crops: NDArray[np.int64]


def fuse_tracklets(vectors: ArrayLike, identities: ArrayLike, cameras: ArrayLike, tracklets: Sequence[str] = ()) -> Tracklets:
    """Fuse the crops of each tracklet.

    Parameters
    ----------
    vectors : array of shape (n, d)
    identities, cameras : int arrays of shape (n,)
        Crops of identity 0 or less stay alone.
    tracklets : sequence of str
        Name of each crop's tracklet, if known; a tracklet shows one person by one camera. Crops without a name are one tracklet
        for each person and camera.

    Returns
    -------
    Tracklets

    Raises
    ------
    ArrayError
        If shapes do not fit, or a vector holds NaN or infinity.
    """
    images, who, seen_by = embeddings_of("crops", vectors), np.asarray(identities, np.int64), np.asarray(cameras, np.int64)
    names = np.asarray(tracklets or [""] * len(images))
    if not who.shape == seen_by.shape == names.shape == (len(images),):
        raise ArrayError(
            f"{len(images)} vectors, identities of shape {who.shape}, cameras of shape {seen_by.shape}, tracklets of shape "
            f"{names.shape}; expected as many of each"
        )
    alone = np.where(who > 0, -1, np.arange(len(images)))
    _, of = np.unique(names, return_inverse=True)
    order = np.lexsort((alone, of, seen_by, who))
    keys = np.stack([who, seen_by, of, alone])[:, order]
    starts = np.flatnonzero(np.append(True, (np.diff(keys) != 0).any(axis=0))) if len(order) else np.empty(0, np.int64)
    groups = np.split(order, starts[1:]) if len(order) else []
    fused = [fuse(images[rows]) for rows in groups]
    return Tracklets(
        np.concatenate(fused) if fused else images,
        who[order[starts]],
        seen_by[order[starts]],
        np.array([len(rows) for rows in groups], np.int64),
    )
