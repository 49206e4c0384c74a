"""Availability of a gallery in company: slow clients, greedy clients, and the times of lists, statistics and purges by size.

    python benchmarks/availability.py --json results/benchmark-availability.json
    python benchmarks/availability.py --parts sizes --sizes 10000 100000 1000000 --again --json results/benchmark-availability.json

The file keeps every part with its own provenance. A part that is in it is not measured again, unless `--again` is given: so an
interrupted run goes on, and parts can be measured one by one.

Slow clients: 64 connections send the head of a search and three bytes, while one client searches; its times are put beside those
without them. Fairness: one caller sends images of 25 megapixels on eight connections, while another searches for crops; both are
counted. Sizes: the thumbnails of a gallery are alike, as crops of one street are: they share most of their pixels. A gallery of a
million takes 9 GB in the folder of temporary files (TMPDIR).

Memory: what the service takes while it is asked for searches and lists, and enrols and purges, minute by minute. Loops: a service
and the command line share a gallery, and one of them is killed (`kill -9`) in each loop. This is a test in
tests/gallery/store/test_company.py, which ends as soon as an acknowledged write is lost or something purged comes back.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import resource
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from resight.files import read_json, write_json
from resight.gallery import Gallery, Settings, Sighting, Where, sighting_id
from resight.gallery.sighting import draw_thumbnail
from resight.models import load_model
from resight.provenance import provenance
from resight.service import new_token
from service import BOUNDARY, START, form, served

CHUNK, CAMERAS, PEOPLE = 5000, 6, 1000


def fill(folder: Path, size: int) -> None:
    """Random unit vectors, with thumbnails that differ in a few rows."""
    rng = np.random.default_rng(0)
    model = load_model("student")
    street = cv2.resize(rng.integers(0, 256, (16, 8, 3), dtype=np.uint8), (64, 128), interpolation=cv2.INTER_CUBIC)
    with Gallery.create(folder, Settings.for_model("student", model, retention=None)) as gallery:
        for start in range(0, size, CHUNK):
            vectors = rng.standard_normal((min(CHUNK, size - start), model.embedding_size), np.float32)
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
            sightings = []
            for number, vector in enumerate(vectors, start):
                look = street.copy()
                look[100:, :16] = rng.integers(0, 256, (28, 16, 3), dtype=np.uint8)
                sightings.append(
                    Sighting(
                        id=sighting_id("", str(number), None),
                        embedding=vector,
                        thumbnail=draw_thumbnail(look),
                        enrolled=START,
                        camera=str(number % CAMERAS),
                        identity=f"person {number % PEOPLE}",
                    )
                )
            gallery.add(sightings)


@contextmanager
def asked(size: int) -> Iterator[tuple[int, list[str], int, Path]]:
    """A service of a gallery of some size: its port, the tokens of two viewers and an admin, its process, and its folder."""
    with tempfile.TemporaryDirectory() as name:
        folder, access = Path(name) / "gallery", Path(name) / "access.toml"
        fill(folder, size)
        tokens = [
            new_token(access, caller, role) for caller, role in (("greedy", "viewer"), ("small", "viewer"), ("boss", "admin"))
        ]
        with served(folder, "--access", str(access)) as (port, _, process):
            yield port, tokens, process.pid, folder


def seconds(work: Any, repeats: int) -> list[float]:
    """Sorted times of some work."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return sorted(times)


def search(port: int, token: str, image: bytes) -> int:
    """Status of one search, on a connection of its own."""
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    connection.request("POST", "/api/search", form(image, 10), headers)
    status = connection.getresponse().status
    connection.close()
    return status


def slow_clients(port: int, token: str, crop: bytes, searches: int) -> dict[str, float]:
    """The 50th and 99th percentile of a client's times, without and with 64 slow ones."""
    head = f"POST /api/search HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nContent-Length: 9999\r\n\r\nabc"
    found = {}
    with ExitStack() as stack:
        for name in ("alone", "beside slow clients"):
            times = seconds(lambda: search(port, token, crop), searches)
            found |= {f"{name}, p50": times[len(times) // 2], f"{name}, p99": times[int(0.99 * (len(times) - 1))]}
            for _ in range(64):
                stack.enter_context(socket.create_connection(("127.0.0.1", port))).sendall(head.encode())
    return found


def fairness(port: int, tokens: list[str], crop: bytes, duration: float) -> dict[str, Any]:
    """Answers of two callers in the same time: one with large images on eight connections, one with crops on one."""
    large = cv2.imencode(".png", np.zeros((5000, 5000, 3), np.uint8))[1].tobytes()
    counts: list[list[int]] = [[], []]
    end = time.perf_counter() + duration

    def repeat(caller: int, image: bytes) -> None:
        while time.perf_counter() < end:
            counts[caller].append(search(port, tokens[caller], image))

    threads = [threading.Thread(target=repeat, args=(0, large)) for _ in range(8)]
    threads.append(threading.Thread(target=repeat, args=(1, crop)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    names = ("large images, eight connections", "crops, one connection")
    return {
        name: {"answered": some.count(200), "come again": some.count(429), "seconds": duration}
        for name, some in zip(names, counts, strict=True)
    }


def by_size(size: int, purged: int) -> dict[str, float]:
    """Seconds for a page in the middle, for statistics, and for a purge of `purged` sightings, and its memory."""
    with tempfile.TemporaryDirectory() as name:
        fill(Path(name) / "gallery", size)
        command = [sys.executable, __file__, "--look-at", str(Path(name) / "gallery"), "--purged", str(purged)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)  # its memory is that of this size alone
        return dict(json.loads(done.stdout))


def look_at(folder: Path, purged: int) -> dict[str, float]:
    """Measure one gallery."""
    with Gallery.open(folder) as gallery:
        # No sighting has a time, so that a list is sorted by id. To read all of them would take the memory that is measured.
        some = [sighting_id("", str(number), None) for number in range(min(1000, len(gallery)))]
        middle = sorted(some)[len(some) // 2]
        found: dict[str, float] = {
            "page": seconds(lambda: gallery.page(Where(cameras=frozenset({"1", "2"})), 100), 20)[10],
            "page behind the middle": seconds(lambda: gallery.page(limit=100, after=middle), 20)[10],
            "statistics": seconds(gallery.statistics, 20)[10],
        }
        ids = frozenset(sighting_id("", str(number), None) for number in range(0, len(gallery), max(1, len(gallery) // purged)))
        started, before = time.perf_counter(), processor_seconds()
        done = gallery.purge(Where(ids=ids))
        found |= {"purge": time.perf_counter() - started, "purge, processor seconds": processor_seconds() - before}
        found |= {"purged": done.removed, "searched bytes": done.bytes}
    return found | {"peak memory, MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def processor_seconds() -> float:
    """Processor time of this process and the one that reads files for it: other work on the machine matters less to it."""
    return sum(
        usage.ru_utime + usage.ru_stime for usage in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def memory(port: int, tokens: list[str], process: int, crop: bytes, minutes: float) -> dict[str, Any]:
    """MB that the service takes, once a minute, under mixed load."""
    import http.client

    counts = {"searches": 0, "lists": 0, "enrolments": 0, "purges": 0}
    end, megabytes, next_look = time.monotonic() + 60 * minutes, [resident(process)], time.monotonic() + 60
    rng = np.random.default_rng(2)

    def ask(method: str, path: str, body: bytes, kind: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        connection.request(method, path, body, {"Authorization": f"Bearer {tokens[2]}", "Content-Type": kind})
        response = connection.getresponse()
        answer = response.status, response.read()
        connection.close()
        return answer

    while time.monotonic() < end:
        for _ in range(10):
            counts["searches"] += search(port, tokens[1], crop) == 200
        image = cv2.imencode(".png", rng.integers(0, 256, (256, 128, 3), dtype=np.uint8))[1].tobytes()
        status, answer = ask(
            "POST",
            "/api/sightings",
            form(image, 10)
            .replace(b'"images"', b'"image"')
            .replace(
                b'Content-Disposition: form-data; name="k"\r\n\r\n10', b'Content-Disposition: form-data; name="camera"\r\n\r\nnew'
            ),
            f"multipart/form-data; boundary={BOUNDARY}",
        )
        counts["enrolments"] += status == 201
        counts["lists"] += ask("POST", "/api/sightings/list", b"{}", "application/json")[0] == 200
        if counts["enrolments"] % 20 == 0:
            wanted = json.dumps({"ids": [json.loads(answer)["id"]], "dry_run": False}).encode()
            counts["purges"] += ask("POST", "/api/purge", wanted, "application/json")[0] == 200
        if time.monotonic() > next_look:
            megabytes.append(resident(process))
            next_look += 60
    return {"MB by minute": megabytes, "minutes": minutes, **counts}


def resident(process: int) -> float:
    """MB of memory that a process takes."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    return round(int(found[1]) / 1024, 1) if found else 0.0


def kill_loops(count: int) -> dict[str, Any]:
    """Run the loops of the tests; they fail at the first loss."""
    test = "tests/gallery/store/test_company.py::test_company_is_killed_at_any_moment"
    patience = ["-o", "timeout=7200", "-o", "faulthandler_timeout=7500"]
    command = [sys.executable, "-m", "pytest", "-q", "-s", "-m", "", *patience, f"{test}[{count}]"]
    run = subprocess.run(command, cwd=Path(__file__).parents[1], stdout=subprocess.PIPE, text=True, check=False)
    found = re.search(r"(\d+) loops, (\d+) interrupted; acknowledged: (\{.*\})", run.stdout)
    if run.returncode or found is None:
        sys.exit(f"the loops ended early:\n{run.stdout[-3000:]}")
    return {
        "loops": int(found[1]),
        "interrupted": int(found[2]),
        "acknowledged": ast.literal_eval(found[3]),
        "lost": 0,
        "came back": 0,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = ("sizes", "slow clients", "fairness", "memory", "loops")
    parser.add_argument("--parts", nargs="+", choices=parts, default=parts)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--purged", type=int, default=1000)
    parser.add_argument("--served", type=int, default=10_000, help="sightings of the gallery that is served")
    parser.add_argument("--searches", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=30.0, help="duration of the part fairness")
    parser.add_argument("--minutes", type=float, default=9.0, help="duration of the part memory")
    parser.add_argument("--loops", type=int, default=200, choices=(8, 200))
    parser.add_argument("--again", action="store_true", help="measure also what is in the file")
    parser.add_argument("--look-at", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.look_at:
        print(json.dumps(look_at(options.look_at, options.purged)))
        return
    crop = cv2.imencode(".jpg", np.random.default_rng(1).integers(0, 256, (128, 64, 3), dtype=np.uint8))[1].tobytes()
    result: dict[str, Any] = read_json(options.json) if options.json and options.json.exists() else {}

    def measure(name: str, work: Callable[[], Any], **configuration: Any) -> None:
        if name not in result or options.again:
            found = work()  # the provenance's load is that of the measurement
            result[name] = {"result": found, "provenance": provenance(configuration, seed=0)}
            print(name, json.dumps(found, indent=2), flush=True)
            if options.json:
                write_json(options.json, result)

    def with_service(work: Callable[[int, list[str], int], Any]) -> Callable[[], Any]:
        def run() -> Any:
            with asked(options.served) as (port, tokens, process, _):
                return work(port, tokens, process)

        return run

    for part in options.parts:
        if part == "sizes":
            for size in options.sizes:
                measure(f"{size} sightings", lambda size=size: by_size(size, options.purged), size=size, purged=options.purged)
        elif part == "slow clients":
            run = with_service(lambda port, tokens, _: slow_clients(port, tokens[1], crop, options.searches))
            measure(part, run, served=options.served, searches=options.searches)
        elif part == "fairness":
            run = with_service(lambda port, tokens, _: fairness(port, tokens, crop, options.seconds))
            measure(part, run, served=options.served, seconds=options.seconds)
        elif part == "memory":
            run = with_service(lambda port, tokens, process: memory(port, tokens, process, crop, options.minutes))
            measure(part, run, served=options.served, minutes=options.minutes)
        else:
            measure(part, lambda: kill_loops(options.loops), loops=options.loops)


if __name__ == "__main__":
    main()
