"""Distance up to which tracklets are one person's, with each camera's mean taken off; fitted to labelled people.

A search is falsely answered by the nearest of many strangers, so its limit depends on how many there are. Joining compares people
pair by pair. With each camera's mean taken off, strangers of different data sets are equally far apart, so the limit is a rate of
pairs of strangers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from resight.cameras.camera_means import ENOUGH, centred
from resight.decision.tracklets import Tracklets

__all__ = ["LinkPoint", "fit_links"]

_RATE = 0.0025  # pairs of strangers within the limit; chosen on drawn films
_FEWEST = 30  # people by several cameras, without whom nothing is fitted
_BINS = 2000  # of distances from 0 to 2
_BLOCK = 1 << 22  # distances that are held at a time


@dataclass(frozen=True, kw_only=True)
class LinkPoint:
    """Threshold of links, and what the labelled people show at it.

    Attributes
    ----------
    threshold : float
        Largest mean cosine distance of one person's tracklets, less the mean of their cameras.
    strangers, own : float
        Share of the pairs of tracklets within it: of two people, and of one person by two cameras.
    passages, people, cameras : int
        Tracklets, people on them, and cameras.
    """

    threshold: float
    strangers: float
    own: float
    passages: int
    people: int
    cameras: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Make one from what `to_dict` returned. Raises `ValueError`, `KeyError` or `TypeError` for anything else."""
        threshold = float(values["threshold"])
        if not 0 <= threshold <= 2:
            raise ValueError(f"its threshold of links is {threshold}")
        counts = (int(values[name]) for name in ("passages", "people", "cameras"))
        passages, people, cameras = counts
        shares = {"strangers": float(values["strangers"]), "own": float(values["own"])}
        return cls(threshold=threshold, **shares, passages=passages, people=people, cameras=cameras)


def fit_links(tracklets: Tracklets, rate: float = _RATE) -> LinkPoint | None:
    """Find the largest distance within which is at most a rate of the pairs of strangers.

    Parameters
    ----------
    tracklets : Tracklets
        Those of identity 0 or less are left out.
    rate : float

    Returns
    -------
    LinkPoint or None
        None if fewer than two cameras made five tracklets each, or fewer than thirty people passed two.
    """
    kept = (tracklets.identities > 0) & tracklets.vectors.any(axis=1)
    who, cameras, vectors = tracklets.identities[kept], tracklets.cameras[kept], tracklets.vectors[kept]
    known = sum(count >= ENOUGH for count in Counter(cameras.tolist()).values())
    passed = Counter(person for person, _ in {*zip(who.tolist(), cameras.tolist(), strict=True)})
    if known < 2 or sum(count > 1 for count in passed.values()) < _FEWEST:
        return None
    units = centred(vectors, cameras)
    strangers, own = np.zeros(_BINS, np.int64), np.zeros(_BINS, np.int64)
    for rows in np.array_split(np.arange(len(units)), -(-(len(units) ** 2) // _BLOCK)):
        bins = np.clip((1 - units[rows] @ units.T) * (_BINS / 2), 0, _BINS - 1).astype(np.int64)
        same, elsewhere = who[rows, None] == who, cameras[rows, None] != cameras
        strangers += np.bincount(bins[~same], minlength=_BINS)
        own += np.bincount(bins[same & elsewhere], minlength=_BINS)
    shares = np.cumsum(strangers) / strangers.sum()
    below = int(np.searchsorted(shares, rate, side="right"))  # bins that are within
    return LinkPoint(
        threshold=below * 2 / _BINS,
        strangers=float(shares[below - 1]) if below else 0.0,
        own=float(own[:below].sum() / own.sum()),
        passages=len(units),
        people=len(passed),
        cameras=len(np.unique(cameras)),
    )
