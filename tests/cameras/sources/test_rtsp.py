"""A real RTSP server, VLC's: it asks for a password, stops, comes back, changes its pictures' size, and loses packets."""

from __future__ import annotations

import contextlib
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from cameras.films import frame, walk, write
from resight.cameras import Frame
from resight.cameras.sources import LiveSource, Reader

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("cvlc") is None, reason="needs VLC: apt install vlc-bin vlc-plugin-base"),
]

FILM = np.stack([frame(number) for number in range(100)]).astype(np.float32)


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


class BadWay:
    """A way to a server on which packets with pictures are lost, doubled and changed while it is `bad`.

    The server sends them by UDP to ports that the client names in its request; the way puts its own there.
    """

    def __init__(self, port: int) -> None:
        self.bad, self._to, self._choose = True, port, random.Random(1)
        self.spoilt = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets = [self._listener]
        self.port = self._listener.getsockname()[1]
        self._start(self._accept)

    def close(self) -> None:
        for one in self._sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _start(self, work: Callable[..., None], *arguments: object) -> None:
        def run() -> None:
            with contextlib.suppress(OSError):
                work(*arguments)

        threading.Thread(target=run, daemon=True).start()

    def _accept(self) -> None:
        while True:
            near = self._listener.accept()[0]
            far = socket.create_connection(("127.0.0.1", self._to))
            self._sockets += [near, far]
            self._start(self._pass_on, near, far, lambda data: re.sub(rb"(?<=client_port=)(\d+)-(\d+)", self._ports, data))
            self._start(self._pass_on, far, near, bytes)

    def _pass_on(self, one: socket.socket, other: socket.socket, changed: Callable[[bytes], bytes]) -> None:
        while data := one.recv(65536):
            other.sendall(changed(data))
        other.shutdown(socket.SHUT_WR)

    def _ports(self, given: re.Match[bytes]) -> bytes:
        """Make a port of the way's own for each one of the client's."""
        made = []
        for port in map(int, given.groups()):
            made.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            made[-1].bind(("127.0.0.1", made[0].getsockname()[1] + 1 if made[1:] else 0))
            self._start(self._relay, made[-1], port)
        self._sockets += made
        return b"%d-%d" % tuple(one.getsockname()[1] for one in made)

    def _relay(self, one: socket.socket, port: int) -> None:
        while True:
            packet = bytearray(one.recv(65536))
            chance = self._choose.random() if self.bad else 1.0
            self.spoilt += chance < 0.2
            if 0.05 < chance < 0.1:
                packet[self._choose.randrange(len(packet))] ^= 255
            elif 0.1 < chance < 0.15:
                packet = packet[: self._choose.randrange(1, len(packet) + 1)]
            for _ in range(0 if chance < 0.05 else 2 if 0.15 < chance < 0.2 else 1):
                one.sendto(packet, ("127.0.0.1", port))


def test_packets_that_are_lost_doubled_and_changed(films: tuple[Path, Path]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ready, lines = threading.Condition(), list[str]()
    with serving(films[0], port):
        way = BadWay(port)
        reader = Reader(LiveSource("hall", f"rtsp://anna:s3cret@127.0.0.1:{way.port}/main"), ready, report=lines.append)
        reader.start()
        found = take(reader, ready, 100)
        way.bad = False
        while way.spoilt and len(found) < 400 and not looks_right(found[-1]):
            found += take(reader, ready, 1)
        found += take(reader, ready, 20)
        now = time.time()
        reader.close()
        way.close()
    assert way.spoilt > 20 and sum(map(looks_right, found[-20:])) >= 15
    times = [one.time for one in found]
    assert times == sorted(times) and abs(times[-1] - now) < 10
    assert all("s3cret" not in line and "\n" not in line for line in lines)


def looks_right(shown: Frame) -> bool:
    """True if it is nearly one of the film's frames."""
    return bool((np.abs(FILM - shown.pixels).mean((1, 2, 3)) < 8).any())


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
