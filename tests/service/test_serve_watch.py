"""`resight serve --watch` as a real process: a drawn film, a stream, broken cameras, and SIGTERM in the middle."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import cv2
import httpx
import pytest

from resight.cli import main
from resight.drawn.video import Films, film, generate_video
from resight.gallery import Gallery, Settings, Where
from resight.models import load_model

FILMS = Films(people=5, cameras=2, seconds=12, rate=6, size=(180, 240), seed=1)


class Camera(BaseHTTPRequestHandler):
    """A network camera with a password, which shows a film again and again."""

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
        while True:
            for shot in self.shots:
                part = b"--next\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(shot)
                try:
                    self.wfile.write(part + shot + b"\r\n")
                except OSError:
                    return
                time.sleep(0.1)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def stream() -> Iterator[str]:
    """Address of a stream of drawn people, with its password."""
    drawn = [cv2.cvtColor(one.pixels, cv2.COLOR_RGB2BGR) for one in film(FILMS, 1)]
    Camera.shots = [cv2.imencode(".jpg", picture)[1].tobytes() for picture in drawn]
    server = ThreadingHTTPServer(("127.0.0.1", 0), Camera)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://anna:s3cr3t@127.0.0.1:{server.server_port}/hall"
    server.shutdown()
    server.server_close()


@pytest.fixture
def people(tmp_path: Path) -> Path:
    model = load_model("student-fastest")
    with Gallery.create(tmp_path / "people", Settings.for_model("student-fastest", model, retention=86_400)):
        return tmp_path / "people"


def eventually(look: Callable[[], Any], what: str) -> Any:
    end = time.monotonic() + 150
    while not (found := look()):
        assert time.monotonic() < end, what
        time.sleep(0.1)
    return found


@pytest.mark.skipif(os.name != "posix", reason="sends signals as POSIX does")
def test_a_drawn_film_a_stream_and_broken_cameras(people: Path, stream: str, tmp_path: Path) -> None:
    generate_video(tmp_path / "films", FILMS)
    start = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 600))
    (tmp_path / "text.mp4").write_text("no video")
    (tmp_path / "cameras.toml").write_text(
        f'[[camera]]\nname = "door"\nsource = "films/camera-1"\nstart = {start}\n'
        f'[[camera]]\nname = "hall"\nsource = "{stream}"\n'
        '[[camera]]\nname = "yard"\nsource = "text.mp4"\n[[camera]]\nname = "gate"\nsource = "none.mp4"\n'
    )
    command = [sys.executable, "-m", "resight.cli", "serve", str(people), "--port", "0", "--watch", str(tmp_path / "cameras.toml")]
    command += ["--events", str(tmp_path / "events.jsonl"), "--threads", "1"]

    def told(kind: str) -> int:
        return (tmp_path / "events.jsonl").read_text().count(f'"event": "{kind}", "camera": "hall"')

    def run(end: signal.Signals) -> tuple[dict[str, Any], list[str]]:
        """Cameras at the moment of a signal, and what was said; until the film is over and somebody is on the stream."""
        started = time.monotonic()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            assert process.stdout is not None
            said = [process.stdout.readline() for _ in range(2)]
            slow = time.monotonic() - started  # a second or two on a machine that has nothing else to do
            address, token = re.findall(r"http://\S+/|(?<=#token=)\S+", "".join(said))
            with httpx.Client(base_url=address, headers={"Authorization": f"Bearer {token}"}, timeout=60) as client:

                def watched() -> dict[str, Any]:
                    return {one["camera"]: one["watched"] for one in client.get("/api/cameras").json()["cameras"]}

                eventually(lambda: watched()["door"]["state"] == "ended", "the end of the film")
                eventually(lambda: told("appeared") > told("left"), "somebody on the stream who has not left")
                found = watched()
            began = time.monotonic()
            process.send_signal(end)
            said += process.communicate(timeout=60)[0].splitlines()
            assert time.monotonic() - began < max(10, 2 * slow) and process.returncode == 0, said
        finally:
            process.kill()
            process.wait()
        return found, said

    found, said = run(signal.SIGTERM)
    assert {name: one["state"] for name, one in found.items()} == {
        "door": "ended", "hall": "running", "yard": "failed", "gate": "failed"
    }  # fmt: skip
    assert found["door"]["frames"] == 72 and found["door"]["tracklets"] >= 1
    assert said[-1] == "stopped" and "Traceback" not in "".join(said) and "s3cr3t" not in "".join(said)
    with Gallery.open(people) as gallery:
        first = gallery.records()
        seen = [one.camera for one in first]
    assert seen.count("door") == found["door"]["tracklets"]
    assert seen.count("hall") == told("left") == told("appeared") > found["hall"]["tracklets"]
    assert not any("s3cr3t" in one.source for one in first) and "s3cr3t" not in (people / "audit.jsonl").read_text()
    assert (tmp_path / "events.jsonl").read_text().count('"left"') == len(first)
    assert main(["gallery", "verify", str(people)]) == 0

    run(signal.SIGINT)
    with Gallery.open(people) as gallery:
        again = gallery.records(Where(cameras=frozenset({"door"})))
    assert again == [one for one in first if one.camera == "door"]  # none twice


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        ("[[camera]", [], "not TOML"),
        ("[[camera]]\nname='door'", [], "no camera has a source"),
        ("[[camera]]\nname='door'\nsorce='a'", [], "did you mean 'source'"),
        ("[[camera]]\nname='door'\nsource='none.mp4'", [], "door: there is no file or folder"),
        ("[[camera]]\nname='door'\nsource='ftp://anna:s3cret@host/x'", [], "an address of kind 'ftp'"),
        ("[[camera]]\nname='door'\nsource='rtsp://host/x'", ["--detector", "yolo"], "detector 'yolo' is unknown"),
        ("[[camera]]\nname='door'\nsource='rtsp://host/x'", ["--detector", "yolox:none.onnx"], "none.onnx"),
        (None, ["--detector", "motion", "--every", "2"], "name a file of cameras by --watch"),
        (None, ["--watch", "none.toml"], "cannot read the cameras of none.toml"),
    ],
)
def test_mistakes_are_one_line_and_start_nothing(
    text: str | None, options: list[str], said: str, people: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cameras.toml").write_text(text or "")
    watch = [] if text is None else ["--watch", str(tmp_path / "cameras.toml")]
    assert main(["serve", str(people), "--port", "0", *watch, *options]) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1 and said in captured.err and captured.out == ""
    assert "s3cret" not in captured.err
