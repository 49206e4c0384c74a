"""From films to tracklets and events."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from cameras.films import PEOPLE, frame, place, walk, write, write_folder
from cameras.stand_in import OverlapTracker
from gallery.fakes import ColourModel
from resight.cameras import Detections, Frame
from resight.cameras.detectors import CallableDetector, Detector, load_detector
from resight.cameras.events import Event, EventLog, event_dict
from resight.cameras.mot import read_mot
from resight.cameras.mot_writer import MotWriter
from resight.cameras.sources import FolderSource, LiveSource, open_source
from resight.cameras.watching import Watch
from resight.errors import ArrayError, ConfigurationError, StorageError


class Truth(Detector):
    """Knows where the people of `cameras.films` are."""

    name = "truth"

    def detect(self, given: Frame) -> Detections:
        boxes = [box for person in range(2) if (box := place(person, given.index)) is not None and box[2] - box[0] >= 8]
        return Detections(np.array(boxes).reshape(-1, 4), np.full(len(boxes), 0.9))


def watch(films: dict[str, Path], detector: Detector | None = None, every: int = 1, **options: object) -> tuple[Watch, list[Event]]:
    sources = [open_source(name, str(path)) for name, path in films.items()]
    for source in sources:
        source.every = every
    made = Watch(sources, detector or Truth(), ColourModel(), OverlapTracker, **options)  # type: ignore[arg-type]
    return made, list(made.run())


def told(events: list[Event], camera: str) -> list[object]:
    return [event_dict(event, dated=False) for event in events if event.camera == camera]


def test_two_people_become_two_tracklets(tmp_path: Path) -> None:
    made, events = watch({"door": write_folder(tmp_path / "a", [frame(n) for n in range(100)])})
    assert not made.failures and made.tracklets == {"door": 2} and made.short == 0
    assert [(event.kind, event.track) for event in events] == [("appeared", 1), ("appeared", 2), ("left", 1), ("left", 2)]
    left = [event.tracklet for event in events if event.tracklet is not None]
    for person, tracklet in enumerate(left):
        places = {n: box for n in range(100) if (box := place(person, n)) is not None and box[2] - box[0] >= 8}
        assert tracklet.frames.tolist() == list(places)
        np.testing.assert_array_equal(tracklet.xyxy, list(places.values()))
        assert (tracklet.start, tracklet.end) == (min(places) / 10, max(places) / 10)
        for crop in tracklet.crops:
            np.testing.assert_array_equal(crop[10, 4], PEOPLE[person])
    with_model = ColourModel().embed((frame(50), np.array([place(0, 50), place(1, 50)], float)))
    for tracklet, own, other in zip(left, with_model, with_model[::-1], strict=True):
        assert np.linalg.norm(tracklet.embedding - own) < 0.2 * np.linalg.norm(tracklet.embedding - other)


def test_people_are_found_on_the_next_frame_meanwhile(tmp_path: Path) -> None:
    """Most frames are embedded after the detector has begun with the next one, unless that is not decoded yet."""
    begun = [threading.Event() for _ in range(61)]
    begun[60].set()

    class Beginning(Truth):
        def detect(self, given: Frame) -> Detections:
            begun[given.index].set()
            return super().detect(given)

    class Patient(ColourModel):
        frames, late = 0, 0

        def embed(self, *given: object) -> np.ndarray:  # type: ignore[override]
            self.frames += 1
            self.late += not begun[self.frames].wait(0.2)
            return super().embed(*given)  # type: ignore[arg-type]

    model, source = Patient(), open_source("door", str(write_folder(tmp_path / "a", [frame(n) for n in range(60)])))
    events = list(Watch([source], Beginning(), model, OverlapTracker).run())
    assert model.frames == 60 and model.late < 20 and events  # one after the other, all are late


def test_cameras_do_not_change_each_other_and_a_second_time_is_the_same(tmp_path: Path) -> None:
    films = {"door": walk(tmp_path / "a.mp4", 90), "hall": walk(tmp_path / "b.mkv", 60, codec="ffv1")}
    first, again = watch(films)[1], watch(dict(reversed(films.items())))[1]
    for name, film in films.items():
        alone = watch({name: film})[1]
        assert told(alone, name) == told(first, name) == told(again, name) != []
        for one, other in zip(alone, [event for event in first if event.camera == name], strict=True):
            if one.tracklet is not None and other.tracklet is not None:
                np.testing.assert_array_equal(one.tracklet.embedding, other.tracklet.embedding)


def test_tracks_of_another_program_are_kept(tmp_path: Path) -> None:
    film = write_folder(tmp_path / "a", [frame(n) for n in range(40)])
    lines = [{"frame": n, "boxes": [place(0, n)], "ids": [77]} for n in range(20, 40)]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, lines)))
    _, events = watch({"door": film}, load_detector(f"boxes:{tmp_path / 'a.jsonl'}"))
    assert [(event.kind, event.track, event.time) for event in events] == [("appeared", 77, 2.0), ("left", 77, 3.9)]


def test_short_paths_are_counted_and_long_ones_divided(tmp_path: Path) -> None:
    film = {"door": write_folder(tmp_path / "a", [frame(n) for n in range(70)])}
    made, _ = watch(film, least=200)
    assert made.short == 2 and made.tracklets == {"door": 0}
    made, events = watch(film, longest=2.0)
    tracklets = [event.tracklet for event in events if event.tracklet is not None and event.track == 1]
    assert [len(tracklet) for tracklet in tracklets] == [21, 21, 21, 3]
    assert len({tracklet.name for tracklet in tracklets}) == 4


def test_one_camera_s_fault_does_not_stop_the_others(tmp_path: Path) -> None:
    good = write_folder(tmp_path / "a", [frame(n) for n in range(40)])
    whole = walk(tmp_path / "b.mp4", 60).read_bytes()
    (tmp_path / "b.mp4").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "c.mp4").write_text("no film")

    class Failing(Truth):
        def for_camera(self, camera: str) -> Detector:
            broken = CallableDetector(lambda pixels: Detections(np.array([[0, 0, np.nan, 1]]), np.ones(1)))
            return broken if camera == "broken" else self

    made, events = watch({"good": good, "cut": tmp_path / "b.mp4", "text": tmp_path / "c.mp4", "broken": good}, Failing())
    assert set(made.failures) == {"cut", "text", "broken"} and not any("\n" in reason for reason in made.failures.values())
    assert "cut off" in made.failures["cut"] and "not a video" in made.failures["text"] and "finite" in made.failures["broken"]
    assert told(events, "good") == told(watch({"good": good})[1], "good")
    assert made.tracklets["cut"] >= 1  # what was there before it was cut off


def test_boxes_outside_the_frame_are_cut_off(tmp_path: Path) -> None:
    film = write_folder(tmp_path / "a", [frame(n) for n in range(6)])
    boxes = np.array([[-50, -20, 40, 60], [500, 500, 600, 600], [150, 100, 900, 900]])
    _, events = watch({"door": film}, CallableDetector(lambda pixels: Detections(boxes, np.ones(3))))
    found = [event.tracklet.xyxy[0].tolist() for event in events if event.tracklet is not None]
    assert found == [[0, 0, 40, 60], [150, 100, 160, 120]]


def test_names_must_differ(tmp_path: Path) -> None:
    film = write_folder(tmp_path / "a", [frame(0)])
    with pytest.raises(ConfigurationError, match="the name 'door' is given to several cameras"):
        Watch([open_source("door", str(film))] * 2, Truth(), ColourModel(), OverlapTracker)
    with pytest.raises(ConfigurationError, match="no camera is given"):
        Watch([], Truth(), ColourModel(), OverlapTracker)


def test_mot_text_with_every_third_frame_has_the_others_between(tmp_path: Path) -> None:
    film = {"door": write_folder(tmp_path / "a", [frame(n) for n in range(60)])}
    for every in (1, 3):
        writer = MotWriter(tmp_path / str(every))
        watch(film, observers=[writer], every=every)
    all_of_it, a_third = (read_mot(tmp_path / str(every) / "door.txt") for every in (1, 3))
    assert not list(tmp_path.rglob("*.partial"))
    whole = {(f, i): box for f, i, box in zip(all_of_it.frames, all_of_it.ids, all_of_it.xyxy, strict=True)}
    assert len(a_third) > 0.9 * len(all_of_it)
    for number, id, box in zip(a_third.frames, a_third.ids, a_third.xyxy, strict=True):
        np.testing.assert_allclose(box, whole[number, id], atol=2)  # a box that is cut off does not move evenly


def test_events_are_appended_once(tmp_path: Path) -> None:
    _, events = watch({"door": write_folder(tmp_path / "a", [frame(n) for n in range(60)])})
    file = tmp_path / "events.jsonl"

    def log(some: list[Event]) -> None:
        written = EventLog(file)
        for event in some:
            written.write(event_dict(event, dated=False))
        written.close()

    log(events)
    whole = file.read_text()
    file.write_text(whole[: whole.index("\n") + 30])  # killed within the second line
    log(events)
    assert file.read_text() == whole
    rows = [json.loads(line) for line in whole.splitlines()]
    assert [row["event"] for row in rows].count("left") == 2 and rows[-1]["boxes"] > 3
    file.write_text(whole + whole.splitlines()[0].replace("}", f', "ids": "{"0" * 100_000}"}}') + "\n")  # of 2,700 sightings
    EventLog(file).close()
    for text in ("no event\n", whole + '{"my": "only copy"}'):
        file.write_text(text)
        with pytest.raises(StorageError, match="name another file for the events"):
            EventLog(file)
        assert file.read_text() == text


@pytest.mark.skipif(sys.platform != "linux", reason="needs /dev/full, which Linux has")
def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    log = EventLog(Path("/dev/full"))
    with pytest.raises(StorageError, match="cannot write /dev/full: No space left on device"):
        log.write({"event": "left", "tracklet": "x"})
    log.close()


NEARLY_FULL = """
import resource, sys
from pathlib import Path
from resight.cameras.events import EventLog
from resight.errors import StorageError
log = EventLog(Path(sys.argv[1]))
log.write({"event": "left", "tracklet": "a"})
limit = lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
limit(Path(sys.argv[1]).stat().st_size + 20)
try:
    log.write({"event": "left", "tracklet": "b"})
except StorageError as error:
    print(error)
limit(resource.RLIM_INFINITY)
log.write({"event": "left", "tracklet": "c"})
print(log.counts["written"])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs limits of POSIX")
def test_half_a_line_is_an_error_and_does_not_stay(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    run = subprocess.run([sys.executable, "-c", NEARLY_FULL, str(file)], capture_output=True, text=True, check=True)
    said, written = run.stdout.splitlines()
    assert "File too large; free space" in said and written == "2"
    assert [json.loads(line)["tracklet"] for line in file.read_text().splitlines()] == ["a", "c"]


def test_nan_of_a_model_names_its_camera_s_frame(tmp_path: Path) -> None:
    class Damaged(ColourModel):
        def extract(self, pixels: np.ndarray) -> np.ndarray:
            return super().extract(pixels) * np.float32(np.nan)

    film = write_folder(tmp_path / "a", [frame(n) for n in range(6)])
    made = Watch([open_source("door", str(film))], Truth(), Damaged(), OverlapTracker)
    assert list(made.run()) == [] and "NaN" in made.failures["door"]
    assert issubclass(ArrayError, Exception)


def test_an_interruption_ends_live_cameras_and_leaves_files_for_the_next_time(tmp_path: Path) -> None:
    film = write_folder(tmp_path / "a", [frame(n) for n in range(60)])
    live, file = (open_source(name, str(film)) for name in ("live", "file"))
    live.live = True
    writer = MotWriter(tmp_path / "mot")
    made = Watch([live, file], Truth(), ColourModel(), OverlapTracker, observers=[writer])
    running = made.run()
    seen: set[str] = set()
    while seen < {"live", "file"}:
        seen.add(next(running).camera)
    running.close()
    assert {(event.kind, event.camera) for event in made.close_live()} == {("left", "live")}
    writer.close()
    assert [path.name for path in (tmp_path / "mot").glob("*.txt")] == ["live.txt"]


def test_a_stop_from_outside_finishes_live_cameras_and_states_tell_each_camera(tmp_path: Path) -> None:
    film = write_folder(tmp_path / "a", [frame(n) for n in range(40)])
    (tmp_path / "text.mp4").write_text("no film")

    class Endless(FolderSource):
        live, dated = True, True

        def frames(self) -> Iterator[Frame]:
            for given in super().frames():
                yield given
                time.sleep(0.01)
            threading.Event().wait()  # like a stream that hangs

    live = Endless("live", str(film))
    gone = LiveSource("gone", "rtsp://anna:s3cret@127.0.0.1:1/main")
    made = Watch(
        [live, open_source("text", str(tmp_path / "text.mp4")), gone, open_source("bug", str(film))],
        Buggy(),
        ColourModel(),
        OverlapTracker,
    )
    assert [one.state for one in made.states()] == ["starting"] * 4
    events: list[Event] = []
    watching = threading.Thread(target=lambda: events.extend(made.run()))
    watching.start()
    end = time.monotonic() + 20
    while made.states()[0].frames < 40 or made.states()[2].state != "reconnecting" or not made.failures.keys() >= {"text", "bug"}:
        assert time.monotonic() < end
        time.sleep(0.01)
    states = {one.camera: one for one in made.states()}
    assert {name: one.state for name, one in states.items()} == {
        "live": "running", "text": "failed", "gone": "reconnecting", "bug": "failed"
    }  # fmt: skip
    assert "not a video" in states["text"].reason and states["bug"].reason == "ZeroDivisionError: by a bug"
    assert "no connection" in states["gone"].reason and "s3cret" not in repr(states) and states["gone"].last is None
    assert not [event for event in events if event.camera == "live" and event.kind == "left"]
    began = time.monotonic()
    made.stop()
    watching.join(10)
    assert time.monotonic() - began < 5 and not watching.is_alive()  # one second for all that hang
    left = [event for event in events if event.kind == "left"]
    assert {event.camera for event in left} == {"live"} and len(left) == made.states()[0].tracklets >= 1
    assert states["live"].frames == 40 and states["live"].in_view in (0, 1, 2)


class Buggy(Truth):
    def for_camera(self, camera: str) -> Detector:
        def fail(pixels: object) -> Detections:
            raise ZeroDivisionError("by a bug")

        return CallableDetector(fail) if camera == "bug" else self


def test_a_film_without_people(tmp_path: Path) -> None:
    made, events = watch({"door": write(tmp_path / "a.mkv", [frame(0, people=0)] * 5, codec="ffv1")}, load_detector("motion"))
    assert (events, made.failures) == ([], {})
