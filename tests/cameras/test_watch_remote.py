"""`resight watch` with the gallery of a service that is killed and started again: nothing is lost, and nothing is there twice."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from cameras.films import frame, write_folder
from cameras.test_watch import START
from resight.cli import main
from resight.gallery import Gallery, Settings, upkeep
from resight.models import load_model
from resight.service import new_token
from resight.service.audit import FILE
from resight.service.audit_chain import verify_log

pytestmark = pytest.mark.skipif(os.name != "posix", reason="sends signals as POSIX does")


def create(folder: Path) -> str:
    with Gallery.create(folder, Settings.for_model("student-fastest", load_model("student-fastest"), retention=None)):
        return str(folder)


def contents(gallery: str) -> list[tuple[object, ...]]:
    with Gallery.open(gallery) as opened:
        found = opened.sightings(one.id for one in opened.records())
    return sorted((s.id, s.camera, s.tracklet, str(s.time), s.source, s.embedding.tobytes(), s.thumbnail) for s in found.values())


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts commands; what still runs is killed with the test."""
    started: list[subprocess.Popen[str]] = []

    def run(*arguments: str, **environment: str) -> subprocess.Popen[str]:
        program = [sys.executable, "-m", "resight.cli", *arguments]
        settings = os.environ | {"OMP_NUM_THREADS": "1"} | environment
        process = subprocess.Popen(program, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=settings)
        started.append(process)
        return process

    yield run
    for process in started:
        if process.poll() is None:
            process.kill()
            process.communicate()


def wait_for(condition: Callable[[], bool], *processes: subprocess.Popen[str]) -> None:
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < 240
        assert all(process.poll() is None for process in processes), "a process ended early"
        time.sleep(0.02)


def answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=30).status_code == 200
    except httpx.HTTPError:
        return False


@pytest.mark.parametrize(
    ("away", "also_the_watcher"),
    [(2, False), (1, True), pytest.param(300, False, marks=[pytest.mark.slow, pytest.mark.timeout(900)])],
)
def test_a_gallery_that_is_away_for_a_while(
    away: float, also_the_watcher: bool, tmp_path: Path, start: Callable[..., subprocess.Popen[str]]
) -> None:
    films = [
        f"{name}={write_folder(tmp_path / name, [frame(n % 100, people=1) for n in range(frames)])}"
        for name, frames in (("door", 220), ("hall", 130))
    ]
    options = [*films, "--start", f"door={START}", "--start", f"hall={START}", "--threads", "1"]
    near, far = create(tmp_path / "near"), create(tmp_path / "far")
    assert main(["watch", *options, "--gallery", near, "--out", str(tmp_path / "near.jsonl")]) == 0
    expected = contents(near)
    assert len(expected) >= 3
    token = new_token(tmp_path / "access.toml", "watcher", "operator", ["door", "hall"])
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    service = ["serve", far, "--port", str(port), "--access", str(tmp_path / "access.toml"), "--threads", "1"]
    command = ["watch", *options, "--gallery", f"http://127.0.0.1:{port}", "--backlog", str(tmp_path / "backlog")]
    command += ["--out", str(tmp_path / "far.jsonl"), "--json", str(tmp_path / "result.json")]

    serving = start(*service)
    wait_for(lambda: answers(port), serving)
    watcher = start(*command, RESIGHT_TOKEN=token)
    wait_for(lambda: len(contents(far)) > 0, serving)
    serving.send_signal(signal.SIGKILL)
    serving.communicate()
    time.sleep(away)
    if also_the_watcher:
        watcher.send_signal(signal.SIGKILL)
        watcher.communicate()
        late = start(*command, RESIGHT_TOKEN=token)  # begins while the gallery is away
        time.sleep(away)
        watcher = late
    serving = start(*service)
    wait_for(lambda: answers(port), serving)
    said = watcher.communicate(timeout=200)[1]
    late = bool(watcher.returncode)
    if late:  # it waits for a minute at the end of its films, and a busy machine starts slowly
        assert "the same command delivers them later" in said.splitlines()[-1]
        watcher = start(*command, RESIGHT_TOKEN=token)
        said = watcher.communicate(timeout=200)[1]
    assert watcher.returncode == 0, said
    serving.send_signal(signal.SIGINT)
    assert serving.communicate(timeout=60)[0] is None and serving.returncode == 0

    assert contents(far) == expected
    far_events, near_events = (sorted((tmp_path / f"{name}.jsonl").read_text().splitlines()) for name in ("far", "near"))
    assert far_events == near_events  # two cameras may come in either order
    counts = json.loads((tmp_path / "result.json").read_text())["gallery"]
    assert counts["added"] + counts["present"] == len(expected) or also_the_watcher or late
    assert counts["expired"] == counts["refused"] == counts["lost"] == counts["waiting"] == 0
    assert upkeep.verify(far) == [] and verify_log(Path(far) / FILE)[0] == []


def test_people_are_joined_where_the_gallery_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_folder(tmp_path / "door", [frame(0)])
    command = ["watch", f"door={tmp_path / 'door'}", "--gallery", "https://gallery.example.org"]
    assert main([*command, "--calibration", "calibration.json"]) == 2
    assert "--calibration joins people in a folder or a database" in capsys.readouterr().err
