"""The tracker on people whose ways and looks are known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from resight.cameras import Detections, Frame
from resight.cameras.mot import MotRows
from resight.cameras.scores import TrackingScores, score_tracks
from resight.cameras.tracking import Parameters, Tracker, Tracks
from resight.errors import ArrayError, ConfigurationError

PIXELS = np.zeros((1, 1, 3), np.uint8)
RED, BLUE = np.eye(8, dtype=np.float32)[:2]

Box = tuple[float, float, float, NDArray[np.float32]]
"""Left edge, top edge, confidence and look of somebody 40 wide and 100 high."""


def frame(number: int, rate: float = 25) -> Frame:
    return Frame(pixels=PIXELS, time=number / rate, index=number)


def step(tracker: Tracker, number: int, boxes: list[Box], *, looks: bool = True, rate: float = 25) -> Tracks:
    xyxy = [(left, top, left + 40, top + 100) for left, top, _, _ in boxes]
    found = Detections(np.array(xyxy, np.float32).reshape(-1, 4), np.array([sure for _, _, sure, _ in boxes]))
    vectors = np.array([look for *_, look in boxes], np.float32).reshape(-1, 8) if looks else None
    return tracker.update(frame(number, rate), found, vectors)


def walk(seed: int, *, rate: float = 25) -> TrackingScores:
    """Four people who cross twice and hide each other, seen by a detector: noisy, faint behind others, or not at all."""
    rng = np.random.default_rng(seed)
    own = rng.normal(size=(4, 8))
    truth, tracks, tracker = [], [], Tracker()
    for number in range(round(5 * rate)):
        time = number / rate
        lefts = [60 + 90 * time, 600 - 90 * time, 330 + 200 * np.sin(time), 330 - 180 * np.sin(1.2 * time)]
        places = np.array([(left, 100 + 9 * person) for person, left in enumerate(lefts)])
        boxes: list[Box] = []
        for person, (left, top) in enumerate(places):
            hidden = max((1 - abs(left - other) / 40 for other, _ in places[person + 1 :] if abs(left - other) < 40), default=0)
            truth.append((number + 1, person, left, top, left + 40, top + 100))
            if rng.random() < 0.95 - hidden:
                noise = rng.normal(0, 1.5, 2)
                look = (own[person] + rng.normal(0, 0.25 + hidden, 8)).astype(np.float32)
                boxes.append((left + noise[0], top + noise[1], float(np.clip(0.85 - 0.6 * hidden, 0, 1)), look))
        found = step(tracker, number, boxes, rate=rate)
        tracks += [(number + 1, int(id), *box) for id, box in zip(found.ids, found.xyxy.tolist(), strict=True)]
    one, other = np.array(truth), np.array(tracks)
    return score_tracks(MotRows.table(one[:, 0], one[:, 1], one[:, 2:]), MotRows.table(other[:, 0], other[:, 1], other[:, 2:]))


def test_people_who_cross_keep_their_numbers() -> None:
    assert min(walk(seed).idf1 for seed in range(2)) > 0.88


def test_a_slow_camera_is_tracked_too() -> None:
    assert np.mean([walk(seed, rate=8).idf1 for seed in range(3)]) > 0.85


@pytest.mark.parametrize("looks", [True, False])
def test_looks_tell_who_turned_around(looks: bool) -> None:
    """Two people meet, are out of sight for a moment, and go back the way they came. Motion alone believes that they crossed."""
    tracker = Tracker()
    for number in range(40):
        way = number if number < 20 else 40 - number
        boxes: list[Box] = [(100 + 4 * way, 50, 0.9, RED), (264 - 4 * way, 52, 0.9, BLUE)]
        found = step(tracker, number, [] if 18 <= number < 25 else boxes, looks=looks)
        if number == 10:
            first = found.ids.tolist()
    assert (found.ids.tolist() == first) is looks


@pytest.mark.parametrize(("look", "same"), [(RED, True), (BLUE, False)])
def test_who_comes_back_is_known_by_the_look(look: NDArray[np.float32], same: bool) -> None:
    tracker = Tracker()
    for number in range(10):
        first = step(tracker, number, [(100 + number, 50, 0.9, RED)])
    for number in range(10, 60):
        assert not len(step(tracker, number, []).ids)
    for number in range(60, 65):
        again = step(tracker, number, [(130 + number - 60, 50, 0.9, look)])
    assert (again.ids.tolist() == first.ids.tolist()) is same


def test_who_comes_back_in_another_size_is_somebody_else() -> None:
    tracker = Tracker()
    for number in range(10):
        first = step(tracker, number, [(100, 50, 0.9, RED)])
    later = tracker.update(frame(60), Detections([[100, 60, 124, 120]], [0.9]), RED[None])
    assert later.ids.tolist() != first.ids.tolist()


def test_an_unsure_box_continues_a_track_and_begins_none() -> None:
    tracker = Tracker()
    for number in range(5):
        first = step(tracker, number, [(100, 50, 0.9, RED)])
    unsure = step(tracker, 5, [(300, 50, 0.2, BLUE), (101, 50, 0.2, RED)])
    assert unsure.ids.tolist() == first.ids.tolist() and unsure.rows.tolist() == [1]
    assert not len(Tracker().update(frame(0), Detections([[0, 0, 40, 100]], [0.5])).ids)


def test_a_second_box_on_somebody_begins_no_track() -> None:
    tracker = Tracker()
    step(tracker, 0, [(100, 50, 0.9, RED)])
    assert step(tracker, 1, [(100, 50, 0.9, RED), (104, 52, 0.7, BLUE)]).ids.tolist() == [1]


def test_a_track_counts_after_three_boxes() -> None:
    tracker = Tracker()
    seen = [step(tracker, number, [(100, 50, 0.9, RED)]).confirmed.tolist() for number in range(4)]
    assert seen == [[False], [False], [True], [True]]


def test_equal_frames_give_equal_tracks() -> None:
    assert walk(9) == walk(9)


def test_vectors_that_are_not_wanted_change_nothing() -> None:
    rng = np.random.default_rng(4)
    whole, thrifty, spared, faint = Tracker(), Tracker(), 0, 0
    own = rng.normal(size=(5, 8))
    for number in range(60):
        lefts = [100 + 60 * person + 5 * np.sin(number / 5 + person) for person in range(5)]  # they hide each other at times
        xyxy = [(left, 50, left + 40, 150) for left in lefts] + [(x, 60, x + 40, 160) for x in rng.uniform(0, 500, 6)]
        sure = np.concatenate([rng.choice([0.9, 0.3], 5), np.full(6, 0.2)])
        looks = np.concatenate([own, rng.normal(size=(6, 8))]) + rng.normal(0, 0.2, (11, 8))
        found, vectors = Detections(np.array(xyxy, np.float32), sure), looks.astype(np.float32)
        expected = whole.update(frame(number), found, vectors)
        wanted = thrifty.wanted(frame(number), found)
        np.testing.assert_array_equal(wanted, thrifty.wanted(frame(number), found))
        seen = thrifty.update(frame(number), found, np.where(wanted[:, None], vectors, np.nan).astype(np.float32))
        np.testing.assert_array_equal((seen.ids, seen.rows), (expected.ids, expected.rows))
        assert wanted[seen.rows].all()
        spared, faint = spared + int((~wanted).sum()), faint + int((sure[seen.rows] < 0.4).sum())
    assert spared > 200 and faint > 50


def test_the_length_of_a_vector_does_not_matter_and_zeros_are_unknown() -> None:
    one, other = Tracker(), Tracker()
    for number in range(8):
        boxes: list[Box] = [(100 + 3 * number, 50, 0.9, RED), (300 - 3 * number, 50, 0.9, BLUE)]
        longer: list[Box] = [(left, top, sure, 17 * look) for left, top, sure, look in boxes]
        assert step(one, number, boxes).ids.tolist() == step(other, number, longer).ids.tolist()
    assert step(one, 8, [(124, 50, 0.9, 0 * RED)]).ids.tolist() == [1]


def test_an_empty_camera_has_no_tracks() -> None:
    tracker = Tracker()
    for number in range(3):
        assert len(tracker.update(frame(number), Detections.none(), None).ids) == 0


def test_what_a_tracker_cannot_take_is_refused() -> None:
    tracker = Tracker()
    step(tracker, 5, [(100, 50, 0.9, RED)])
    with pytest.raises(ArrayError, match="rising times"):
        step(tracker, 4, [(100, 50, 0.9, RED)])
    with pytest.raises(ArrayError, match="a row a box"):
        tracker.update(frame(6), Detections([[0, 0, 40, 100]], [0.9]), np.ones((2, 8), np.float32))
    with pytest.raises(ArrayError, match="of 8 numbers"):
        tracker.update(frame(6), Detections([[0, 0, 40, 100]], [0.9]), np.ones((1, 9), np.float32))
    with pytest.raises(ConfigurationError, match="low"):
        Parameters(low=0.7)
    with pytest.raises(ConfigurationError, match="memory is 1"):
        Parameters(memory=1)
