"""`resight watch`, from films to a gallery, also if it is killed."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from cameras.films import frame, place, walk, write, write_folder
from resight.cameras.events import EventLog
from resight.cameras.mot import mot_line
from resight.cameras.sources import FolderSource
from resight.cli import main
from resight.decision import Calibration
from resight.decision.calibration import OperatingPoint
from resight.decision.cohort import Cohort
from resight.decision.confidence import Rate
from resight.distances.cosine import Cosine
from resight.gallery import Gallery, Settings, upkeep
from resight.models import load_model

START = "2026-03-01T12:00:00Z"


@pytest.fixture
def people(tmp_path: Path) -> str:
    with Gallery.create(tmp_path / "people", Settings.for_model("student-fastest", load_model("student-fastest"), retention=None)):
        return str(tmp_path / "people")


def truth(path: Path, frames: int) -> Path:
    rows = [
        (n, person, box)
        for n in range(frames)
        for person in range(2)
        if (box := place(person, n)) is not None and box[2] - box[0] >= 8
    ]
    path.write_text("".join(mot_line(n + 1, person + 1, np.array(box, np.float32), 1) for n, person, box in rows))
    return path


def records(gallery: str) -> list[tuple[str, ...]]:
    with Gallery.open(gallery) as opened:
        return sorted((one.id, one.camera, one.tracklet, str(one.time), one.source) for one in opened.records())


def test_from_films_to_a_gallery(people: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    films = [f"door={walk(tmp_path / 'a.mp4', 90)}", f"hall={write_folder(tmp_path / 'b', [frame(n) for n in range(90)])}"]
    (tmp_path / "boxes").mkdir()
    for name in ("door", "hall"):
        lines = truth(tmp_path / f"{name}.txt", 90).read_text().splitlines()
        detections = [f"{line.split(',')[0]},-1,{line.split(',', 2)[2]}" for line in lines]
        (tmp_path / "boxes" / f"{name}.txt").write_text("\n".join(detections))
    out, result = tmp_path / "events.jsonl", tmp_path / "result.json"
    command = ["watch", *films, "--gallery", people, "--detector", f"boxes:{tmp_path / 'boxes'}", "--out", str(out)]
    command += [
        "--mot",
        str(tmp_path / "mot"),
        "--start",
        f"door={START}",
        "--json",
        str(result),
        "--video",
        str(tmp_path / "v.mp4"),
    ]
    command += ["--score", f"door={tmp_path / 'door.txt'}", "--score", f"hall={tmp_path / 'hall.txt'}", "--blur"]
    assert main(command) == 0
    said = capsys.readouterr()
    assert "door: HOTA 1.000, IDF1 1.000, MOTA 1.000" in said.out and "hall: HOTA 1.000" in said.out
    assert "door: 90 frames, 2 tracklets" in said.err and "gallery: 4 added, 0 there already" in said.err
    assert "hall: its time is unknown" in said.err
    found = json.loads(result.read_text())
    assert found["gallery"] == {"added": 4, "present": 0, "expired": 0}
    assert found["cameras"]["door"] | {"source": ""} == {
        "source": "", "frames": 90, "broken": 0, "dropped": 0, "reconnected": 0, "tracklets": 2
    }  # fmt: skip
    rows = records(people)
    assert [row[1] for row in rows].count("door") == 2 and sum(row[3].startswith("2026-03-01 12:00:0") for row in rows) == 2
    events = [json.loads(line) for line in out.read_text().splitlines()]
    assert {(each["camera"], each["event"]) for each in events} == {(c, e) for c in ("door", "hall") for e in ("appeared", "left")}
    assert {each["sighting"] for each in events if each["event"] == "left"} == {row[0] for row in rows}
    with av.open(str(tmp_path / "v-door.mp4")) as film:
        seen = [picture.to_ndarray(format="rgb24") for picture in film.decode(video=0)]
        assert film.duration / av.time_base == pytest.approx(9, abs=0.3)
    assert len(seen) == 90
    assert np.abs(seen[40].astype(int) - frame(40)).mean() < 12 and not list(tmp_path.glob(".*.partial"))

    # The people of one camera are found by those of the other.
    with Gallery.open(people) as opened:
        one = next(sighting for sighting in opened.sightings([row[0] for row in rows]).values() if sighting.camera == "door")
        best = opened.search(one.embedding, 2)
        assert {match.record.camera for match in best} == {"door", "hall"}

    events_before, mot = out.read_text(), (tmp_path / "mot" / "door.txt").read_text()
    assert main(command) == 0
    assert "gallery: 0 added, 4 there already" in capsys.readouterr().err
    assert (records(people), out.read_text(), (tmp_path / "mot" / "door.txt").read_text()) == (rows, events_before, mot)


def start(*arguments: str) -> subprocess.Popen[bytes]:
    program = [sys.executable, "-m", "resight.cli", *arguments]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(program, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment)


@pytest.mark.parametrize("kills", [2, pytest.param(30, marks=pytest.mark.slow)])
def test_killed_at_any_moment_nothing_is_lost_and_nothing_twice(kills: int, people: str, tmp_path: Path) -> None:
    film = write_folder(tmp_path / "a", [frame(n % 100, people=1) for n in range(400 if kills > 2 else 240)])
    again = tmp_path / "again"
    with Gallery.create(again, Settings.for_model("student-fastest", load_model("student-fastest"), retention=None)):
        pass

    def command(gallery: str, out: str) -> list[str]:
        options = ["--detector", "motion", "--threads", "1", "--out", str(tmp_path / out / "events"), "--mot", str(tmp_path / out)]
        return ["watch", f"door={film}", "--start", START, "--gallery", gallery, *options]

    assert main(command(people, "whole")) == 0
    expected = records(people)
    assert len(expected) >= 2
    choose = random.Random(1)
    for _ in range(kills):
        process = start(*command(str(again), "killed"))
        began, moment = time.monotonic(), choose.uniform(0.3, 1.0)
        while not (tmp_path / "killed" / ".door.txt.partial").exists() and process.poll() is None:
            assert time.monotonic() - began < 60
            time.sleep(0.01)
        time.sleep(moment * choose.random())
        process.send_signal(signal.SIGKILL)
        process.communicate()
        (tmp_path / "killed" / ".door.txt.partial").unlink(missing_ok=True)
        assert not set(records(str(again))) - set(expected)
    assert main(command(str(again), "killed")) == 0
    assert records(str(again)) == expected
    for name in ("events", "door.txt"):
        assert (tmp_path / "killed" / name).read_text() == (tmp_path / "whole" / name).read_text()
    assert upkeep.verify(again) == []


def test_a_live_event_whose_writing_is_interrupted_is_written_after_all(
    people: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interruptions, write_event = ["left"], EventLog.write

    def interrupted(self: EventLog, values: dict[str, Any]) -> None:
        if values["event"] in interruptions:
            interruptions.remove(values["event"])
            monkeypatch.setattr(FolderSource, "live", True)  # only now, so that no frame is dropped
            raise KeyboardInterrupt
        write_event(self, values)

    monkeypatch.setattr(EventLog, "write", interrupted)
    film = write_folder(tmp_path / "a", [frame(n, people=1) for n in range(80)])
    out = tmp_path / "events.jsonl"
    assert main(["watch", f"door={film}", "--gallery", people, "--threads", "1", "--out", str(out)]) == 0
    events = [json.loads(line) for line in out.read_text().splitlines()]
    assert [each["event"] for each in events] == ["appeared", "left"]
    assert [row[2] for row in records(people)] == [events[1]["tracklet"]]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "no cameras given"),
        (["door="], "expected NAME=SOURCE"),
        (["door=none.mp4"], "door: there is no file or folder none.mp4"),
        (["door=a.mp4", "--detector", "yolo"], "detector 'yolo' is unknown"),
        (["door=a.mp4", "--detector", "yolox:a.mp4"], "not an ONNX file"),
        (["door=a.mp4", "door=a.mp4"], "'door' is given to several cameras"),
        (["door=a.mp4", "hall=a.mp4", "--start", START], "--start 2026.*for which camera"),
        (["door=a.mp4", "--start", "hall=2026-11-30"], "--start hall=2026-11-30: 'hall' is not a watched camera; .* with door"),
        (["door=a.mp4", "--score", "none.txt"], "there is no file none.txt"),
        (["door=a.mp4", "--score", "text.mp4", "--gallery", "none"], "text.mp4, line 1: 'no video'"),  # before anything is watched
        (
            ["door=a.mp4", "--video", "./a.mp4"],
            "a.mp4 is the source of the camera 'door', and would also be the video of 'door'; give another",
        ),
        (["b-a=a.mp4", "a=b-a.mp4", "--video", "b.mp4"], "b-a.mp4 is the source of the camera 'a'"),
        (["door=a.mp4", "--out", "a.mp4"], "a.mp4 is the source"),
        (["door=a.mp4", "--json", "a.mp4"], "a.mp4 is the source"),
        (
            ["door=a.mp4", "--detector", "boxes:dets", "--mot", "dets"],
            "dets/door.txt is the boxes of 'door', and would also be the tracks of 'door'",
        ),
        (
            ["gt=a.mp4", "--score", "dets/gt.txt", "--mot", "./dets"],
            "dets/gt.txt is the ground truth of 'gt', and would also be the tracks",
        ),
        (
            ["door=a.mp4", "--score", "dets/gt.txt", "--json", "dets/gt.txt"],
            "is the ground truth of 'door', and would also be --json",
        ),
        (["door=a.mp4", "--cameras", "ab.toml", "--json", "ab.toml"], "ab.toml is --cameras, and would also be --json"),
        (["--cameras", "ab.toml", "--mot", "out"], "out/a_b.txt is the tracks of 'a/b', and would also be the tracks of 'a_b'"),
        (["--cameras", "ab.toml", "--video", "v.mp4"], "v-a_b.mp4 is the video of 'a/b', and would also be the video of 'a_b'"),
        (["--cameras", "ab.toml", "--score", "a_b=dets/gt.txt"], "/a_b.txt is the tracks of 'a/b'"),
        (["door=a.mp4", "--blur"], "--blur is for the annotated video"),
        (["door=a.mp4", "--max-backlog", "5"], "nothing waits here; --token, --backlog and --max-backlog are for"),
        (["door=a.mp4", "--gallery", "none"], "none"),
        (["door=rtsp://anna:s3cret@host/x", "--start", START], "tells its own time"),
        (["door=text.mp4"], "door: text.mp4: not a video"),
    ],
)
def test_mistakes_are_one_line(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "a.mp4", [frame(n) for n in range(2)])
    (tmp_path / "text.mp4").write_text("no video")
    (tmp_path / "dets").mkdir()
    for name in ("door", "gt"):
        (tmp_path / "dets" / f"{name}.txt").write_text("1,1,10,20,30,40,1\n")
    (tmp_path / "ab.toml").write_text(
        "".join(f'[[camera]]\nname = "{name}"\nsource = "a.mp4"\n' for name in ("door", "a/b", "a_b"))
    )
    assert main(["watch", *arguments]) == 2
    captured = capsys.readouterr()
    last = captured.err.splitlines()[-1]
    assert re.search(said, last), last
    assert last.startswith("resight: ") and captured.out == "" and "s3cret" not in captured.err


def test_the_other_cameras_go_on_and_the_mistake_is_told(
    people: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_folder(tmp_path / "a", [frame(n) for n in range(60)])
    result = tmp_path / "result.json"
    assert main(["watch", "door=a", "hall=none.mp4", "--gallery", people, "--json", str(result)]) == 2
    captured = capsys.readouterr()
    assert captured.err.splitlines()[-1].startswith("resight: hall: there is no file")
    events = [json.loads(line) for line in captured.out.splitlines()]
    assert {each["camera"] for each in events} == {"door"} and len(records(people)) >= 1
    found = json.loads(result.read_text())["cameras"]
    assert found["door"]["tracklets"] >= 1 and "no file" in found["hall"]["failure"]


PLAN = """
[[camera]]
name = "door"
source = "door"
travel.hall = [5, 600]

[[camera]]
name = "hall"
source = "hall"
"""


@pytest.fixture
def network(tmp_path: Path) -> list[str]:
    """Options to watch two films of the same two people, with a calibration that has a cohort."""
    model = load_model("student-fastest")
    settings = Settings.for_model("student-fastest", model, retention=None)
    for name in ("door", "hall"):
        write_folder(tmp_path / name, [frame(n) for n in range(90)])
        lines = truth(tmp_path / "truth.txt", 90).read_text().splitlines()
        (tmp_path / "boxes").mkdir(exist_ok=True)
        (tmp_path / "boxes" / f"{name}.txt").write_text("\n".join(f"{a},-1,{b}" for a, _, b in (x.split(",", 2) for x in lines)))
    (tmp_path / "cameras.toml").write_text(PLAN)
    crops = [frame(n)[place(who, n)[1] : place(who, n)[3], place(who, n)[0] : place(who, n)[2]] for n, who in ((20, 0), (50, 1))]  # type: ignore[index]
    vectors = model.embed(crops)
    centres = np.rint(vectors * (100 / np.abs(vectors).max())).astype(np.int8)
    cohort = Cohort(centres, 100 / float(np.abs(vectors).max()), 2, "cosine")
    between = float(Cosine().between(vectors[:1], vectors[1:])[0, 0])
    rate = Rate(0.0, 0.0, 0.1)
    point = OperatingPoint(wanted=0.1, threshold=-0.25 * between, false_positives=rate, misses=None)  # with the cohort: +0.25
    Calibration(
        model="student-fastest",
        model_sha256=settings.model_sha256,
        height=settings.height,
        width=settings.width,
        distance=settings.distance,
        confidence=0.95,
        people=100,
        images=300,
        match=point,
        possible=point,
        cohort=cohort,
    ).save(tmp_path / "calibration.json")
    options = ["--cameras", str(tmp_path / "cameras.toml"), "--calibration", str(tmp_path / "calibration.json")]
    options += ["--detector", f"boxes:{tmp_path / 'boxes'}", "--start", f"door={START}", "--start", "hall=2026-03-01T12:00:30Z"]
    return ["watch", *options]


def groups(gallery: str) -> set[frozenset[str]]:
    with Gallery.open(gallery) as opened:
        records = opened.records()
    return {frozenset(one.tracklet for one in records if one.identity == name) for name in {one.identity for one in records}}


def test_the_same_people_across_cameras_also_if_killed(
    network: list[str], people: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "events"
    command = [*network, "--gallery", people, "--out", str(out)]
    process = start(*command)
    began = time.monotonic()
    while not (out.is_file() and "left" in out.read_text()) and process.poll() is None:
        assert time.monotonic() - began < 60
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    for _ in range(2):
        assert main(command) == 0
    events = [json.loads(line) for line in out.read_text().splitlines()]
    told = [(each["event"], each["person"], each["camera"]) for each in events if "person" in each]
    assert told == [
        ("new person", "person-1", "door"), ("new person", "person-2", "door"),
        ("seen again", "person-1", "hall"), ("seen again", "person-2", "hall"),
    ]  # fmt: skip
    with Gallery.open(people) as opened:
        assert sorted((one.identity, one.camera) for one in opened.records()) == [
            (f"person-{number}", camera) for number in (1, 2) for camera in ("door", "hall")
        ]
    again = tmp_path / "again"
    with Gallery.create(again, Settings.for_model("student-fastest", load_model("student-fastest"), retention=None)):
        pass
    assert main([*network[:-1], "hall=2026-03-01T12:00:04Z", "--gallery", str(again), "--out", str(tmp_path / "other")]) == 0
    assert groups(str(again)) != groups(people)  # nobody gets from the door to the hall so fast
    capsys.readouterr()
    assert main(["watch", "--cameras", network[2], "--calibration", network[4]]) == 2
    assert "name it by --gallery" in capsys.readouterr().err
    assert main(["watch", "dor=door", *network[1:], "--gallery", people]) == 2
    assert "has no camera 'dor' (did you mean 'door'?)" in capsys.readouterr().err
    assert main(["watch", "--cameras", network[2], "--gallery", "none"]) == 2
    assert "travel times are for --calibration" in capsys.readouterr().err
