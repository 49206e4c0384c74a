"""A real RTSP server, VLC's: it asks for a password, stops, comes back, and changes the size of its pictures."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cameras.films import frame, walk, write
from resight.cameras import Frame
from resight.cameras.sources import LiveSource, Reader

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("cvlc") is None, reason="needs VLC: apt install vlc-bin vlc-plugin-base"),
]


@pytest.fixture
def films() -> Iterator[tuple[Path, Path]]:
    folder = tempfile.mkdtemp(prefix="resight-rtsp-")  # not in pytest's own folder, which VLC's user cannot enter
    os.chmod(folder, 0o755)
    options = {"g": "10", "tune": "zerolatency"}
    small = walk(Path(folder, "small.mp4"), 100, codec="libx264", options=options)
    large = write(
        Path(folder, "large.mp4"), (frame(n % 70, height=240, width=320) for n in range(100)), codec="libx264", options=options
    )
    yield small, large
    shutil.rmtree(folder)


@contextmanager
def serving(film: Path, port: int) -> Iterator[None]:
    arguments = ["cvlc", "-q", "--loop", str(film), "--sout", f"#gather:rtp{{sdp=rtsp://127.0.0.1:{port}/main}}", "--sout-keep"]
    arguments += ["--sout-rtsp-user", "anna", "--sout-rtsp-pwd", "s3cret"]
    user = {"user": 65534} if os.getuid() == 0 else {}  # VLC does not run as root
    environment = os.environ | {"HOME": str(film.parent)}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(arguments, env=environment, start_new_session=True, **quiet, **user)  # type: ignore[call-overload]
    try:
        for _ in range(200):
            with socket.socket() as tried:
                if not tried.connect_ex(("127.0.0.1", port)):
                    break
            time.sleep(0.1)
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def take(reader: Reader, ready: threading.Condition, enough: int) -> list[Frame]:
    found: list[Frame] = []
    end = time.monotonic() + 60
    while len(found) < enough:
        assert time.monotonic() < end, f"{len(found)} frames"
        with ready:
            if (one := reader.take()) is not None:
                found.append(one)
            else:
                ready.wait(0.1)
    return found


def test_it_stops_and_comes_back_with_another_size(films: tuple[Path, Path], capfd: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ready, lines = threading.Condition(), list[str]()
    source = LiveSource("hall", f"rtsp://anna:s3cret@127.0.0.1:{port}/main")
    reader = Reader(source, ready, report=lines.append, pauses=(0.5, 1.0))
    before = time.time()
    with serving(films[0], port):
        reader.start()
        found = take(reader, ready, 30)
    with serving(films[1], port):
        while found[-1].size == (120, 160):
            found += take(reader, ready, 1)
        found += take(reader, ready, 30)
    reader.close()
    assert {one.size for one in found} == {(120, 160), (240, 320)}
    times = [one.time for one in found]
    assert times == sorted(times) and before <= times[0] <= times[-1] <= time.time() + 3
    assert (times[29] - times[5]) / 24 == pytest.approx(0.1, abs=0.05)
    assert source.counts.reconnected >= 1
    shown = "".join(lines) + "".join(capfd.readouterr()) + repr(source)
    assert "s3cret" not in shown and f"rtsp://127.0.0.1:{port}/main" in shown


def test_a_wrong_password_is_no_connection(films: tuple[Path, Path]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ready, lines = threading.Condition(), list[str]()
    reader = Reader(LiveSource("hall", f"rtsp://anna:wr0ng@127.0.0.1:{port}/main"), ready, report=lines.append, pauses=(60.0,))
    with serving(films[0], port):
        reader.start()
        for _ in range(300):
            if lines:
                break
            time.sleep(0.1)
    reader.close()
    assert "no connection" in lines[0] and "401" in lines[0] and "wr0ng" not in lines[0]
