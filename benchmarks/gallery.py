"""Time of one search in a gallery on the disk, beside faiss's flat index and usearch's exact search, in one run.

    python benchmarks/gallery.py --json results/benchmark-gallery.json

Sightings are drawn around one centre for each person. Half of the queries show people of the gallery, half show strangers.
Strangers are harder for a search that skips far segments, because nothing is near them. All answers are compared with a sort of
distances in float64. The others answer a single query on one thread; usearch's exact search has no filter.
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import usearch
import usearch.index
from numpy.typing import NDArray
from usearch.index import MetricKind

from resight.files import write_json
from resight.gallery import Gallery, Settings, Sighting, Where
from resight.provenance import provenance, usable_cores

Vectors = NDArray[np.float32]

START = datetime(2026, 1, 1, tzinfo=UTC)
CAMERAS = 6
IMAGES_OF_A_PERSON = 20
CHUNK = 10_000


def draw(rng: np.random.Generator, centres: Vectors) -> Vectors:
    """A unit vector beside each centre."""
    vectors = centres + 1.3 * rng.standard_normal(centres.shape, np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def fill(gallery: Gallery, size: int, centres: Vectors, seed: int) -> tuple[Vectors, NDArray[np.bool_], NDArray[np.str_]]:
    """Add sightings; their vectors, whether the filter means them, and their ids."""
    rng = np.random.default_rng(seed)
    people = rng.permutation(size) // IMAGES_OF_A_PERSON
    cameras, seconds = rng.integers(0, CAMERAS, size), rng.permutation(size)
    vectors = np.empty((size, centres.shape[1]), np.float32)
    ids = np.array([hashlib.sha256(str(number).encode()).hexdigest()[:32] for number in range(size)])
    for start in range(0, size, CHUNK):
        part = slice(start, start + CHUNK)
        vectors[part] = draw(rng, centres[people[part]])
        columns = (ids[part].tolist(), vectors[part], cameras[part].tolist(), seconds[part].tolist())
        gallery.add([sighting(*row) for row in zip(*columns, strict=True)])
    return vectors, np.isin(cameras, [1, 3]) & (seconds >= size // 4) & (seconds < size // 4 + size // 2), ids


def sighting(id: str, vector: Vectors, camera: int, second: int) -> Sighting:
    """One without a picture, which no search looks at."""
    time = START + timedelta(seconds=second)
    return Sighting(id=id, embedding=vector, thumbnail=b"no picture", enrolled=START, camera=str(camera), time=time)


def filter_of(size: int) -> Where:
    """Two cameras of six and half of the time: a sixth of the gallery."""
    start = START + timedelta(seconds=size // 4)
    return Where(cameras=frozenset("13"), since=start, until=start + timedelta(seconds=size // 2))


def truth(queries: Vectors, vectors: Vectors, ids: NDArray[np.str_], k: int) -> list[list[str]]:
    """The ids of the nearest, by sorting all distances in float64, equally near ones by id."""
    found = []
    for query in queries.astype(np.float64):
        squares = np.concatenate(
            [((vectors[start : start + CHUNK] - query) ** 2).sum(axis=1) for start in range(0, len(vectors), CHUNK)]
        )
        near = np.flatnonzero(squares <= np.partition(squares, k - 1)[k - 1])
        found.append(ids[near[np.lexsort((ids[near], squares[near]))][:k]].tolist())
    return found


def milliseconds(search: Callable[[Vectors], object], queries: Vectors) -> list[float]:
    """Wall-clock time of each query by itself."""
    times = []
    for query in queries:
        start = time.perf_counter()
        search(query[None])
        times.append(1000 * (time.perf_counter() - start))
    return times


def measure(size: int, options: argparse.Namespace) -> dict[str, Any]:
    """All figures for a gallery of some size."""
    rng = np.random.default_rng(options.seed + 1)
    k, strangers, people = options.k, options.queries // 2, -(-size // IMAGES_OF_A_PERSON)
    centres = rng.standard_normal((people + strangers, options.dimensions), np.float32)
    figures: dict[str, Any] = {"size": size}
    settings = Settings(
        model="random", model_sha256="0" * 64, height=1, width=1, dimension=options.dimensions, distance="euclidean", retention=None
    )
    with tempfile.TemporaryDirectory() as folder:
        with Gallery.create(Path(folder) / "gallery", settings) as gallery:
            start = time.perf_counter()
            vectors, chosen, ids = fill(gallery, size, centres[:-strangers], options.seed)
            figures["fill_seconds"] = time.perf_counter() - start
        asked = rng.permutation(people)[: options.queries - strangers]
        queries = draw(rng, np.concatenate([centres[asked], centres[-strangers:]]))
        flat = faiss.IndexFlatL2(options.dimensions)
        flat.add(vectors)
        faiss.omp_set_num_threads(usable_cores())
        rows = np.flatnonzero(chosen)
        bits = np.packbits(chosen, bitorder="little")
        parameters = faiss.SearchParameters(sel=faiss.IDSelectorBitmap(bits))
        with Gallery.open(Path(folder) / "gallery") as gallery:
            start = time.perf_counter()
            gallery._store.search(queries[:1], k)
            figures["open_seconds"] = time.perf_counter() - start
            where = filter_of(size)
            contestants: dict[str, dict[str, Callable[[Vectors], Any]]] = {
                "all": {
                    "gallery": lambda q: gallery._store.search(q, k),
                    "faiss": lambda q: flat.search(q, k),
                    "usearch": lambda q: usearch.index.search(vectors, q, k, MetricKind.L2sq, exact=True),
                },
                "filtered": {
                    "gallery": lambda q: gallery._store.search(q, k, where),
                    "faiss": lambda q: flat.search(q, k, params=parameters),
                },
            }
            figures["filtered_size"] = len(rows)
            for name, searches in contestants.items():
                some = slice(None) if name == "all" else rows
                expected = truth(queries, vectors[some], ids[some], k)
                found, _ = searches["gallery"](queries)
                figures[f"{name}_recall"] = float(
                    np.mean([len(set(a) & set(b)) / k for a, b in zip(found.tolist(), expected, strict=True)])
                )
                figures[f"{name}_same_order"] = found.tolist() == expected
                times: dict[str, list[float]] = {contestant: [] for contestant in searches}
                start, turn = time.monotonic(), 0
                while turn <= options.rounds or time.monotonic() < start + options.seconds:
                    for contestant, search in searches.items():
                        measured = milliseconds(search, queries)
                        times[contestant] += measured if turn else []  # the first round warms up
                    turn += 1
                for contestant, measured in times.items():
                    figures[f"{name}_{contestant}_ms_median"] = statistics.median(measured)
                    figures[f"{name}_{contestant}_ms_p99"] = float(np.quantile(measured, 0.99))
                medians = ", ".join(f"{contestant} {figures[f'{name}_{contestant}_ms_median']:.2f} ms" for contestant in searches)
                print(f"{size:,} {name}: {medians}, recall {figures[f'{name}_recall']}")
    return figures


def main() -> None:
    """Run the benchmark as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sizes", type=int, nargs="+", default=[20_000, 100_000, 1_000_000])
    parser.add_argument("--dimensions", type=int, default=256)
    parser.add_argument("--queries", type=int, default=50)
    parser.add_argument("--k", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each, in turn: at least so many (default 5)")
    parser.add_argument("--seconds", type=float, default=10, help="and for so long (default 10): machines have slow moments")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", metavar="FILE", help="write the figures here")
    options = parser.parse_args()
    galleries = [measure(size, options) for size in options.sizes]
    if options.json:
        config = {name: value for name, value in vars(options).items() if name != "json"}
        figures = {"galleries": galleries, "faiss": faiss.__version__, "usearch": usearch.__version__}
        write_json(options.json, {"figures": figures, "provenance": provenance(config, seed=options.seed)})
    if any(gallery["all_recall"] < 1 or gallery["filtered_recall"] < 1 for gallery in galleries):
        sys.exit("the recall is not 1")


if __name__ == "__main__":
    main()
