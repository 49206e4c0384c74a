"""`resight serve` as a process: its address, its end, and what it leaves behind."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from resight.cli import main
from resight.gallery import Gallery, Settings, find_crops
from resight.images import read_image
from resight.models import load_model
from resight.service import new_token
from resight.service.audit import FILE
from resight.service.audit_chain import verify_log

posix = pytest.mark.skipif(os.name != "posix", reason="sends signals as POSIX does")


class Running(NamedTuple):
    """A service in a process of its own."""

    process: subprocess.Popen[str]
    port: int
    token: str

    def client(self) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.token}"}
        return httpx.Client(base_url=f"http://127.0.0.1:{self.port}", headers=headers, timeout=60)

    def stop(self) -> str:
        """End it as Ctrl-C does; what it has said."""
        self.process.send_signal(signal.SIGINT)
        said, _ = self.process.communicate(timeout=30)
        assert self.process.returncode == 0, said
        return said


@pytest.fixture(scope="module")
def people(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gallery of drawn people, of the shipped model's vectors."""
    folder = tmp_path_factory.mktemp("serve") / "gallery"
    model = load_model("student")
    with Gallery.create(folder, Settings.for_model("student", model, retention=None)) as gallery:
        gallery.enrol(model, find_crops(tiny / "bounding_box_test"))
    return folder


@pytest.fixture
def start(people: Path, tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Starts the service on a copy of the gallery, or another; what is still running is killed with the test."""
    folder = tmp_path / "gallery"
    shutil.copytree(people, folder)
    started: list[subprocess.Popen[str]] = []

    def run(*options: str, location: str = str(folder)) -> Running:
        command = [sys.executable, "-m", "resight.cli", "serve", location, "--port", "0", *options]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        started.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"at http://127\.0\.0\.1:(\d+)/(?:#token=(\S+))?", line)
        assert found, line + process.stdout.read()
        httpx.get(f"http://127.0.0.1:{found[1]}/", timeout=60)  # it answers: from here on it heeds signals, however it was started
        return Running(process, int(found[1]), found[2] or "")

    yield run
    for process in started:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


@posix
def test_search_by_the_address_that_it_prints_and_a_clean_end(start: Callable[..., Running], tiny: Path, tmp_path: Path) -> None:
    running = start()
    query = sorted((tiny / "query").glob("*.jpg"))[0]
    with running.client() as client:
        answer = client.post("/api/search", files={"images": query.read_bytes()}, data={"k": "5"})
        assert answer.status_code == 200
        model = load_model("student")
        with Gallery.open(tmp_path / "gallery") as gallery:
            expected = gallery.search(gallery.embed(model, [read_image(query)]), 5)
        assert [(match["id"], match["distance"]) for match in answer.json()["matches"]] == [
            (match.record.id, match.distance) for match in expected
        ]
        assert client.get("/").status_code == 200
    said = running.stop()
    assert "stopped" in said
    assert "Traceback" not in said
    assert "/api/search" not in said  # requests are not logged
    assert main(["gallery", "verify", str(tmp_path / "gallery")]) == 0


@posix
def test_a_gallery_in_a_database(
    start: Callable[..., Running], people: Path, postgres: str, tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    query = sorted((tiny / "query").glob("*.jpg"))[0]
    log = tmp_path / "audit.jsonl"
    with Gallery.open(people) as gallery, Gallery.create(postgres, gallery.settings) as copy:
        found = gallery.sightings([record.id for record in gallery.records()])
        assert copy.add(list(found.values())) == len(found) > 0
        expected = gallery.search(gallery.embed(load_model("student"), [read_image(query)]), 5)
    running = start("--audit", str(log), location=postgres)
    with running.client() as client:
        answer = client.post("/api/search", files={"images": query.read_bytes()}, data={"k": "5"})
        assert [match["id"] for match in answer.json()["matches"]] == [match.record.id for match in expected]
        assert client.post("/api/sightings", files={"image": query.read_bytes()}, data={"camera": "new"}).status_code == 201
        new = {"camera": "new", "sightings": 1, "first": None, "last": None, "watched": None}
        assert new in client.get("/api/cameras").json()["cameras"]
    assert "Traceback" not in running.stop()
    assert main(["gallery", "verify", postgres, "--audit", str(log)]) == 0
    log.write_bytes(log.read_bytes().replace(b'"k":5', b'"k":6', 1))
    assert main(["gallery", "verify", postgres, "--audit", str(log)]) == 2
    assert "entry 1 is not as it was written" in capsys.readouterr().out
    assert main(["gallery", "verify", postgres, "--audit", str(log.with_name("none"))]) == 2


@posix
def test_the_log_goes_on_after_kill_9_and_verify_reads_it(
    start: Callable[..., Running], tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    query = sorted((tiny / "query").glob("*.jpg"))[0].read_bytes()
    running, stop, answered_once = start(), threading.Event(), threading.Event()

    def ask() -> int:
        done = 0
        with running.client() as client:
            while not stop.is_set():
                try:
                    done += client.post("/api/search", files={"images": query}, data={"k": "1"}).status_code == 200
                    answered_once.set()
                except httpx.HTTPError:
                    return done
        return done

    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(ask) for _ in range(4)]
        assert answered_once.wait(60)
        time.sleep(0.3)
        running.process.kill()
        stop.set()
        answered = sum(one.result() for one in asking)
    log = tmp_path / "gallery" / FILE
    last = start()
    last.stop()
    problems, (number, _) = verify_log(log)
    assert problems == []
    assert number >= answered > 0
    log.write_bytes(log.read_bytes().replace(b'"k":1', b'"k":2', 1))
    assert main(["gallery", "verify", str(tmp_path / "gallery")]) == 2
    assert "entry 1 is not as it was written" in capsys.readouterr().out
    with pytest.raises(AssertionError, match="evidence"):
        start()


@posix
def test_a_second_service_on_one_log_is_refused(start: Callable[..., Running], tiny: Path, tmp_path: Path) -> None:
    query = sorted((tiny / "query").glob("*.jpg"))[0].read_bytes()
    first = start()
    with pytest.raises(AssertionError, match="another service is writing the audit log"):
        start()
    other = start("--audit", str(tmp_path / "other.jsonl"))
    for running in (first, other):
        with running.client() as client:
            assert client.post("/api/search", files={"images": query}, data={"k": "1"}).status_code == 200
    assert main(["gallery", "verify", str(tmp_path / "gallery")]) == 0
    for running in (first, other):
        running.stop()


@posix
def test_tokens_of_a_file_and_their_end(start: Callable[..., Running], tmp_path: Path) -> None:
    access = tmp_path / "access.toml"
    token = new_token(access, "anna", "viewer")
    running = start("--access", str(access))
    assert running.token == ""
    with running._replace(token=token).client() as client:
        assert client.get("/api/session").json()["name"] == "anna"
        new_token(access, "anna", "viewer")
        assert client.get("/api/session").status_code == 401
    running.stop()


def test_bytes_that_are_no_requests(start: Callable[..., Running]) -> None:
    running = start("--max-upload", "0.01")
    head = f"POST /api/search HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {running.token}\r\n"
    endless = (
        head
        + "Transfer-Encoding: chunked\r\nContent-Type: multipart/form-data; boundary=x\r\n\r\n"
        + "400\r\n"
        + "x" * 1024
        + "\r\n"
    )
    for data, status in (
        (b"\x16\x03\x01" + bytes(200), b"400"),
        (b"GET / HTTP/9\r\n\r\n", b"400"),
        ((head + "Content-Length: 20000\r\n\r\n").encode(), b"413"),
        ((endless + ("400\r\n" + "y" * 1024 + "\r\n") * 20).encode(), b"413"),
        (b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: localhost\r\n\r\n", b"400"),
    ):
        with socket.create_connection(("127.0.0.1", running.port), timeout=30) as connection:
            connection.sendall(data)
            assert connection.recv(100).split()[1] == status
    with running.client() as client:
        assert client.get("/api/session").status_code == 200


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--host", "0.0.0.0"], "--access"),
        (["--host", "192.0.2.1"], "--access"),
        (["--host", "::"], "--access"),
        (["--access", "nowhere.toml"], "resight access"),
        (["--port", "70000"], "--port"),
        (["--people", "50"], "--people adjusts the distances of a calibration; name its file by --calibration"),
        (["--calibration", "nowhere.json"], "resight calibrate"),
        (["--purge-every", "5x"], "--purge-every is 5x; expected a time from 1s to 36500d"),
        (["--purge-every", "0s"], "--purge-every is 0s"),
        (["--name", "https://gallery.example.org"], "--name is https://gallery.example.org; expected a host name"),
        (["--name", "fine.example.org", "--name", "gallery.example.org:8443"], "--name is gallery.example.org:8443"),
        (["--max-upload", "nan"], "--max-upload is nan; expected a number of MB, more than 0"),
        (["--max-upload", "inf"], "--max-upload is inf"),
        (["--max-upload", "0"], "--max-upload is 0"),
        (["--max-upload", "-1"], "--max-upload is -1"),
    ],
)
def test_what_cannot_be_served(people: Path, options: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", str(people), *options]) == 2
    complaint = capsys.readouterr().err
    assert said in complaint
    assert complaint.count("\n") == 1


def test_a_port_that_is_taken(people: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        assert main(["serve", str(people), "--port", str(other.getsockname()[1])]) == 2
    assert "--port" in capsys.readouterr().err
