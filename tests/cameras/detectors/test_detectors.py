"""Detectors by name, and functions as detectors."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from resight.cameras import Frame
from resight.cameras.detectors import detector_of, load_detector
from resight.errors import ArrayError, ConfigurationError


def test_a_name_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"'yolo:x' is unknown \(did you mean 'yolox'\?\); expected motion, yolox"):
        load_detector("yolo:x")
    with pytest.raises(ConfigurationError, match="expected 0 to 1"):
        load_detector("motion", threshold=float("nan"))
    with pytest.raises(ConfigurationError, match="got a int as detector"):
        detector_of(7)


def test_a_function_is_a_detector() -> None:
    frame = Frame(pixels=np.full((4, 6, 3), 9, np.uint8), time=0.0, index=3, camera="hall")

    def theirs(pixels: np.ndarray) -> SimpleNamespace:
        return SimpleNamespace(xyxy=np.array([[0, 0, *pixels.shape[1::-1]]]), confidence=np.array([pixels.max() / 10]))

    detector = detector_of(theirs)
    assert detector.name == "theirs" and detector.for_camera("x") is detector and detector_of(detector) is detector
    found = detector.detect(frame)
    assert found.xyxy.tolist() == [[0, 0, 6, 4]] and found.confidence == np.float32(0.9)
    with pytest.raises(ArrayError, match=r"the detector .*, frame 3 of 'hall': got a NoneType"):
        detector_of(lambda pixels: None).detect(frame)
