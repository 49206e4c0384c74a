"""Distances up to which tracklets are one person's, with each camera's mean taken off; fitted to labelled people.

With each camera's mean taken off, strangers of different data sets are equally far apart. So a distance is chosen by its share of
the pairs of strangers, and the share by the number of people who are compared. It falls with their square root: more people bring
more strangers near.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from resight.cameras.camera_means import ENOUGH, centred
from resight.decision.tracklets import Tracklets

__all__ = ["LinkPoint", "fit_links"]

_MOST = 0.003  # share of the pairs of strangers within the distance; chosen on drawn films
_FEW = 50  # people up to whom it holds
_RATES = np.geomspace(1e-5, _MOST, 12)
_FEWEST = 30  # people by several cameras, without whom nothing is fitted
_BINS = 2000  # of distances from 0 to 2
_BLOCK = 1 << 22  # distances that are held at a time


@dataclass(frozen=True, kw_only=True)
class LinkPoint:
    """Thresholds of links, and what the labelled people show at them.

    Attributes
    ----------
    thresholds : tuple of float
        Mean cosine distances of tracklets less the mean of their cameras, increasing.
    strangers, own : tuple of float
        Share of the pairs of tracklets within each: wanted, of two people; and measured, of one person by two cameras.
    passages, people, cameras : int
        Tracklets, people on them, and cameras.
    """

    thresholds: tuple[float, ...]
    strangers: tuple[float, ...]
    own: tuple[float, ...]
    passages: int
    people: int
    cameras: int

    def among(self, people: int) -> float:
        """Return the threshold if a tracklet is compared with so many people."""
        return self._at(people, self.thresholds)

    def own_among(self, people: int) -> float:
        """Return the share of the pairs of one person within that threshold."""
        return self._at(people, self.own)

    def _at(self, people: int, column: Sequence[float]) -> float:
        return float(np.interp(np.log(_MOST * min(1, _FEW / max(people, 1)) ** 0.5), np.log(self.strangers), column))

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Make one from what `to_dict` returned. Raises `ValueError`, `KeyError` or `TypeError` for anything else."""
        thresholds, strangers, own = (tuple(map(float, values[name])) for name in ("thresholds", "strangers", "own"))
        ordered = all(np.all(np.diff(column) >= 0) for column in (thresholds, strangers))
        if not (len(thresholds) == len(strangers) == len(own) > 0 and ordered and strangers[0] > 0):
            raise ValueError("its thresholds of links are incomplete")
        passages, people, cameras = (int(values[name]) for name in ("passages", "people", "cameras"))
        return cls(thresholds=thresholds, strangers=strangers, own=own, passages=passages, people=people, cameras=cameras)


def fit_links(tracklets: Tracklets) -> LinkPoint | None:
    """Find the largest distances within which are at most some shares of the pairs of strangers.

    Parameters
    ----------
    tracklets : Tracklets
        Tracklets of known people; those of identity 0 or less are left out.

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
    below = np.searchsorted(np.cumsum(strangers) / strangers.sum(), _RATES, side="right")  # bins that are within
    return LinkPoint(
        thresholds=tuple((below * 2 / _BINS).tolist()),
        strangers=tuple(_RATES.tolist()),
        own=tuple((np.append(0, np.cumsum(own))[below] / own.sum()).tolist()),
        passages=len(units),
        people=len(passed),
        cameras=len(np.unique(cameras)),
    )
