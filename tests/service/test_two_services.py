"""Two services in processes of their own, on one database: what one does the other knows, and one that is killed loses nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from gallery.fakes import make_image
from resight.cli import main
from resight.gallery import Gallery, Settings
from resight.models import load_model
from resight.service import new_token
from service.test_deploy import behind_nginx, free_port, trusted, wait_for

pytestmark = pytest.mark.skipif(os.name != "posix", reason="sends signals as POSIX does")


@pytest.fixture
def start(postgres: str, tmp_path: Path) -> Iterator[Callable[[int], subprocess.Popen[bytes]]]:
    """Starts a service on a port; all are killed with the test."""
    settings = Settings.for_model("student-fastest", load_model("student-fastest"), retention=None)
    Gallery.create(postgres, settings).close()
    started: list[subprocess.Popen[bytes]] = []

    def run(port: int) -> subprocess.Popen[bytes]:
        access = ["--access", str(tmp_path / "access.toml")]
        words = [sys.executable, "-m", "resight.cli", "serve", postgres, "--port", str(port), *access]
        started.append(subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        wait_for(f"http://127.0.0.1:{port}/readyz")
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.wait()


def client(token: str, address: str, **options: object) -> httpx.Client:
    return httpx.Client(base_url=address, headers={"Authorization": f"Bearer {token}"}, timeout=120, **options)  # type: ignore[arg-type]


def enrol(service: httpx.Client, number: int) -> httpx.Response:
    return service.post("/api/sightings", files={"image": make_image(number)}, data={"camera": f"camera {number % 3}"})


def find(service: httpx.Client, number: int, k: int = 5) -> httpx.Response:
    return service.post("/api/search", files={"images": make_image(number)}, data={"k": str(k)})


def test_what_one_does_the_other_knows(start: Callable[[int], subprocess.Popen[bytes]], postgres: str, tmp_path: Path) -> None:
    """Enrolled here, found there; purged here while the other one searches; a token that is revoked is so for both."""
    token, ports = new_token(tmp_path / "access.toml", "anna", "admin"), (free_port(), free_port())
    for port in ports:
        start(port)
    with client(token, f"http://127.0.0.1:{ports[0]}") as one, client(token, f"http://127.0.0.1:{ports[1]}") as other:
        ids = []
        for number in range(12):
            answer = enrol(one, number)
            assert answer.status_code == 201
            ids.append(answer.json()["id"])
            assert find(other, number, 1).json()["matches"][0]["id"] == ids[-1]
        gone, purged, answers = set(ids[:6]), threading.Event(), []

        def search() -> None:
            with client(token, f"http://127.0.0.1:{ports[1]}") as third:
                last = False
                while not last:
                    last = purged.is_set()
                    answers.append((last, find(third, 3, 12)))

        with ThreadPoolExecutor(1) as pool:
            searching = pool.submit(search)
            done = one.post("/api/purge", json={"ids": sorted(gone), "dry_run": False})
            purged.set()
            searching.result(120)
        assert (done.status_code, done.json()["sightings"]) == (200, 6)
        assert {answer.status_code for _, answer in answers} == {200}
        found = {match["id"] for late, answer in answers if late for match in answer.json()["matches"]}
        assert found == set(ids) - gone
        entries = other.get("/api/audit", params={"limit": 1000}).json()
        assert entries["intact"] and [entry["number"] for entry in entries["entries"]][::-1] == list(
            range(1, len(entries["entries"]) + 1)
        )
        assert sum(entry["action"] == "search" for entry in entries["entries"]) == 12 + len(answers)
        new_token(tmp_path / "access.toml", "anna", "admin")
        assert {find(service, 1).status_code for service in (one, other)} == {401}
    assert main(["gallery", "verify", postgres]) == 0


def test_one_of_two_behind_nginx_is_killed_and_started_again(
    start: Callable[[int], subprocess.Popen[bytes]], postgres: str, tmp_path: Path
) -> None:
    """`kill -9` under load: no client sees an error, nothing acknowledged is lost, and the audit chain is whole."""
    token, ports = new_token(tmp_path / "access.toml", "anna", "admin"), (free_port(), free_port())
    doomed, _ = [start(port) for port in ports]
    stop, moved, acknowledged, lock = threading.Event(), threading.Condition(), [], threading.Lock()
    searched: list[str] = []

    def ask(worker: int, address: str, certificate: Path) -> set[int]:
        statuses, number = set(), 1000 * worker
        with client(token, address, verify=trusted(certificate)) as service:
            while not stop.is_set():
                number += 1
                added, found = enrol(service, number), find(service, number)
                statuses |= {added.status_code, found.status_code}
                with lock:
                    if added.status_code in (200, 201):
                        acknowledged.append(added.json()["id"])
                    if found.status_code == 200:
                        searched.append(found.json()["search"])
                with moved:
                    moved.notify_all()
        return statuses

    def wait(more: int) -> None:
        target = len(acknowledged) + more
        with moved:
            assert moved.wait_for(lambda: len(acknowledged) >= target, 240)

    with behind_nginx(tmp_path, *ports) as (secure, _, certificate), ThreadPoolExecutor(3) as pool:
        asking = [pool.submit(ask, worker, f"https://localhost:{secure}", certificate) for worker in range(3)]
        try:
            wait(20)
            doomed.kill()
            doomed.wait()
            wait(20)
            start(ports[0])
            wait(20)
        finally:
            stop.set()
        statuses = set().union(*(one.result(240) for one in asking))
    assert statuses <= {200, 201}
    with Gallery.open(postgres) as gallery:
        assert set(acknowledged) <= {record.id for record in gallery.records()}
    from resight.service.audit_database import DatabaseAudit

    with closing(DatabaseAudit(postgres)) as audit:
        entries = audit.newest(10_000)
        assert audit.problems() == []
    assert set(searched) <= {entry["details"].get("search") for entry in entries}
    assert set(acknowledged) <= {entry["details"].get("sighting") for entry in entries}
    assert main(["gallery", "verify", postgres]) == 0
