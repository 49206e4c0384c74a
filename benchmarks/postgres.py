"""Recall, processor time, memory and disk of a search: the index in memory, exact PostgreSQL, and HNSW by its candidates.

    python benchmarks/postgres.py --rows 10000 100000 --json results/benchmark-postgres.json

Vectors are drawn with the spread of the shipped student's on Market-1501's training people: 79 % between people and 21 % within,
each falling off by a factor of e in so many directions. Half of the queries show people of the gallery. Times are processor times
of one core, of the client and of the server's process together, so that other work on the machine does not count. At the end, one
of 30 days is purged, as a retention would, with and without the index.

With --keep DIR, the last database stays in DIR with its index instead, and waiting times are measured on it, when nothing else
runs on the machine:

    python benchmarks/postgres.py --rows 1000000 --no-memory --keep DIR --json results/benchmark-postgres-million.json
    python benchmarks/postgres.py --latency DIR --json results/benchmark-postgres-latency.json

The first command, given again, measures the searches by the index again in the database that it left. In the second, so many
clients, each a process with a connection of its own, ask one query after the other: at once, and then together so many a second, at
random moments.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
from database import SHARED_BUFFERS, started
from numpy.typing import NDArray

from resight.files import read_json, write_json
from resight.gallery import Gallery, Settings, Sighting, Store, Where, sighting_id, upkeep
from resight.gallery.store.postgres import PostgresStore
from resight.provenance import provenance

Vectors = NDArray[np.float32]

START = datetime(2026, 1, 1, tzinfo=UTC)
DAYS, K, CHUNK = 30, 10, 5_000
IMAGES_OF_A_PERSON = 20
BETWEEN, WITHIN = (0.79, 17.5), (0.21, 39.0)
"""Variance, and directions in which it falls by a factor of e."""
THUMBNAIL = 2000  # bytes
OPTIONS = (
    "options=-c%20max_parallel_workers_per_gather%3D0%20-c%20max_parallel_maintenance_workers%3D0%20-c%20maintenance_work_mem%3D"
)


def spread(rng: np.random.Generator, count: int, dimension: int, variance: float, directions: float) -> Vectors:
    """Random vectors whose variance falls off."""
    shares = np.exp(-np.arange(dimension) / directions)
    return rng.standard_normal((count, dimension), np.float32) * np.sqrt(variance * shares / shares.sum()).astype(np.float32)


def draw(rng: np.random.Generator, centres: Vectors) -> Vectors:
    """A unit vector beside each centre."""
    vectors = centres + spread(rng, *centres.shape, *WITHIN)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


class World:
    """Drawn sightings, and queries with their true answers."""

    def __init__(self, rows: int, options: argparse.Namespace) -> None:
        rng = np.random.default_rng(options.seed)
        strangers = options.queries // 2
        centres = spread(rng, -(-rows // IMAGES_OF_A_PERSON) + strangers, options.dimensions, *BETWEEN)
        people = rng.permutation(rows) // IMAGES_OF_A_PERSON
        self.vectors = np.concatenate([draw(rng, centres[people[at : at + CHUNK]]) for at in range(0, rows, CHUNK)])
        self.cameras, self.seconds = rng.integers(0, options.cameras, rows), rng.permutation(rows) * (86_400 * DAYS / rows)
        self.ids = np.array([sighting_id("", str(number), None) for number in range(rows)])
        asked = rng.permutation(people)[: options.queries - strangers]
        self.queries = draw(rng, np.concatenate([centres[asked], centres[-strangers:]]))
        self.thumbnails = [rng.bytes(THUMBNAIL) for _ in range(100)]
        ten_days = (self.seconds >= 86_400 * 10) & (self.seconds < 86_400 * 20)
        one = Where(cameras=frozenset("1"))
        since, until = (START + timedelta(days=days) for days in (10, 20))
        self.filters: dict[str, tuple[Where, NDArray[np.bool_]]] = {
            "all": (Where(), np.ones(rows, bool)),
            "one camera": (one, self.cameras == 1),
            "one camera, ten days": (replace(one, since=since, until=until), (self.cameras == 1) & ten_days),
        }

    def parts(self) -> Iterator[list[Sighting]]:
        """The sightings."""
        for start in range(0, len(self.ids), CHUNK):
            yield [
                Sighting(
                    id=str(self.ids[number]),
                    embedding=self.vectors[number],
                    thumbnail=self.thumbnails[number % len(self.thumbnails)],
                    enrolled=START + timedelta(days=DAYS),
                    camera=str(self.cameras[number]),
                    time=START + timedelta(seconds=float(self.seconds[number])),
                )
                for number in range(start, min(start + CHUNK, len(self.ids)))
            ]

    def truth(self, chosen: NDArray[np.bool_]) -> list[set[str]]:
        """The ids of the nearest, by all distances in float64."""
        numbers = np.flatnonzero(chosen)
        best = np.full((len(self.queries), K), -1)
        cosines = np.full(best.shape, -np.inf)
        for at in range(0, len(numbers), CHUNK):
            some = numbers[at : at + CHUNK]
            both = np.hstack([cosines, self.queries.astype(np.float64) @ self.vectors[some].astype(np.float64).T])
            order = np.argpartition(-both, K - 1, axis=1)[:, :K]
            cosines = np.take_along_axis(both, order, axis=1)
            best = np.take_along_axis(np.hstack([best, np.broadcast_to(some, (len(best), len(some)))]), order, axis=1)
        return [set(self.ids[row[row >= 0]].tolist()) for row in best]


def processor(server: int) -> float:
    """Milliseconds that this process has computed for, and a process of the server, if there is one, which waits now."""
    theirs = int(Path(f"/proc/{server}/schedstat").read_text().split()[0]) / 1e6 if server else 0.0
    return 1000 * time.process_time() + theirs


def ended(pid: int) -> float:
    """Processor seconds of a process's children that have ended, such as a server's connections."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


def searched(store: Store, world: World, server: int, most: int) -> dict[str, Any]:
    """Recall and time for each filter."""
    figures: dict[str, Any] = {}
    for name, (where, chosen) in world.filters.items():
        expected, hits, times = world.truth(chosen), [], []
        store.search(world.queries[:1], K, where)
        for query, right in list(zip(world.queries, expected, strict=True))[:most]:
            before = processor(server)
            ids, _ = store.search(query[None], K, where)
            times.append(processor(server) - before)
            hits.append(len(right & set(ids[0].tolist())) / K)
        figures[name] = {
            "rows": int(chosen.sum()),
            "recall": float(np.mean(hits)),
            "ms_median": float(np.median(times)),
            "ms_p99": float(np.quantile(times, 0.99)),
            "queries": len(times),
        }
        print(name, figures[name], flush=True)
    return figures


def resident() -> int:
    """Bytes of memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def in_memory(world: World, settings: Settings, folder: Path) -> dict[str, Any]:
    """Figures of a gallery in a folder."""
    with Gallery.create(folder, settings) as gallery:
        for some in world.parts():
            gallery.add(some)
    with Gallery.open(folder) as gallery:
        before = resident()
        gallery._store.search(world.queries[:1], K)
        memory = resident() - before
        gallery._store._memory.threads = 1  # type: ignore[attr-defined]
        found = searched(gallery._store, world, 0, len(world.queries))
    size = sum(file.stat().st_size for file in folder.iterdir() if file.name.startswith("gallery.sqlite"))
    shutil.rmtree(folder)
    return {"memory_bytes": memory, "disk_bytes": size, "searches": found}


def in_postgres(world: World, settings: Settings, location: str, postmaster: int, options: argparse.Namespace) -> dict[str, Any]:
    """Figures of a gallery in PostgreSQL: exact, then with the index; and of a purge."""
    figures: dict[str, Any] = {}

    def spent(work: Callable[[], object]) -> float:
        before = ended(postmaster)
        work()
        time.sleep(0.5)  # the server notices the end of the connection
        return ended(postmaster) - before

    def ask(query: str) -> Any:
        with psycopg.connect(location, autocommit=True) as connection:
            return (connection.execute(query.encode()).fetchone() or (None,))[0]

    def search(candidates: int, most: int) -> dict[str, Any]:
        store = PostgresStore(location)
        store.settings = replace(store.settings, hnsw=candidates)
        found = searched(store, world, store._connection.info.backend_pid, most)
        store.close()
        return found

    made = options.keep / f"made-{len(world.ids)}.json" if options.keep and options.last else None
    if made and made.exists():
        figures |= read_json(made)
        search(options.candidates[-1], len(world.queries))  # the server reads the index into its memory
    else:
        figures["enrol_server_seconds"] = spent(lambda: PostgresStore.create(location, settings, world.parts()).close())
        figures["disk_bytes"] = ask("SELECT pg_total_relation_size('resight.sighting')")
        print(figures, flush=True)
        if options.storage:
            return figures | {"storage": storages(world, location, options)}
        figures["exact"] = search(0, options.exact_queries)
        figures["build_seconds"] = spent(lambda: upkeep.migrate(location, hnsw=options.candidates[0]))
        figures["index_bytes"] = ask("SELECT pg_relation_size('resight.nearest')")
        if made:
            write_json(made, figures)
        print(figures, flush=True)
    for candidates in options.candidates:
        figures[f"hnsw {candidates}"] = search(candidates, len(world.queries))
    if options.keep and options.last:
        np.save(options.keep / "queries.npy", world.queries)
        return figures

    def purge(days: int) -> None:
        with Gallery.open(location) as gallery:
            gallery.purge(Where(older_than=START + timedelta(days=days)))

    figures["purge_of_a_day_with_index_seconds"] = spent(lambda: purge(1))
    upkeep.migrate(location, hnsw=0)
    figures["purge_of_a_day_seconds"] = spent(lambda: purge(2))
    with psycopg.connect(location, autocommit=True) as connection:
        connection.execute("SET client_min_messages = error")
        connection.execute("DROP SCHEMA resight CASCADE")
    return figures


def storages(world: World, location: str, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Figures of the exact search with the vectors beside their rows and in them, in turn."""
    found: list[dict[str, Any]] = []
    for storage in ("EXTERNAL", "PLAIN", "EXTERNAL", "PLAIN"):
        with psycopg.connect(location, autocommit=True) as connection:
            connection.execute(f"ALTER TABLE resight.sighting ALTER COLUMN embedding SET STORAGE {storage}".encode())
            connection.execute("VACUUM (FULL, ANALYZE) resight.sighting")
            (size,) = connection.execute("SELECT pg_total_relation_size('resight.sighting')").fetchone() or (0,)
        store = PostgresStore(location)
        server = store._connection.info.backend_pid
        figures = searched(store, world, server, options.exact_queries)
        before = processor(server)
        store.records(Where(cameras=frozenset("1")))
        found.append({"storage": storage, "bytes": size, "list_ms": processor(server) - before, "searches": figures})
        store.close()
    return found


def client(
    location: str, queries: Vectors, where: Where, candidates: int, start: float, seconds: float, pause: float, seed: int
) -> list[float]:
    """Milliseconds that each search of one client takes; between two it waits `pause` seconds on average."""
    rng, times = np.random.default_rng(seed), []
    store = PostgresStore(location)
    store.settings = replace(store.settings, hnsw=candidates)
    for query in queries[:5]:
        store.search(query[None], K, where)
    time.sleep(max(0.0, start - time.time()))
    end = time.monotonic() + seconds
    time.sleep(rng.uniform(0, pause))
    while time.monotonic() < end:
        before = time.perf_counter()
        store.search(queries[rng.integers(len(queries))][None], K, where)
        times.append(1000 * (time.perf_counter() - before))
        time.sleep(rng.exponential(pause))
    store.close()
    return times


def latency(location: str, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Waiting times of many clients on a database that was kept."""
    queries = np.load(folder / "queries.npy")
    one = Where(cameras=frozenset("1"))
    with Gallery.open(location) as gallery:
        figures: dict[str, Any] = {"rows": len(gallery)}
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # of the clients
    with get_context("spawn").Pool(options.clients) as pool:
        for candidates in options.candidates:
            for name, where in (("all", Where()), ("one camera", one)):
                for rate in (0, options.rate):
                    pause = options.clients / rate if rate else 0.0
                    start = time.time() + (options.warm_up if len(figures) == 1 else 5)
                    work = [
                        (location, queries, where, candidates, start, options.seconds, pause, seed)
                        for seed in range(options.clients)
                    ]
                    times = np.concatenate(pool.starmap(client, work, chunksize=1))
                    key = f"hnsw {candidates}, {name}, {f'{rate:g} a second' if rate else 'one after the other'}"
                    figures[key] = {
                        "searches_per_second": len(times) / options.seconds,
                        "ms_p50": float(np.median(times)),
                        "ms_p99": float(np.quantile(times, 0.99)),
                        "searches": len(times),
                    }
                    print(key, figures[key], flush=True)
    return figures


@contextmanager
def running(folder: Path, build_memory: str, keep: bool) -> Iterator[tuple[str, int]]:
    """A server whose files are in a folder: its location and process."""
    server = started(folder, keep=keep)
    location = server.get_uri()
    location += f"{'&' if '?' in location else '?'}{OPTIONS}{build_memory}"
    try:
        yield location, int((folder / "server" / "postmaster.pid").read_text().split()[0])
    finally:
        server.cleanup()


def main() -> None:
    """Run the benchmark as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--dimensions", type=int, default=512)
    parser.add_argument("--cameras", type=int, default=20)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--exact-queries", type=int, default=10, help="queries of the exact search in PostgreSQL, which is slow")
    parser.add_argument("--candidates", type=int, nargs="+", default=[40, 100, 200, 400])
    parser.add_argument("--build-memory", default="2GB", help="maintenance_work_mem of the server")
    parser.add_argument("--storage", action="store_true", help="measure only how vectors are stored")
    parser.add_argument("--no-memory", action="store_true", help="leave the index in memory out")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="leave the last database here, instead of purging a day")
    parser.add_argument("--latency", type=Path, metavar="DIR", help="measure waiting times on a database that --keep left")
    parser.add_argument("--clients", type=int, default=20, help="of --latency")
    parser.add_argument("--rate", type=float, default=20.0, help="searches a second of all clients of --latency together")
    parser.add_argument("--seconds", type=float, default=30.0, help="of each measurement of --latency")
    parser.add_argument("--warm-up", type=float, default=30.0, help="seconds in which all clients of --latency start")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", metavar="FILE", help="write the figures here, after each number of rows")
    options = parser.parse_args()
    settings = Settings(
        model="random", model_sha256="0" * 64, height=1, width=1, dimension=options.dimensions, distance="cosine", retention=None
    )
    kept = options.latency or options.keep
    folder = kept.absolute() if kept else Path(tempfile.mkdtemp(prefix="resight-benchmark-"))
    home = str(Path.home())
    config = {name: str(value).replace(home, "~") if isinstance(value, Path) else value for name, value in vars(options).items()}
    del config["json"]
    config["shared_buffers"] = SHARED_BUFFERS
    galleries = []
    try:
        with running(folder, options.build_memory, bool(kept)) as (location, postmaster):
            if options.latency:
                figures = latency(location, folder, options)
                if options.json:
                    write_json(options.json, {"figures": figures, "provenance": provenance(config, seed=options.seed)})
                return
            for rows in options.rows:
                world = World(rows, options)
                found: dict[str, Any] = {"rows": rows}
                if not options.no_memory:
                    found["memory"] = in_memory(world, settings, folder / "gallery")
                options.last = rows == options.rows[-1]
                found["postgres"] = in_postgres(world, settings, location, postmaster, options)
                galleries.append(found)
                if options.json:
                    write_json(options.json, {"galleries": galleries, "provenance": provenance(config, seed=options.seed)})
    finally:
        if not kept:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
