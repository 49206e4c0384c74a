"""Scores of tracking, against cases counted by hand, slow definitions, and the figures of TrackEval."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from resight.cameras.mot import MotRows, join_cameras
from resight.cameras.scores import score_tracks
from resight.errors import DatasetError, NoMatchError


def rows(*boxes: tuple[int, int, float], width: float = 10) -> MotRows:
    """Boxes (frame, identity, left) of one size."""
    frames, ids, lefts = zip(*boxes, strict=True) if boxes else ((), (), ())
    return MotRows.table(frames, ids, [(left, 0, left + width, 20) for left in lefts])


def noisy(seed: int) -> tuple[MotRows, MotRows]:
    """Three people who walk, and tracks that miss, move, swap and invent boxes."""
    rng = np.random.default_rng(seed)
    truth, tracks = [], []
    for frame in range(1, 13):
        names = rng.permutation(3) if rng.random() < 0.3 else np.arange(3)
        for person in range(3):
            left = 8.0 * person + frame * (1 - person)
            truth.append((frame, person, left, 0, left + 10, 20))
            if rng.random() < 0.8:
                x, y, w = left + rng.normal(0, 1.5), rng.normal(0, 2), rng.uniform(8, 12)
                tracks.append((frame, 7 + int(names[person]), x, y, x + w, y + 20))
        if rng.random() < 0.3:
            tracks.append((frame, 40 + frame % 2, 60, 0, 70, 20))
    one, other = np.array(truth), np.array(tracks)
    return MotRows.table(one[:, 0], one[:, 1], one[:, 2:]), MotRows.table(other[:, 0], other[:, 1], other[:, 2:])


def overlap_of(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two boxes."""
    w, h = (min(a[2 + axis], b[2 + axis]) - max(a[axis], b[axis]) for axis in (0, 1))
    shared = float(max(w, 0) * max(h, 0))
    return shared / (float((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])) - shared)


def best_pairing(values: np.ndarray) -> list[tuple[int, int]]:
    """The pairing of the largest sum, by trying all of them."""
    n, m = values.shape
    if n > m:
        return [(row, column) for column, row in best_pairing(values.T)]
    return max(([*enumerate(columns)] for columns in permutations(range(m), n)), key=lambda pairs: sum(values[p] for p in pairs))


def slow_idf1(truth: MotRows, tracks: MotRows) -> float:
    """IDF1 by its definition: the best of all maps from people to tracks."""
    people, names = np.unique(truth.ids), np.unique(tracks.ids)
    together = np.zeros((len(people), len(names)))
    for i in range(len(truth)):
        for j in range(len(tracks)):
            if truth.frames[i] == tracks.frames[j] and overlap_of(truth.xyxy[i], tracks.xyxy[j]) >= 0.5:
                together[people == truth.ids[i], names == tracks.ids[j]] += 1
    right = sum(together[pair] for pair in best_pairing(together))
    return float(2 * right / (len(truth) + len(tracks)))


def slow_hota(truth: MotRows, tracks: MotRows) -> float:
    """HOTA as the paper defines it: for each level, each true positive has an association score of its own."""
    similar = np.array([[overlap_of(a, b) for b in tracks.xyxy] for a in truth.xyxy])
    similar *= truth.frames[:, None] == tracks.frames[None]
    soft: dict[tuple[int, int], float] = {}
    for i, j in np.argwhere(similar > 0):
        share = similar[i, j] / (similar[i].sum() + similar[:, j].sum() - similar[i, j])
        pair = int(truth.ids[i]), int(tracks.ids[j])
        soft[pair] = soft.get(pair, 0) + share

    def alignment(i: int, j: int) -> float:
        both = soft.get((int(truth.ids[i]), int(tracks.ids[j])), 0)
        return both / (int((truth.ids == truth.ids[i]).sum()) + int((tracks.ids == tracks.ids[j]).sum()) - both)

    pairs = []
    for frame in np.unique(truth.frames):
        ones, others = np.flatnonzero(truth.frames == frame), np.flatnonzero(tracks.frames == frame)
        values = np.array([[alignment(i, j) * similar[i, j] for j in others] for i in ones]).reshape(len(ones), len(others))
        pairs += [(int(ones[a]), int(others[b])) for a, b in best_pairing(values)]
    levels = []
    for level in range(1, 20):
        hits = [(i, j) for i, j in pairs if similar[i, j] >= 0.05 * level - 1e-12]
        total = 0.0
        for i, j in hits:
            together = sum(truth.ids[a] == truth.ids[i] and tracks.ids[b] == tracks.ids[j] for a, b in hits)
            total += together / (int((truth.ids == truth.ids[i]).sum()) + int((tracks.ids == tracks.ids[j]).sum()) - together)
        levels.append((total / (len(truth) + len(tracks) - len(hits))) ** 0.5)
    return float(np.mean(levels))


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_the_definitions(seed: int) -> None:
    truth, tracks = noisy(seed)
    scores = score_tracks(truth, tracks)
    assert scores.idf1 == pytest.approx(slow_idf1(truth, tracks), abs=1e-12)
    assert scores.hota == pytest.approx(slow_hota(truth, tracks), abs=1e-9)


TRACKEVAL = {
    3: (0.393605, 0.418765, 0.372309, 0.744651, 0.6, 0.194444, 0.706864, 13, 11, 5),
    4: (0.538863, 0.524321, 0.554434, 0.760331, 0.735294, 0.361111, 0.730343, 10, 6, 7),
    5: (0.443674, 0.468526, 0.421069, 0.750187, 0.69697, 0.472222, 0.705997, 10, 4, 5),
}
"""HOTA, DetA, AssA, LocA, IDF1, MOTA, MOTP, missed, false and switches that TrackEval 1.3.0 gives for `noisy(seed)`."""


@pytest.mark.parametrize("seed", TRACKEVAL)
def test_agrees_with_trackeval(seed: int) -> None:
    s = score_tracks(*noisy(seed))
    ours = (s.hota, s.detection, s.association, s.location, s.idf1, s.mota, s.motp, s.misses, s.false, s.switches)
    assert ours == pytest.approx(TRACKEVAL[seed], abs=1e-6)


def test_perfect_tracks() -> None:
    truth, _ = noisy(0)
    scores = score_tracks(truth, truth)
    assert (scores.hota, scores.idf1, scores.mota, scores.motp) == pytest.approx((1, 1, 1, 1))
    assert scores.to_dict()["idf1"] == pytest.approx(100) and scores.to_dict()["boxes"] == len(truth)


def test_a_switch_is_counted_once() -> None:
    truth = rows(*((frame, 1, 0) for frame in range(1, 11)))
    tracks = rows(*((frame, 1 if frame < 7 else 2, 0) for frame in range(1, 11) if frame != 4), (2, 3, 50))
    scores = score_tracks(truth, tracks)
    assert (scores.misses, scores.false, scores.switches) == (1, 1, 1)
    assert scores.mota == pytest.approx(1 - 3 / 10)
    assert scores.idf1 == pytest.approx(2 * 5 / (10 + 10))


def test_the_match_of_the_frame_before_goes_first() -> None:
    truth = rows((1, 1, 0), (2, 1, 0))
    tracks = rows((1, 5, 3), (2, 5, 3), (2, 6, 0))  # the second track lies better, the first was there
    assert score_tracks(truth, tracks).switches == 0


def test_no_tracks_and_no_truth() -> None:
    truth = rows((1, 1, 0), (2, 1, 0))
    scores = score_tracks(truth, rows())
    assert (scores.hota, scores.idf1, scores.mota, scores.misses) == (0, 0, 0, 2)
    with pytest.raises(NoMatchError, match="no box that counts"):
        score_tracks(rows(), truth)


def test_somebody_has_one_box_a_frame() -> None:
    with pytest.raises(DatasetError, match="identity 4 has several boxes in frame 2"):
        score_tracks(rows((1, 1, 0)), rows((2, 4, 0), (2, 4, 9)))


def test_what_does_not_count_costs_nothing() -> None:
    """Rows marked 0 and classes of MOT16: a track on a distractor is left out, one on a car is false."""
    base = rows((1, 1, 0), (1, 2, 20), (1, 3, 40), (1, 4, 60))
    truth = MotRows(base.frames, base.ids, base.xyxy, np.array([1, 1, 1, 0], np.float32), np.array([1, 8, 3, 1]), base.visibility)
    scores = score_tracks(truth, base)
    assert (scores.boxes, scores.misses, scores.false) == (1, 0, 2)


def test_over_all_cameras_an_identity_must_last() -> None:
    one = rows((1, 1, 0), (2, 1, 0))
    other = rows((1, 2, 0), (2, 2, 0))
    lengths = [3, 3]
    assert score_tracks(join_cameras([one, one], lengths), join_cameras([one, one], lengths)).idf1 == 1
    assert score_tracks(join_cameras([one, one], lengths), join_cameras([one, other], lengths)).idf1 == 0.5
    longer = rows((1, 1, 0), (2, 1, 0), (3, 1, 0))  # false on the last frame of each: 4 of 6 boxes, 4 of 4 wanted
    assert score_tracks(join_cameras([one, one], lengths), join_cameras([longer, longer], lengths)).idf1 == pytest.approx(0.8)
