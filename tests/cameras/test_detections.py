"""The value object between detectors and trackers."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from resight.cameras import Detections, Frame
from resight.errors import ArrayError


def test_they_are_checked_copied_and_read_only() -> None:
    boxes = np.array([[1, 2, 3, 4], [-5, 0, 700, 10]])
    found = Detections(boxes, [0, 1])
    boxes[:] = 0
    assert found.xyxy.dtype == found.confidence.dtype == np.float32
    assert found.xyxy.tolist() == [[1, 2, 3, 4], [-5, 0, 700, 10]]
    with pytest.raises(ValueError, match="read-only"):
        found.xyxy[0, 0] = 9
    assert (len(Detections.none()), len(Detections([], []))) == (0, 0)
    assert found[np.array([False, True])].xyxy.tolist() == [[-5, 0, 700, 10]]


@pytest.mark.parametrize(
    ("boxes", "confidence", "said"),
    [
        ([[0, 0, 1]], [1], "shape"),
        ([[0, 0, 1, np.nan]], [1], "finite"),
        ([[0, 0, np.inf, 1]], [1], "finite"),
        ([[0, 0, 1e300, 1]], [1], "the box 0, 0, 1e.300, 1"),
        ([[5, 0, 1, 1]], [1], "the box 5, 0, 1, 1"),
        ([[0, 0, 1, 1]], [1.5], "a confidence of 1.5"),
        ([[0, 0, 1, 1]], [np.nan], "a confidence of nan"),
        ([[0, 0, 1, 1]], [1, 1], "1 boxes"),
    ],
)
def test_what_is_wrong_is_refused(boxes: list[list[float]], confidence: list[float], said: str) -> None:
    with pytest.raises(ArrayError, match=said):
        Detections(np.array(boxes), np.array(confidence))


def test_clipping_keeps_what_is_on_the_frame() -> None:
    found = Detections([[-5, -5, 5, 5], [8, 8, 30, 30], [10, 0, 20, 5], [-9, 0, 0, 9]], [0.1, 0.2, 0.3, 0.4]).clipped(20, 10)
    assert found.xyxy.tolist() == [[0, 0, 5, 5], [8, 8, 10, 20]]
    np.testing.assert_allclose(found.confidence, [0.1, 0.2])


def test_what_other_libraries_give() -> None:
    theirs = SimpleNamespace(xyxy=np.array([[0.0, 0, 4, 4]]), confidence=None, class_id=np.array([0]))
    assert Detections.of(theirs).confidence.tolist() == [1]
    mine = Detections.none()
    assert Detections.of(mine) is mine
    with pytest.raises(ArrayError, match="got a list; expected an object with xyxy"):
        Detections.of([[0, 0, 1, 1]])


def test_a_frame_is_rgb_at_a_time() -> None:
    assert Frame(pixels=np.zeros((3, 4, 3), np.uint8), time=0.5, index=0, camera="hall").size == (3, 4)
    with pytest.raises(ArrayError, match="gray image"):
        Frame(pixels=np.zeros((3, 4), np.uint8), time=0.5, index=0)
    with pytest.raises(ArrayError, match="frame 7 of camera 'hall' has the time nan"):
        Frame(pixels=np.zeros((3, 4, 3), np.uint8), time=float("nan"), index=7, camera="hall")
