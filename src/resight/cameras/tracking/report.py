"""Tracks as they are reported once they have ended: without short ones, and with short gaps filled."""

from __future__ import annotations

import numpy as np

from resight.cameras.mot import MotRows

__all__ = ["DELAY", "complete_tracks"]

DELAY = 1.5
"""Seconds that a report lags behind: the longest gap that is filled."""

_LEAST_BOXES, _LEAST_SECONDS = 3, 0.15
_FILLED = 0.1  # confidence of a box that no detector gave


def complete_tracks(rows: MotRows, *, rate: float) -> MotRows:
    """Fill gaps, and leave out what is too short to be somebody.

    Somebody who is out of sight for `DELAY` or less, and comes back as the same track, is reported in between on a straight line.
    A tracker cannot do this while the gap lasts: a report is that much later than the tracks of `Tracker.update`, which never look
    ahead. Tracks of fewer than 3 boxes, or of less than 0.15 seconds, are left out.

    Parameters
    ----------
    rows : MotRows
        Boxes of one camera, as a tracker gave them.
    rate : float
        Frames a second.

    Returns
    -------
    MotRows
    """
    parts = []
    for number in np.unique(rows.ids).tolist():
        mine = np.flatnonzero(rows.ids == number)
        frames = rows.frames[mine]
        if len(mine) < _LEAST_BOXES or frames[-1] - frames[0] < _LEAST_SECONDS * rate:
            continue
        every = np.arange(frames[0], frames[-1] + 1)
        after = np.searchsorted(frames, every)
        gaps = frames[after] - frames[np.maximum(after - 1, 0)]
        given = frames[after] == every
        kept = given | (gaps <= DELAY * rate)
        boxes = np.stack([np.interp(every, frames, rows.xyxy[mine, side]) for side in range(4)], axis=1)
        confidence = np.where(given, rows.confidence[mine][after], _FILLED)
        parts.append((every[kept], np.full(int(kept.sum()), number), boxes[kept], confidence[kept]))
    if not parts:
        return MotRows.table([], [], [], [])
    return MotRows.table(*(np.concatenate(column) for column in zip(*parts, strict=True)))
