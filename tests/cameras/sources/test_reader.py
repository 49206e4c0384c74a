"""Threads that read cameras: files wait, live cameras drop, come back, and keep their passwords."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from cameras.films import frame, walk
from resight.cameras import Frame
from resight.cameras.sources import LiveSource, Reader, Source, live, open_source, reader
from resight.errors import VideoError

PIXELS = np.zeros((4, 4, 3), np.uint8)


class Scripted(Source):
    """A source that yields, fails and ends as it is told."""

    def __init__(self, *parts: int | str, live: bool = True) -> None:
        super().__init__("hall", "rtsp://anna:secret@host/x")
        self.live, self.parts, self.sent = live, list(parts), 0

    def frames(self) -> Iterator[Frame]:
        if not self.parts:
            raise VideoError(f"{self.shown}: gone")
        part = self.parts.pop(0)
        if isinstance(part, str):
            raise VideoError(f"{self.shown}: {part}")
        for _ in range(part):
            self.sent += 1
            self.counts.frames += 1
            yield self._frame(PIXELS, float(self.sent), self.sent - 1)


def collect(made: Reader, ready: threading.Condition, enough: int, *, slowly: float = 0) -> list[Frame]:
    """Take frames until there are enough, or the source has ended."""
    found: list[Frame] = []
    end = time.monotonic() + 20
    while len(found) < enough and not made.ended:
        assert time.monotonic() < end
        time.sleep(slowly)
        with ready:
            if (one := made.take()) is not None:
                found.append(one)
            else:
                ready.wait(0.05)
    return found


def test_a_file_waits_for_a_slow_reader_and_loses_nothing(tmp_path: Path) -> None:
    ready = threading.Condition()
    made = Reader(open_source("door", str(walk(tmp_path / "a.mp4", 40))), ready)
    made.start()
    time.sleep(0.3)
    assert made.source.counts.frames <= reader._AHEAD + 1  # and it does not read far ahead
    assert [one.index for one in collect(made, ready, 100, slowly=0.001)] == list(range(40))
    assert made.ended and not made.failure and made.source.counts.dropped == 0


def test_a_live_camera_drops_what_nobody_takes_and_counts_it() -> None:
    ready = threading.Condition()
    made = Reader(Scripted(50), ready, pauses=(60.0,))
    made.start()
    time.sleep(0.3)
    found = collect(made, ready, reader._LIVE)
    assert [one.index for one in found] == [*range(42, 50)]  # the newest
    assert made.source.counts.dropped == 42
    made.close()


def test_it_comes_back_after_growing_pauses_without_its_password() -> None:
    ready, lines = threading.Condition(), list[str]()
    made = Reader(Scripted(2, "refused", "refused", 3, 1), ready, report=lines.append, pauses=(0.01, 0.02, 0.03))
    made.start()
    assert len(collect(made, ready, 6)) == 6
    end = time.monotonic() + 5
    while len(lines) < 6 and time.monotonic() < end:
        time.sleep(0.01)
    made.close()
    assert [line.rpartition("trying again in ")[2] for line in lines[:6]] == [
        "0.01 s", "0.02 s", "0.03 s", "0.01 s", "0.01 s", "0.02 s"
    ]  # fmt: skip
    assert lines[0].startswith("hall: rtsp://host/x: the stream ended") and "refused" in lines[1]
    assert made.source.counts.reconnected == 2 and made.trouble == "rtsp://host/x: gone"
    assert "secret" not in "".join(lines) + repr(made.source)


def test_one_failure_is_one_line() -> None:
    ready = threading.Condition()
    made = Reader(Scripted("cut off", live=False), ready)
    made.start()
    assert collect(made, ready, 1) == []
    assert made.failure == "rtsp://host/x: cut off"


class Camera(BaseHTTPRequestHandler):
    """A network camera: JPEGs without end, some of them broken, of a size that changes."""

    shots: list[bytes]

    def do_GET(self) -> None:
        if self.headers["Authorization"] != "Basic YW5uYTpzM2NyM3Q=":  # anna:s3cr3t
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="hall"')
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=next")
        self.end_headers()
        for shot in self.shots:
            self.wfile.write(b"--next\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(shot) + shot + b"\r\n")
            time.sleep(0.01)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_a_network_camera_over_http(capfd: pytest.CaptureFixture[str]) -> None:
    shots = [cv2.imencode(".jpg", frame(number))[1].tobytes() for number in range(25)]
    shots += [cv2.imencode(".jpg", frame(30, height=240, width=320))[1].tobytes()] * 10
    shots[8] = shots[8][:200]
    shots[9] = b"\xff\xd8 no JPEG"
    Camera.shots = shots
    server = ThreadingHTTPServer(("127.0.0.1", 0), Camera)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    ready, lines = threading.Condition(), list[str]()
    before = time.time()
    source = LiveSource("hall", f"http://anna:s3cr3t@127.0.0.1:{server.server_port}/video?quality=5")
    made = Reader(source, ready, report=lines.append, pauses=(0.05,))
    made.start()
    found = collect(made, ready, 60)
    server.shutdown()
    server.server_close()
    time.sleep(0.3)  # it tries to connect to nobody
    made.close()
    assert {one.size for one in found} == {(120, 160), (240, 320)}
    assert source.live and source.counts.reconnected >= 1
    times = [one.time for one in found]
    assert times == sorted(times) and before <= times[0] <= times[-1] <= time.time() + 3
    assert len({one.index for one in found}) == 60
    shown = "".join(lines) + "".join(capfd.readouterr()) + repr(source)
    assert "no connection" in shown and "s3cr3t" not in shown and "quality=5" in shown


def test_a_stream_begins_before_its_first_pictures_are_old(tmp_path: Path) -> None:
    # FFmpeg would read twenty pictures first, four seconds at this rate, and the reader would drop most of them.
    rate = 5
    film = walk(tmp_path / "a.ts", 10 * rate, codec="libx264", rate=rate, options={"g": "5", "bf": "0"}).read_bytes()
    began = list[float]()

    class Slow(Camera):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            began.append(time.monotonic())
            with contextlib.suppress(OSError):  # the camera is closed before the film ends
                for start in range(0, len(film), 188):
                    time.sleep(max(0.0, began[0] + 10 * start / len(film) - time.monotonic()))
                    self.wfile.write(film[start : start + 188])

    server = ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    ready = threading.Condition()
    made = Reader(LiveSource("hall", f"http://127.0.0.1:{server.server_port}/a.ts"), ready)
    made.start()
    assert collect(made, ready, 1)[0].index == 0
    assert time.monotonic() - began[0] < reader._LIVE / rate
    server.shutdown()
    server.server_close()
    made.close()
    assert made.source.counts.dropped == 0


def test_a_film_on_a_server_that_breaks_off_is_told(tmp_path: Path) -> None:
    film = walk(tmp_path / "a.mkv", 60).read_bytes()

    class Broken(Camera):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(film)))
            self.end_headers()
            self.wfile.write(film[: len(film) * 19 // 20])  # nearly all of it: the duration alone does not tell

    server = ThreadingHTTPServer(("127.0.0.1", 0), Broken)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    source = LiveSource("hall", f"http://127.0.0.1:{server.server_port}/a.mkv")
    with pytest.raises(VideoError, match="the connection broke"):
        list(source.frames())
    server.shutdown()
    server.server_close()
    assert not source.live and 40 < source.counts.frames < 60 and source.counts.broken == 0


def test_a_stream_whose_clock_jumps_is_counted_anew() -> None:
    now = [1000.0]
    source = LiveSource("hall", "rtsp://host/x", clock=lambda: now[0])
    begin, seen = source._now(), []
    for passed, told in ((0, 0), (0.1, 0.1), (0.2, 50.0), (0.3, 50.1), (0.4, 0.4), (9, 9)):
        now[0] = 1000 + passed
        seen.append(source._time(begin, told))
    np.testing.assert_allclose(seen, [1000, 1000.1, 1000.2, 1000.3, 1000.4, 1009])


def test_time_goes_on_if_this_machine_s_clock_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    passed, off = [0.0], [0.0]
    clocks = SimpleNamespace(time=lambda: 5000 + passed[0] + off[0], monotonic=lambda: 70 + passed[0])
    monkeypatch.setattr(live, "time", clocks)
    source = LiveSource("hall", "rtsp://host/x")
    begin, seen = source._now(), []
    for passed[0], off[0] in ((1, 0), (2, -3600), (3, -3600), (4, -3600), (5, 7200)):
        seen.append(source._time(begin, passed[0]))
    np.testing.assert_allclose(seen, [5001, 5002, 5003, 5004, 5005 + 7200])  # a step forward is followed
