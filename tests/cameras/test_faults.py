"""Streams as bad as real ones: they stop and come back, change their size, lose and break bytes, and jump in time."""

from __future__ import annotations

import functools
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count, pairwise
from pathlib import Path

import numpy as np
import pytest

from cameras.films import PEOPLE, frame, write, write_folder
from cameras.stand_in import OverlapTracker
from gallery.fakes import ColourModel
from resight.cameras import Detections, Frame
from resight.cameras.detectors import CallableDetector
from resight.cameras.events import Event
from resight.cameras.sources import Reader, open_source
from resight.cameras.tracking import Tracks
from resight.cameras.watching import Watch

PACKET = 188  # bytes of a packet of MPEG-TS
FIRST = range(10, 50)  # frames in which somebody red is on the street


def film(path: Path, numbers: range = FIRST, *, begin: float = 0, height: int = 120, width: int = 160) -> bytes:
    """Frames as MPEG-TS whose clock says `begin` at first."""
    pictures = [frame(number, 1, height, width) for number in numbers]
    times = [begin + place / 10 for place in range(len(pictures))]
    options = {"g": "5", "tune": "zerolatency", "preset": "ultrafast"}
    return write(path.with_suffix(".ts"), pictures, codec="libx264", times=times, options=options).read_bytes()


def red(pixels: np.ndarray) -> Detections:
    """Whoever has the first one's colour."""
    alike = np.abs(pixels.astype(int) - PEOPLE[0]).sum(2) < 120
    rows, columns = alike.any(1).nonzero()[0], alike.any(0).nonzero()[0]
    if alike.sum() < 150:
        return Detections.none()
    return Detections([[columns[0], rows[0], columns[-1] + 1, rows[-1] + 25]], [0.9])


@contextmanager
def camera(connections: Callable[[int], bytes | None]) -> Iterator[str]:
    """Address of a camera: it sends the bytes for each connection, from 1, at some hundred frames a second, and breaks off."""
    numbers = count(1)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            sent = connections(next(numbers))
            if sent is None:
                self.send_error(503)
                return
            self.send_response(200)
            self.send_header("Content-Type", "video/mp2t")
            self.end_headers()
            for start in range(0, len(sent), 4 * PACKET):
                self.wfile.write(sent[start : start + 4 * PACKET])
                time.sleep(0.002)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/live.ts"
    finally:
        server.shutdown()
        server.server_close()


class Seen:
    """Frames that were watched, by camera."""

    def __init__(self) -> None:
        self.frames: dict[str, list[Frame]] = {}
        self.boxes: dict[str, int] = {}

    def see(self, given: Frame, tracks: Tracks) -> None:
        self.frames.setdefault(given.camera, []).append(given)
        self.boxes[given.camera] = self.boxes.get(given.camera, 0) + len(tracks.ids)

    def end(self, name: str) -> None:
        """Nothing more."""


def watch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str, enough: Callable[[Seen, list[Event]], bool]
) -> tuple[Watch, Seen, list[Event], list[str]]:
    """Watch a stream beside a film that nothing is wrong with, until there is enough."""
    monkeypatch.setattr("resight.cameras.watching.Reader", functools.partial(Reader, pauses=(0.1,)))
    sources = [open_source("hall", address), open_source("door", str(write_folder(tmp_path / "door", map(frame, range(60)))))]
    seen, lines, events = Seen(), list[str](), list[Event]()
    made = Watch(sources, CallableDetector(red), ColourModel(), OverlapTracker, gap=0.4, observers=[seen], report=lines.append)
    running = made.run()
    stop = threading.Timer(60, lambda: sources[0].__setattr__("live", False))  # a test that waits in vain ends
    stop.start()
    for event in running:
        events.append(event)
        if enough(seen, events) and "door" not in {one.reader.source.camera for one in made._open}:
            break
    stop.cancel()
    running.close()
    events += made.close_live()
    whole = write_folder(tmp_path / "alone", map(frame, range(60)))
    alone = list(Watch([open_source("door", str(whole))], CallableDetector(red), ColourModel(), OverlapTracker, gap=0.4).run())
    assert [(one.kind, one.name, one.time) for one in events if one.camera == "door"] == [
        (one.kind, one.name, one.time) for one in alone
    ]
    assert not made.failures
    check(events, seen.frames["hall"])
    return made, seen, events, lines


def check(events: list[Event], frames: list[Frame]) -> None:
    """Whoever appeared has left, once; times never fall, and every box is inside a frame that was seen."""
    mine = [event for event in events if event.camera == "hall"]
    appeared, left = ([event.name for event in mine if event.kind == kind] for kind in ("appeared", "left"))
    assert sorted(appeared) == sorted(left) == sorted(set(left)) != []
    times = [one.time for one in frames]
    assert times == sorted(times) and abs(times[-1] - time.time()) < 60
    sizes = {one.index: one.size for one in frames}
    for event in mine:
        if event.tracklet is not None:
            assert event.tracklet.start <= event.tracklet.end and np.isfinite(event.tracklet.embedding).all()
            over = {sizes[index] for index in event.tracklet.frames.tolist()}
            assert len(over) == 1 and (event.tracklet.xyxy[:, 2:] <= over.pop()[::-1]).all()


def test_a_stream_that_stops_and_comes_back_larger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small, large = film(tmp_path / "small"), film(tmp_path / "large", height=240, width=320)
    parts = {1: small[: len(small) - 500], 2: None, 3: b"", 4: b"no film" * 999, 5: large}  # the first breaks off in a packet

    def enough(seen: Seen, events: list[Event]) -> bool:
        return any(one.size == (240, 320) for one in seen.frames.get("hall", ())) and events[-1].kind == "left"

    with camera(lambda number: parts.get(number)) as address:
        made, _, events, lines = watch(tmp_path, monkeypatch, address, enough)
    hall = [event.tracklet for event in events if event.camera == "hall" and event.tracklet is not None]
    # A busy machine drops frames of a live stream, and then one walk is two; the films arrive at once, ahead of their time.
    assert len(hall) >= 2 and all(one.end <= other.start for one, other in pairwise(hall))
    assert made._cameras[0].reader.source.counts.reconnected == 1
    assert "the connection broke" in lines[0] and "5XX" in lines[1] and all("trying again" in line for line in lines)


def test_people_leave_a_camera_that_falls_silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = film(tmp_path / "a")

    def enough(seen: Seen, events: list[Event]) -> bool:
        return any(event.camera == "hall" and event.kind == "left" for event in events)

    with camera({1: first}.get) as address:  # and is away from then on
        _, seen, events, _ = watch(tmp_path, monkeypatch, address, enough)
    # A busy machine drops frames of a live stream, and then the last ones may be nobody's.
    left = [event.tracklet for event in events if event.camera == "hall" and event.tracklet is not None]
    assert left and left[-1].end <= seen.frames["hall"][-1].time


def test_a_size_that_changes_within_a_stream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = [film(tmp_path / "a"), film(tmp_path / "b", begin=4, height=240, width=320), film(tmp_path / "c", begin=8)]

    def enough(seen: Seen, events: list[Event]) -> bool:
        sizes = [one.size for one in seen.frames.get("hall", ())]
        return (240, 320) in sizes and sizes[-1] == (120, 160) and sum(event.kind == "left" for event in events) > 3

    with camera({1: b"".join(parts)}.get) as address:
        made, *_ = watch(tmp_path, monkeypatch, address, enough)
    assert made._cameras[0].reader.source.counts.reconnected == 0


def broken(data: bytes, choose: random.Random) -> bytes:
    """Bytes with some changed."""
    made = bytearray(data)
    for _ in range(len(made) // 400):
        made[choose.randrange(len(made))] = choose.randrange(256)
    return bytes(made)


def lost(data: bytes, choose: random.Random) -> bytes:
    """Bytes with pieces left out, whole packets and parts of some."""
    pieces = [data[start : start + PACKET] for start in range(0, len(data), PACKET)]
    return b"".join(piece[: choose.choice((0, 0, 50))] if choose.random() < 0.1 else piece for piece in pieces)


@pytest.mark.slow  # what a live stream shows depends on the machine's load
@pytest.mark.parametrize("spoil", [broken, lost])
def test_bytes_that_are_broken_or_lost(
    spoil: Callable[[bytes, random.Random], bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = [film(tmp_path / str(part), begin=4 * part) for part in range(4)]
    choose = random.Random(1)
    sent = b"".join([whole[0], spoil(whole[1], choose), spoil(whole[2], choose), whole[3]])

    def enough(seen: Seen, events: list[Event]) -> bool:
        return len(seen.frames.get("hall", ())) >= 60 and events[-1].kind == "left"

    with camera({1: sent}.get) as address:
        made, seen, *_ = watch(tmp_path, monkeypatch, address, enough)
    clean = sum(len(red(one.pixels)) for one in seen.frames["hall"][-20:])
    assert clean >= 15 and made._cameras[0].reader.source.counts.reconnected == 0


def test_a_clock_that_jumps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begins = (500, 9000, 0, 80000, 80003)  # the last one goes back a little
    sent = b"".join(film(tmp_path / str(begin), begin=begin) for begin in begins)

    def enough(seen: Seen, events: list[Event]) -> bool:
        return len(seen.frames.get("hall", ())) >= 100 and events[-1].kind == "left"

    began = time.time()
    with camera({1: sent}.get) as address:
        _, seen, *_ = watch(tmp_path, monkeypatch, address, enough)
    times = [one.time for one in seen.frames["hall"]]
    assert began <= times[0] and times[-1] <= time.time() + 2.5


@pytest.mark.parametrize(
    ("begins", "expected"),
    [
        ((500, 9000, 0), [0, 8500, 8504]),  # a step of hours is a pause of hours; a clock that was set back goes on
        ((95442,), [0]),  # it overflows after 26.5 hours, here in the middle
    ],
)
def test_a_file_whose_clock_jumps(begins: tuple[float, ...], expected: list[float], tmp_path: Path) -> None:
    file = tmp_path / "joined.ts"
    file.write_bytes(b"".join(film(tmp_path / str(begin), begin=begin) for begin in begins))
    events = list(Watch([open_source("door", str(file))], CallableDetector(red), ColourModel(), OverlapTracker).run())
    spans = [(event.tracklet.start, event.tracklet.end) for event in events if event.tracklet is not None]
    np.testing.assert_allclose(spans, [(begin, begin + 3.9) for begin in expected], atol=0.11)
