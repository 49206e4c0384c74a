"""The service under load, and Market-1501's scores through it: `resight serve` in a process of its own, asked over HTTP.

    python benchmarks/service.py --json results/benchmark-service.json
    python benchmarks/service.py --market Market-1501-v15.09.15 --json results/market1501-service.json

Load: many clients, each with its own connection, search for small JPEG crops of drawn people in a gallery of random unit
vectors, one search after the other. A client that gets the answer 429 waits as long as it says, and its time begins again. All
clients are in one process beside the server's, on the same cores.

Market-1501: enrols the gallery's images, without junk, and searches for each query image. A query asks for more and more of the
ranked list until it holds all images of its person; the rest changes neither Rank-k nor average precision.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import re
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np

from resight.datasets import open_dataset
from resight.datasets.records import JUNK
from resight.drawn import crops
from resight.evaluation.model import evaluate_model
from resight.evaluation.protocol import score_distances
from resight.files import read_json, write_json
from resight.gallery import Gallery, Settings, Sighting, crops_of, sighting_id
from resight.gallery.sighting import draw_thumbnail
from resight.images import read_image
from resight.models import load_model
from resight.provenance import provenance

CAMERAS = 6
CHUNK = 10_000
BOUNDARY = "resight-benchmark"
START = datetime(2026, 1, 1, tzinfo=UTC)


@contextmanager
def served(folder: Path, *options: str) -> Iterator[tuple[int, str, subprocess.Popen[str]]]:
    """`resight serve` in a process: its port, a token and the process."""
    command = [sys.executable, "-m", "resight.cli", "serve", str(folder), "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            found = re.search(r":(\d+)/(?:#token=(\S+))?", line)
            if found is None:
                sys.exit(f"the service did not start: {line}")
            yield int(found[1]), found[2] or "", process
        finally:
            process.terminate()
            process.wait(300)  # it answers what it has been asked first, and the cores may be busy


def form(image: bytes, k: int) -> bytes:
    """The body of a search."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="k"\r\n\r\n{k}\r\n--{BOUNDARY}\r\n'
    head += 'Content-Disposition: form-data; name="images"; filename="crop.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
    return head.encode() + image + f"\r\n--{BOUNDARY}--\r\n".encode()


# Load ------------------------------------------------------------------------------------------------------------------------


def fill(folder: Path | str, size: int, pictures: list[Path], seed: int) -> None:
    """A gallery of random unit vectors, with thumbnails of drawn people."""
    rng = np.random.default_rng(seed)
    extractor = load_model("student")
    thumbnails = [draw_thumbnail(read_image(path)) for path in pictures]
    with Gallery.create(folder, Settings.for_model("student", extractor, retention=None)) as gallery:
        for start in range(0, size, CHUNK):
            count = min(CHUNK, size - start)
            vectors = rng.standard_normal((count, extractor.embedding_size), np.float32)
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
            gallery.add(
                [
                    Sighting(
                        id=sighting_id("", str(number), None),
                        embedding=vector,
                        thumbnail=thumbnails[number % len(thumbnails)],
                        enrolled=START,
                        camera=str(number % CAMERAS),
                        time=START + timedelta(seconds=number),
                        source=f"crop {number}",
                    )
                    for number, vector in enumerate(vectors, start)
                ]
            )


async def client(
    port: int, requests: Iterator[bytes], until: float, seconds: list[tuple[int, float]], context: ssl.SSLContext | None = None
) -> None:
    """One connection, one request after the other; the status of each and how long it took."""
    reader, writer = await asyncio.open_connection("localhost", port, ssl=context)
    while (started := time.perf_counter()) < until:
        writer.write(next(requests))
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        await reader.readexactly(int(length[1]) if length else 0)
        status = int(head[9:12])
        seconds.append((status, time.perf_counter() - started))
        if status == 429:
            wait = re.search(rb"(?i)retry-after: (\d+)", head)
            await asyncio.sleep(float(wait[1]) if wait else 1.0)
    writer.close()
    await writer.wait_closed()


def press(port: int, token: str, images: list[bytes], options: dict[str, Any]) -> dict[str, Any]:
    """All clients, in a process of their own: statuses, times, and the share of a core that the clients took."""
    bodies = [form(image, options["k"]) for image in images]
    certificate = options.get("certificate")  # of a server with TLS
    context = ssl.create_default_context(cafile=certificate) if certificate else None
    head = f"POST /api/search HTTP/1.1\r\nHost: localhost:{port}\r\nAuthorization: Bearer {token}\r\n"
    head += f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
    requests = cycle([f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body for body in bodies])

    async def all_clients(seconds: float) -> list[tuple[int, float]]:
        found: list[tuple[int, float]] = []
        until = time.perf_counter() + seconds
        await asyncio.gather(*(client(port, requests, until, found, context) for _ in range(options["clients"])))
        return found

    asyncio.run(all_clients(options["warm_up"]))
    started, processor = time.perf_counter(), time.process_time()
    found = asyncio.run(all_clients(options["seconds"]))
    elapsed = time.perf_counter() - started
    share = (time.process_time() - processor) / elapsed
    statuses = Counter(status for status, _ in found)
    answered = [1000 * taken for status, taken in found if status == 200]
    p50, p95, p99 = np.percentile(answered, [50, 95, 99]).tolist() if answered else (None, None, None)
    return {
        "requests": len(found),
        "requests_per_second": len(found) / elapsed,
        "searches_per_second": len(answered) / elapsed,
        "answered_ms": {"p50": p50, "p95": p95, "p99": p99, "max": max(answered, default=None)},
        "statuses": {str(status): count for status, count in sorted(statuses.items())},
        "share_429": statuses[429] / len(found),
        "errors_5xx": sum(count for status, count in statuses.items() if status >= 500),
        "client_cpu_share": share,
    }


def load(options: argparse.Namespace) -> dict[str, Any]:
    """Answers per second, and how long they take."""
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        crops.generate(root / "people", identities_train=2, identities_test=25, seed=options.seed)
        pictures = sorted((root / "people" / "query").glob("*.jpg"))
        print(f"filling a gallery with {options.size:,} vectors", flush=True)
        fill(root / "gallery", options.size, pictures, options.seed)
        extra = [] if options.queue is None else ["--queue", str(options.queue)]
        with served(root / "gallery", *extra) as (port, token, process):
            images = [path.read_bytes() for path in pictures]
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                before = cpu_seconds(process.pid)
                figures = pool.apply(press, (port, token, images, vars(options)))
                figures["server_cpu_seconds"] = cpu_seconds(process.pid) - before
            figures["server_memory_mb"] = memory_mb(process.pid)
    p50, p95, p99 = (figures["answered_ms"][name] for name in ("p50", "p95", "p99"))
    refused = 100 * figures["share_429"]
    print(
        f"{figures['searches_per_second']:.0f} searches/s; p50 {p50:.0f}, p95 {p95:.0f}, p99 {p99:.0f} ms\n"
        f"statuses {figures['statuses']}; 429: {refused:.1f} %; the clients took {figures['client_cpu_share']:.2f} of a core"
    )
    return figures


def cpu_seconds(pid: int) -> float:
    """Processor time that a process has used, warm-up included; 0 where the system does not say it."""
    try:
        user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    except OSError:
        return 0.0
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int) -> float | None:
    """Largest resident set of a process, where the system says it."""
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return None
    return int(found[1]) / 1000 if found else None


# Market-1501 -----------------------------------------------------------------------------------------------------------------


def search(port: int, token: str, image: bytes, k: int) -> dict[str, Any]:
    """One answer of the API."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/api/search", form(image, k), headers)
    with urllib.request.urlopen(request, timeout=120) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def market(options: argparse.Namespace) -> dict[str, Any]:
    """Rank-1 and mAP by searches, beside those of `resight evaluate`."""
    dataset = open_dataset(options.market)
    (split,) = dataset.splits
    gallery = split.gallery.select(split.gallery.identities != JUNK)
    query = split.query if options.queries is None else split.query.select(np.arange(len(split.query)) < options.queries)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "gallery"
        extractor = load_model("student")
        with Gallery.create(folder, Settings.for_model("student", extractor, retention=None)) as made:
            ids = made.enrol(extractor, crops_of(gallery)).ids
        if len(ids) != len(gallery):
            sys.exit(f"{len(gallery) - len(ids)} images cannot be read")
        columns: dict[str, list[int]] = {}
        for column, id in enumerate(ids):  # a crop that is there twice is one sighting
            columns.setdefault(id, []).append(column)
        distances = np.full((len(query), len(gallery)), np.inf, np.float32)
        with served(folder, "--max-k", str(len(columns))) as (port, token, _):

            def ask(row: int) -> int:
                image = Path(query.paths[row]).read_bytes()
                wanted = set(np.flatnonzero(gallery.identities == query.identities[row]).tolist())
                k = min(200, len(columns))
                for attempt in range(1, 9):
                    found = search(port, token, image, k)["matches"]
                    for match in found:
                        distances[row, columns[match["id"]]] = match["distance"]
                    last = max((distances[row, column] for column in wanted), default=np.inf)
                    # What is as far as the last that was found may go on beyond it.
                    if len(found) == len(columns) or last < found[-1]["distance"]:
                        return attempt
                    k = min(5 * k, len(columns))
                raise AssertionError("the whole gallery was asked for")

            started = time.perf_counter()
            with ThreadPoolExecutor(4) as pool:
                searches = 0
                for number, attempts in enumerate(pool.map(ask, range(len(query))), 1):
                    searches += attempts
                    if number % 100 == 0:
                        print(f"{number} of {len(query)} queries, {time.perf_counter() - started:.0f} s", flush=True)
            elapsed = time.perf_counter() - started
    far = np.isinf(distances)
    distances[far] = distances[~far].max() + 1
    scores = score_distances(distances, query.identities, query.cameras, gallery.identities, gallery.cameras).to_dict()
    figures = {"queries": len(query), "gallery": len(gallery), "sightings": len(columns), "searches": searches, "seconds": elapsed}
    figures |= {name: scores[name] for name in ("rank1", "rank5", "rank10", "map")}
    if options.compare:
        published = read_json(options.compare)
    else:
        print("evaluating without the service", flush=True)
        asked = replace(dataset, splits=(replace(split, query=query),))
        published = evaluate_model(extractor, asked).to_dict() | {"model_sha256": extractor.sha256}
    if published["model_sha256"] != extractor.sha256:
        sys.exit(f"{options.compare} is of another model")
    figures["evaluate"] = {name: published[name] for name in ("rank1", "rank5", "rank10", "map")}
    for name in ("rank1", "map"):
        print(f"{name}: {figures[name]:.4f} by the service, {figures['evaluate'][name]:.4f} by evaluate")
    return figures


def main() -> None:
    """Run the benchmark as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--size", type=int, default=100_000, help="sightings in the gallery (default 100,000)")
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=30, help="of load (default 30)")
    parser.add_argument("--warm-up", type=float, default=3, help="seconds before them (default 3)")
    parser.add_argument("--k", type=int, default=20, help="sightings that a search asks for (default 20)")
    parser.add_argument("--queue", type=int, help="uploads at once (default: the service's own)")
    parser.add_argument("--market", type=Path, metavar="DIR", help="measure Rank-1 and mAP on Market-1501 instead")
    parser.add_argument("--compare", type=Path, metavar="FILE", help="what `resight evaluate --json` wrote; computed unless given")
    parser.add_argument("--queries", type=int, help="only the first so many queries, to try it")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", metavar="FILE", help="write the figures here")
    options = parser.parse_args()
    figures = market(options) if options.market else load(options)
    if options.json:
        home = str(Path.home())
        config = {
            name: str(value).replace(home, "~") if isinstance(value, Path) else value
            for name, value in vars(options).items()
            if name != "json"
        }
        write_json(options.json, {"figures": figures, "provenance": provenance(config, seed=options.seed)})
    if figures.get("errors_5xx"):
        sys.exit("the service failed")


if __name__ == "__main__":
    main()
