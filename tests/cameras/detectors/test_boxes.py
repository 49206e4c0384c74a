"""Boxes and tracks of other programs."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from cameras.films import frame, write_folder
from cameras.stand_in import OverlapTracker
from gallery.fakes import ColourModel
from resight.cameras import Detections, Frame
from resight.cameras.detectors import boxes, load_detector
from resight.cameras.sources import open_source
from resight.cameras.watching import Watch
from resight.errors import ConfigurationError, ResightError


def at(index: int, camera: str = "") -> Frame:
    return Frame(pixels=np.zeros((50, 50, 3), np.uint8), time=0.0, index=index, camera=camera)


def said(found: Detections) -> list[list[float]]:
    return [[*box, round(sure, 3)] for box, sure in zip(found.xyxy.tolist(), found.confidence.tolist(), strict=True)]


def test_mot_text(tmp_path: Path) -> None:
    (tmp_path / "det.txt").write_text("2,-1,10,20,30,40,0.8,-1,-1,-1\n2,-1,0,0,5,5,0.05\n3,-1,1,1,2,2,17.5\n")
    detector = load_detector(f"boxes:{tmp_path / 'det.txt'}")
    assert [said(detector.detect(at(index))) for index in range(4)] == [[], [[10, 20, 40, 60, 0.8]], [[1, 1, 3, 3, 1]], []]
    assert detector.detect(at(1)).tracker_id is None
    (tmp_path / "gt.txt").write_text("1,7,10,20,30,40,1\n1,5,0,0,5,5,1\n")
    tracks = load_detector(f"boxes:{tmp_path / 'gt.txt'}").detect(at(0))
    assert tracks.tracker_id is not None and tracks.tracker_id.tolist() == [7, 5]
    cameras = load_detector(f"boxes:{tmp_path}")
    assert said(cameras.for_camera("det").detect(at(1))) == [[10, 20, 40, 60, 0.8]]
    with pytest.raises(ResightError, match=r"no file hall.txt for the camera 'hall'"):
        cameras.for_camera("hall")
    with pytest.raises(ResightError, match="no file"):
        cameras.for_camera("../det")


def test_coco(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    images = [{"id": 8, "file_name": "b.jpg"}, {"id": 9, "file_name": "a.jpg"}]
    people = [
        {"image_id": 8, "category_id": 3, "bbox": [1, 2, 3, 4], "track_id": 6},
        {"image_id": 9, "category_id": 4, "bbox": [0] * 4},
    ]
    kinds = [{"id": 3, "name": "Person"}, {"id": 4, "name": "dog"}]
    file.write_text(json.dumps({"images": images, "annotations": people, "categories": kinds}))
    detector = load_detector(f"boxes:{file}")
    assert [said(detector.detect(at(index))) for index in range(2)] == [[], [[1, 2, 4, 6, 1]]]
    assert detector.detect(at(1)).tracker_id == [6]
    file.write_text(json.dumps([{"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.25}]))
    assert said(load_detector(f"boxes:{file}").detect(at(0))) == [[1, 2, 4, 6, 0.25]]


@pytest.mark.parametrize(("pattern", "numbers"), [("frame_{}.png", range(1, 13)), ("{:06}.png", (5, 10, 15))])
def test_coco_belongs_to_the_frames_of_a_folder(pattern: str, numbers: Sequence[int], tmp_path: Path) -> None:
    names = {number: pattern.format(number) for number in numbers}
    (tmp_path / "img1").mkdir()
    for number, name in names.items():
        cv2.imwrite(str(tmp_path / "img1" / name), np.full((8, 8, 3), number, np.uint8))
    images = [{"id": number, "file_name": f"img1/{name}"} for number, name in reversed(names.items())]
    people = [{"image_id": number, "category_id": 1, "bbox": [number, 0, 3, 4]} for number in numbers]
    (tmp_path / "a.json").write_text(json.dumps({"images": images, "annotations": people}))
    detector = load_detector(f"boxes:{tmp_path / 'a.json'}")
    frames = list(open_source("hall", str(tmp_path / "img1")).frames())
    assert [int(each.pixels[0, 0, 0]) for each in frames] == list(numbers)
    assert [said(detector.detect(each)) for each in frames] == [[[n, 0, n + 3, 4, 1]] for n in numbers]


def test_json_lines_on_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [
        {"camera": "hall", "frame": 0, "boxes": [[1, 2, 3, 4]], "confidence": [0.5], "ids": [9]},
        {"camera": "door", "frame": 0, "boxes": [[5, 5, 6, 6]]},
        {"camera": "hall", "frame": 2, "boxes": []},
        {"camera": "hall", "frame": 3, "boxes": [[7, 7, 8, 8]]},
    ]
    monkeypatch.setattr("sys.stdin", io.StringIO("\n\n".join(map(json.dumps, lines))))
    detector = load_detector("boxes:-")
    hall, door = detector.for_camera("hall"), detector.for_camera("door")
    assert said(hall.detect(at(0))) == [[1, 2, 3, 4, 0.5]]
    assert said(hall.detect(at(1))) == []
    assert said(door.detect(at(0))) == [[5, 5, 6, 6, 1]]
    assert said(hall.detect(at(3))) == [[7, 7, 8, 8, 1]]
    assert said(door.detect(at(9))) == []


def test_lines_in_a_wrong_order_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    film = write_folder(tmp_path / "a", [frame(number) for number in range(30)])
    lines = [json.dumps({"camera": name, "frame": n, "boxes": [[1, 1, 9, 9]], "ids": [1]}) for name in "ab" for n in range(30)]
    others = [line.replace('"b"', '"c"') for line in lines[30:]]  # of a camera that is not watched
    ordered = [line for some in zip(lines[:30], lines[30:], others, strict=True) for line in some]
    monkeypatch.setattr(boxes, "_MOST_WAITING", 20)
    said: list[str] = []

    def watch(reference: str) -> tuple[dict[str, str], dict[str, int]]:
        sources = [open_source(name, str(film)) for name in "ab"]
        made = Watch(sources, load_detector(reference), ColourModel(), OverlapTracker, report=said.append)
        seen = dict.fromkeys("ab", 0) | {event.camera: len(event.tracklet) for event in made.run() if event.tracklet is not None}
        return made.failures, seen

    (tmp_path / "ordered.jsonl").write_text("\n".join(ordered))
    assert watch(f"boxes:{tmp_path / 'ordered.jsonl'}") == ({}, {"a": 30, "b": 30})
    assert said == [f"{tmp_path / 'ordered.jsonl'}: nobody watches the camera 'c'; its boxes are left out"]
    said.clear()
    (tmp_path / "lines.jsonl").write_text("\n".join(lines))
    failures, seen = watch(f"boxes:{tmp_path / 'lines.jsonl'}")
    assert list(failures) == ["a"] and seen["b"] == 30
    assert "lines.jsonl: boxes of 'a' from frame" in failures["a"] and "sort the lines by frame" in failures["a"] and not said
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(lines)))
    failures, seen = watch("boxes:-")
    assert failures == {} and seen["b"] == 30 and 18 <= seen["a"] < 30  # of 20 lines that wait, two may be of the other camera
    assert len(said) == 1 and "standard input: boxes of 'a' from frame" in said[0]


def test_several_lines_of_one_frame(tmp_path: Path) -> None:
    lines = [
        {"camera": camera, "frame": frame, "boxes": [[n, 2, 30, 40]], "confidence": [0.5], "ids": [n]}
        for frame in range(3)
        for n in range(frame, 3)
        for camera in ("hall", "door")
    ]
    late = {"camera": "hall", "frame": 0, "boxes": [[9, 9, 30, 40]]}
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, [*lines, late, late])))
    detector, told = load_detector(f"boxes:{tmp_path / 'a.jsonl'}"), list[str]()
    for camera in ("hall", "door"):
        made = detector.for_camera(camera)
        made.report = told.append
        found = [made.detect(at(frame)) for frame in range(4)]
        assert [said(each) for each in found] == [[[n, 2, 30, 40, 0.5] for n in range(frame, 3)] for frame in range(4)]
        assert [each.tracker_id.tolist() for each in found[:3] if each.tracker_id is not None] == [[0, 1, 2], [1, 2], [2]]
    assert len(told) == 2 and "camera 'door'" in told[0] and "boxes of 'hall' in frame 0 came after those of a later one" in told[1]


@pytest.mark.parametrize("name", ["det.txt", "coco.json"])
def test_a_file_that_names_no_camera_is_for_one(name: str, tmp_path: Path) -> None:
    (tmp_path / "det.txt").write_text("1,-1,10,20,30,40,0.8\n")
    (tmp_path / "coco.json").write_text("[]")
    film = write_folder(tmp_path / "a", [frame(0)])
    sources = [open_source(name, str(film)) for name in ("hall", "door")]
    with pytest.raises(ConfigurationError, match=rf"{name} does not name cameras.*; name a folder with NAME.txt for each"):
        Watch(sources, load_detector(f"boxes:{tmp_path / name}"), ColourModel())
    Watch(sources[:1], load_detector(f"boxes:{tmp_path / name}"), ColourModel())


def test_a_line_for_every_camera(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"frame": 0, "boxes": [[1, 2, 3, 4]]}\n{"frame": 1, "boxes": []}\n')
    detector = load_detector(f"boxes:{tmp_path / 'a.jsonl'}")
    one, two = detector.for_camera("hall"), detector.for_camera("door")
    assert said(one.detect(at(0))) == said(two.detect(at(0))) == [[1, 2, 3, 4, 1]]


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.jsonl", '{"frame": 0}', "line 1: .*'boxes'.*expected such as"),
        ("a.jsonl", '{"frame": 0, "boxes": [[5, 5, 1, 9]]}', "the box 5, 5, 1, 9"),
        ("a.jsonl", '{"frame": 0, "boxes": [[5, 5, 9, NaN]]}', "finite"),
        ("a.jsonl", '{"frame": 0, "boxes": "no"}', "line 1"),
        ("a.jsonl", '{"frame": -1, "boxes": []}', "frame -1"),
        ("a.jsonl", '{"camera": null, "frame": 0, "boxes": []}', "camera None is not a text"),
        ("a.jsonl", '{"frame": 0, "boxes": [[1, 1, 9, 9]], "ids": [1]}\n{"frame": 0, "boxes": [[1, 1, 9, 9]]}', "line 2: .*tracks"),
        ("a.jsonl", "[1]", "line 1"),
        ("a.json", "{", "not COCO's"),
        ("a.json", '{"a": 1}', "no 'images'"),
        ("a.json", '[{"image_id": 1, "bbox": [1, 2]}]', "not COCO's"),
        ("a.txt", "1,2,3", "line 1"),
        ("a.txt", "1,7,0,0,1,1\n1,7,0,0,1,1", "frame 1: tracks .7, 7."),
        ("a.csv", "", "expected MOT text"),
    ],
)
def test_what_is_no_list_of_boxes(name: str, text: str, expected: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ResightError, match=expected) as error:
        load_detector(f"boxes:{tmp_path / name}").for_camera("hall").detect(at(0))
    assert name in str(error.value) and "\n" not in str(error.value)


def test_a_file_is_needed(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="boxes needs a file"):
        load_detector("boxes")
    with pytest.raises(ResightError, match="there is no such file"):
        load_detector(f"boxes:{tmp_path / 'none.txt'}")
