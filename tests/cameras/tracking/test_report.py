"""Reports of tracks: gaps and short tracks."""

from __future__ import annotations

import numpy as np

from resight.cameras.mot import MotRows
from resight.cameras.tracking import complete_tracks


def rows(frames: list[int], number: int = 1) -> MotRows:
    return MotRows.table(frames, [number] * len(frames), [(2 * f, 0, 2 * f + 10, 20 + f) for f in frames], [0.8] * len(frames))


def test_a_short_gap_is_filled_on_a_straight_line() -> None:
    full = complete_tracks(rows([1, 2, 3, 7, 8]), rate=10)
    assert full.frames.tolist() == list(range(1, 9))
    assert np.allclose(full.xyxy, rows(list(range(1, 9))).xyxy)
    assert full.confidence[3:6].tolist() == [np.float32(0.1)] * 3 and full.confidence[0] == np.float32(0.8)


def test_a_long_gap_stays() -> None:
    assert complete_tracks(rows([1, 2, 3, 19, 20]), rate=10).frames.tolist() == [1, 2, 3, 19, 20]
    assert len(complete_tracks(rows([1, 2, 3, 18, 20]), rate=10)) == 20


def test_short_tracks_are_left_out() -> None:
    assert len(complete_tracks(rows([4, 5]), rate=10)) == 0
    assert len(complete_tracks(rows([4, 5, 6]), rate=25)) == 0
    both = [rows([1, 2, 3, 4, 5]), rows([3, 4], number=2)]
    joined = MotRows.table(*(np.concatenate([getattr(r, part) for r in both]) for part in ("frames", "ids", "xyxy")))
    assert set(complete_tracks(joined, rate=10).ids.tolist()) == {1}
    assert len(complete_tracks(MotRows.table([], [], []), rate=10)) == 0
