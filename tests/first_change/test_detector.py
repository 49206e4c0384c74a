"""A new detector: a file, and a line in `resight.cameras.detectors.DETECTORS`."""

from __future__ import annotations

import json
from pathlib import Path

from cameras.films import frame, place, write_folder
from first_change.house import House
from resight.cameras.mot import read_mot

DETECTOR = """
import numpy as np

from resight.cameras.detections import Detections
from resight.cameras.detectors.detector import Detector


class RedDetector(Detector):
    def __init__(self, file="", *, threshold, threads):
        self.name = "red"
        self.least = int(file or 150)

    def detect(self, frame):
        red, green = frame.pixels[..., 0].astype(int), frame.pixels[..., 1]
        rows, columns = np.nonzero((red > self.least) & (green < 60))
        if not len(rows):
            return Detections.none()
        box = columns.min(), rows.min(), columns.max() + 1, 2 * rows.max() - rows.min() + 2
        return Detections([box], [1.0])
"""


def test_a_detector(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.change("cameras/detectors/red.py", DETECTOR, "DETECTORS", '"red": "RedDetector",')
    film = write_folder(tmp_path / "film", [frame(number) for number in range(30)])
    command = ["watch", f"door={film}", "--detector", "red:180", "--model", "student-fastest", "--mot", str(tmp_path / "mot")]
    assert [json.loads(line)["event"] for line in house.run(*command).splitlines()] == ["appeared", "left"]
    rows = read_mot(tmp_path / "mot" / "door.txt")
    for number, box in zip(rows.frames.tolist(), rows.xyxy.tolist(), strict=True):
        assert box == list(place(0, number - 1) or ())
    assert len(rows) > 20
