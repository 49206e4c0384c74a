"""Availability of a gallery in company: slow clients, greedy clients, and the times of lists, statistics and purges by size.

    python benchmarks/availability.py --json results/benchmark-availability.json
    python benchmarks/availability.py --sizes 10000 100000 1000000 --json results/benchmark-availability.json

Slow clients: 64 connections send the head of a search and three bytes, while one client searches; its times are put beside those
without them. Fairness: one caller sends images of 25 megapixels on eight connections, while another searches for crops; both are
counted. Times: the thumbnails of a gallery are alike, as crops of one street are: they share most of their pixels.
"""

from __future__ import annotations

import argparse
import json
import resource
import socket
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from resight.files import write_json
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


def by_size(folder: Path, purged: int) -> dict[str, float]:
    """Seconds for a page in the middle, for statistics, and for a purge of `purged` sightings, and its memory."""
    with Gallery.open(folder) as gallery:
        middle = gallery.records()[len(gallery) // 2].id
        found = {
            "page": seconds(lambda: gallery.page(Where(cameras=frozenset({"1", "2"})), 100), 20)[10],
            "page behind the middle": seconds(lambda: gallery.page(limit=100, after=middle), 20)[10],
            "statistics": seconds(gallery.statistics, 20)[10],
        }
        ids = frozenset(sighting_id("", str(number), None) for number in range(0, len(gallery), max(1, len(gallery) // purged)))
        started = time.perf_counter()
        done = gallery.purge(Where(ids=ids))
        found |= {"purge": time.perf_counter() - started, "purged": done.removed, "searched bytes": done.bytes}
    return found | {"peak memory, MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--purged", type=int, default=1000)
    parser.add_argument("--searches", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    crop = cv2.imencode(".jpg", np.random.default_rng(1).integers(0, 256, (128, 64, 3), dtype=np.uint8))[1].tobytes()
    result: dict[str, Any] = {"sizes": {}}
    with tempfile.TemporaryDirectory() as name:
        for size in options.sizes:
            folder = Path(name) / str(size)
            fill(folder, size)
            result["sizes"][str(size)] = by_size(folder, options.purged)
        access = Path(name) / "access.toml"
        tokens = [new_token(access, caller, "viewer") for caller in ("greedy", "small")]
        with served(Path(name) / str(options.sizes[0]), "--access", str(access)) as (port, _, _):
            result["slow clients"] = slow_clients(port, tokens[1], crop, options.searches)
            result["fairness"] = fairness(port, tokens, crop, options.seconds)
    result["provenance"] = provenance({name: str(value) for name, value in vars(options).items()}, seed=0)
    print(json.dumps(result, indent=2))
    if options.json:
        write_json(options.json, result)


if __name__ == "__main__":
    main()
