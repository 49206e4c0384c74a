"""Motion in front of a camera that stands still."""

from __future__ import annotations

import numpy as np
import pytest

from cameras.films import frame, place, street
from resight.cameras import Frame
from resight.cameras.detectors import load_detector
from resight.cameras.detectors.motion import MotionDetector
from resight.errors import ConfigurationError


def of(number: int) -> Frame:
    noise = np.random.default_rng(100 + number).integers(-3, 4, (120, 160, 1))
    pixels = np.clip(frame(number, 1).astype(int) + noise, 0, 255).astype(np.uint8)
    return Frame(pixels=pixels, time=number / 10, index=number)


def test_it_sees_who_walks_and_nobody_else() -> None:
    shared = load_detector("motion")
    hall, empty = shared.for_camera("hall"), shared.for_camera("empty")
    assert hall is not shared and hall is not empty
    missed = 0
    for number in range(-10, 70):
        found = hall.detect(of(number))
        assert not len(empty.detect(Frame(pixels=street(), time=0.0, index=number)))
        box = place(0, number)
        if number < 5 or box is None or box[2] - box[0] < 16:
            continue
        if len(found) != 1:
            missed += 1
            continue
        assert np.abs(found.xyxy[0] - box).max() <= 4
        assert 0.7 < found.confidence[0] <= 1
    assert missed <= 3


def test_another_size_is_another_picture() -> None:
    detector = MotionDetector()
    for number in range(10):
        detector.detect(of(number))
    large = Frame(pixels=frame(40, 1, height=240, width=640), time=0.0, index=0)
    assert not len(detector.detect(large)) and not len(detector.detect(large))


def test_it_has_no_file() -> None:
    with pytest.raises(ConfigurationError, match=r"motion has no file: write --detector motion"):
        load_detector("motion:x.onnx")
