"""Who is who from frame to frame, by motion and appearance.

The plan is ByteTrack's (Zhang et al. 2022): sure boxes first, then unsure ones for tracks that were seen just now. Boxes are grown
before they are compared, as in C-BIoU (Yang et al. 2023), the more the longer somebody was out of sight. Appearance is that of
BoT-SORT (Aharon et al. 2022), with three differences: it brings back somebody who was out of sight for seconds; a box goes to no
track if a track nearby looks clearly more like it; and only boxes in full view change a track's look.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from resight.cameras.assignment import assign
from resight.cameras.boxes import overlap, overlap_grown
from resight.cameras.detections import Detections
from resight.cameras.frames import Frame
from resight.cameras.tracking.appearance import Appearance, in_view, unit_length
from resight.cameras.tracking.motion import Motion
from resight.cameras.tracking.parameters import Parameters
from resight.errors import ArrayError

__all__ = ["Tracker", "Tracks"]

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Mask = NDArray[np.bool_]

_PAUSE = 1.0  # seconds between two frames after which everybody was out of sight
_NEVER = 1e6  # cost of a pair that must not be
_CLOSE = 0.3  # overlap of grown boxes that brings back somebody whose look is not known


@dataclass(frozen=True, eq=False)
class Tracks:
    """People of one frame: the boxes that belong to a track, in the order of the detections.

    Attributes
    ----------
    ids : int64 array of shape (n,)
        Number of each track, from 1; never given twice by one tracker.
    xyxy : float32 array of shape (n, 4)
        The detector's boxes, in pixels.
    confidence : float32 array of shape (n,)
    rows : int64 array of shape (n,)
        Row of each in the detections.
    confirmed : bool array of shape (n,)
        True if the track has had enough boxes to count as somebody.
    """

    ids: Indices
    xyxy: NDArray[np.float32]
    confidence: NDArray[np.float32]
    rows: Indices
    confirmed: Mask


class Tracker:
    """Follows the people of one camera. Equal frames give equal tracks, and no frame waits for later ones.

    Parameters
    ----------
    parameters : Parameters, optional
    """

    def __init__(self, parameters: Parameters | None = None) -> None:
        self.parameters = parameters or Parameters()
        self._motion, self._appearance = Motion(), Appearance(self.parameters.memory)
        self._time = 0.0
        self._at: tuple[float, int] | None = None  # frame that has been predicted and not been tracked
        self._just_now = np.empty(0, bool)
        self._ids, self._boxes_had = np.empty(0, np.int64), np.empty(0, np.int64)
        self._seen = np.empty(0)  # time of the last box
        self._given = 0

    def wanted(self, frame: Frame, detections: Detections) -> Mask:
        """Choose the boxes whose embedding counts: those sure enough for any track, and those that may continue one.

        Parameters
        ----------
        frame, detections
            As for `update`, which comes next. It takes NaN for the embedding of any other box, and gives the same tracks.

        Returns
        -------
        bool array of shape (n,)
        """
        self._predict(frame)
        p, confidence = self.parameters, detections.confidence
        seen = self._motion.boxes()[self._confirmed & self._just_now]
        near = overlap(detections.xyxy, seen).max(axis=1, initial=0) >= p.near_low
        wanted: Mask = (confidence >= p.high) | ((confidence >= p.low) & near)
        return wanted

    def update(self, frame: Frame, detections: Detections, embeddings: NDArray[np.float32] | None = None) -> Tracks:
        """Take the next frame.

        Parameters
        ----------
        frame : Frame
            Its time counts, in seconds; its pixels are not looked at.
        detections : Detections
            People on it.
        embeddings : float32 array of shape (n, d), optional
            A vector for each of them, of any length; a row of NaN or zeros is not known. Without any, motion decides alone.

        Returns
        -------
        Tracks

        Raises
        ------
        ArrayError
            If the frame is earlier than the one before, or the embeddings are not a row a box.
        """
        self._predict(frame)
        p, known = self.parameters, self._appearance.means.shape[1] if len(self._ids) else 0
        looks = unit_length(embeddings, len(detections), known)
        owner = self._owners(detections, looks, self._just_now)
        rows = np.flatnonzero(owner >= 0)
        tracks = owner[rows]
        self._motion.correct(tracks, detections.xyxy[rows], detections.confidence[rows])
        self._boxes_had[tracks] += 1
        self._seen[tracks] = frame.time
        sure = detections.confidence >= p.high
        clear = rows[(sure & in_view(detections.xyxy, sure, p.hidden) & np.isfinite(looks).all(axis=1))[rows]]
        if len(clear):
            self._appearance.see(owner[clear], looks[clear])
        self._begin(detections, looks, owner)
        rows = np.flatnonzero(owner >= 0)
        tracks = owner[rows]
        found = Tracks(self._ids[tracks], detections.xyxy[rows], detections.confidence[rows], rows, self._confirmed[tracks])
        self._end()
        self._at = None
        return found

    def _predict(self, frame: Frame) -> None:
        """Predict where everybody is on a frame, once, and learn who was seen on the one before."""
        if self._at == (frame.time, frame.index):
            return
        if len(self._ids) and frame.time < self._time:
            raise ArrayError(f"frame {frame.index} is of {frame.time} s, the one before of {self._time} s; expected rising times")
        before, self._time = self._time, frame.time
        self._motion.predict(frame.time - before, self._seen < before)
        self._just_now = (self._seen >= before) & (frame.time - before <= _PAUSE)
        self._at = frame.time, frame.index

    @property
    def _confirmed(self) -> Mask:
        return self._boxes_had >= self.parameters.confirm

    def _owners(self, detections: Detections, looks: Floats, just_now: Mask) -> Indices:
        """The track of each box, -1 if it has none."""
        p, xyxy, confidence = self.parameters, detections.xyxy, detections.confidence
        owner = np.full(len(detections), -1)
        if not len(detections) or not len(self._ids):
            return owner
        boxes, confirmed = self._motion.boxes(), self._confirmed
        away = np.where(just_now, 0.0, self._time - self._seen)
        distance = self._appearance.distances(looks)
        known = ~np.isnan(distance)
        near = overlap_grown(boxes, xyxy, np.minimum(p.reach + p.spread * away, p.farthest))
        alike = ~known | (distance <= np.where(just_now, p.now, p.later)[:, None])
        heights = np.maximum(xyxy[:, 3] - xyxy[:, 1], 1)
        same_size = abs(np.log(self._motion.position[:, 3:] / heights[None])) <= (p.size + p.growth * away)[:, None]
        allowed = (near >= p.near) & alike & (just_now[:, None] | (same_size & (known | (near > _CLOSE))))
        rivals = np.where(allowed & known & confirmed[:, None], distance, np.inf).min(axis=0)
        allowed &= ~known | (distance <= rivals[None] + p.margin)
        cost = 1 - near + p.appearance * np.where(known, distance, p.later)
        overlaps = overlap(boxes, xyxy)
        faint = (overlaps >= p.near_low) & (~known | (distance <= p.faint))
        high = confidence >= p.high
        low = ~high & (confidence >= p.low)
        _pair(owner, confirmed, high, cost, allowed)
        _pair(owner, confirmed & just_now, low, 1 - overlaps, faint)
        _pair(owner, ~confirmed, high, cost, allowed)
        return owner

    def _begin(self, detections: Detections, looks: Floats, owner: Indices) -> None:
        """Begin tracks with sure boxes that are nobody's, and enter them in `owner`."""
        new = np.flatnonzero((owner < 0) & (detections.confidence >= self.parameters.birth))
        here = self._motion.boxes()[self._seen == self._time]
        new = new[overlap(detections.xyxy[new], here).max(axis=1, initial=0) <= self.parameters.double]
        n = len(new)
        if not n:
            return
        owner[new] = len(self._ids) + np.arange(n)
        self._motion.add(detections.xyxy[new])
        self._appearance.add(looks[new])
        self._ids = np.concatenate([self._ids, self._given + 1 + np.arange(n)])
        self._boxes_had = np.concatenate([self._boxes_had, np.ones(n, np.int64)])
        self._seen = np.concatenate([self._seen, np.full(n, self._time)])
        self._given += n

    def _end(self) -> None:
        """Forget tracks that have been out of sight for too long."""
        p = self.parameters
        keep = self._time - self._seen <= np.where(self._confirmed, p.lost, p.tentative)
        if keep.all():
            return
        self._motion.keep(keep)
        self._appearance.keep(keep)
        self._ids, self._boxes_had, self._seen = self._ids[keep], self._boxes_had[keep], self._seen[keep]


def _pair(owner: Indices, tracks: Mask, boxes: Mask, cost: Floats, allowed: Mask) -> None:
    """Pair tracks with boxes, of both those of a mask that have none yet, at the least cost; enter them in `owner`."""
    free = tracks.copy()
    free[owner[owner >= 0]] = False
    rows, columns = np.flatnonzero(free), np.flatnonzero(boxes & (owner < 0))
    possible = allowed[np.ix_(rows, columns)]
    rows, columns = rows[possible.any(axis=1)], columns[possible.any(axis=0)]
    if not len(rows):
        return
    possible = allowed[np.ix_(rows, columns)]
    chosen, of = assign(np.where(possible, cost[np.ix_(rows, columns)], _NEVER))
    good = possible[chosen, of]
    owner[columns[of[good]]] = rows[chosen[good]]
