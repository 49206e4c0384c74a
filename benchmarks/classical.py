"""Time of the classical pipeline in one run: LOMO per image, XQDA's fit, one query and all queries against the gallery.

    python benchmarks/classical.py --data /path/to/Market-1501 --json results/benchmark-classical.json

Without --data the images are generated. That times the same work, except XQDA's fit, which depends on the spread of the
descriptors. OPENBLAS_NUM_THREADS or OMP_NUM_THREADS sets the threads of matrix products; the default is one for each core.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resight.datasets.records import Records
from resight.distances.xqda import XQDA
from resight.files import write_json
from resight.lomo.descriptor import RETINEX, lomo, warm_up
from resight.progress import TerminalProgress, silent
from resight.provenance import provenance

SIZE = (128, 64)
_START_UP = """
import time
from resight.lomo.descriptor import warm_up
start = time.perf_counter()
warm_up()
print(time.perf_counter() - start)
"""
Pixels = NDArray[np.uint8]


def generated(images: int, seed: int) -> tuple[Pixels, Records]:
    """Images of coloured patches that people keep and cameras tint, 17 of each person by six cameras."""
    rng = np.random.default_rng(seed)
    identities, cameras = np.arange(images) // 17 + 1, rng.integers(1, 7, images)
    people = rng.integers(0, 256, (identities[-1] + 1, 16, 8, 3)).astype(np.int16)
    tints = rng.integers(-40, 41, (7, 1, 1, 3)).astype(np.int16)
    pixels = np.empty((images, *SIZE, 3), np.uint8)
    for row in range(images):
        patches = np.clip(people[identities[row]] + tints[cameras[row]], 0, 255)
        noise = rng.integers(-12, 13, pixels[row].shape, dtype=np.int16)
        pixels[row] = np.clip(np.repeat(np.repeat(patches, 8, axis=0), 8, axis=1) + noise, 0, 255)
    return pixels, Records(tuple(map(str, range(images))), identities, cameras)


def market(folder: str, images: int) -> tuple[Pixels, Records, Pixels, Pixels]:
    """Training pixels and records, and the pixels of queries and gallery."""
    from resight.datasets.market1501 import load
    from resight.images import load_pixels

    data = load(folder)
    train = data.train.select(np.arange(min(images, len(data.train))))
    return (
        load_pixels(train.paths, SIZE),
        train,
        load_pixels(data.query.paths, SIZE),
        load_pixels(data.gallery.paths, SIZE),
    )


def seconds(work: Callable[[], object], rounds: int) -> list[float]:
    """Wall-clock seconds of each call, after one that is not measured."""
    work()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return times


def start_up() -> dict[str, float]:
    """Seconds to compile LOMO's loops in a fresh process, and to load them from the cache in the next."""
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "NUMBA_CACHE_DIR": cache}
        first, second = (
            float(subprocess.run([sys.executable, "-c", _START_UP], env=environment, capture_output=True, check=True).stdout)
            for _ in range(2)
        )
    return {"compile_seconds": first, "load_from_cache_seconds": second}


def main() -> None:
    """Run the benchmark as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", metavar="FOLDER", help="Market-1501; generated images without it")
    parser.add_argument("--images", type=int, default=12936, help="training images at most (default: all of Market-1501's)")
    parser.add_argument("--lomo-images", type=int, default=512, help="images of each measurement of LOMO (default 512)")
    parser.add_argument("--retinex", choices=RETINEX, default="msrcp", help="for the descriptors that XQDA is fitted to")
    parser.add_argument("--dimensions", type=int, default=75, help="of XQDA (default 75)")
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each (default 5)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-fit", action="store_true", help="stop after LOMO")
    parser.add_argument("--json", metavar="FILE", help="write the figures here")
    options = parser.parse_args()
    figures: dict[str, Any] = {"start_up": start_up()}
    say(
        "LOMO, start-up: {compile_seconds:.1f} s to compile once, {load_from_cache_seconds:.2f} s from the cache",
        **figures["start_up"],
    )
    warm_up()
    if options.data:
        train, records, queries, gallery = market(options.data, options.images)
    else:
        train, records = generated(options.images, options.seed)
        queries, gallery = generated(3368, options.seed + 1)[0], generated(19732, options.seed + 2)[0]

    sample = train[: options.lomo_images]
    for retinex in RETINEX:
        for workers in (1, 2):
            times = seconds(lambda retinex=retinex, workers=workers: lomo(sample, retinex, workers=workers), options.rounds)  # type: ignore[misc]
            each = [1000 * t / len(sample) for t in times]
            figures[f"lomo_{retinex}_{workers}_workers_ms"] = {"median": statistics.median(each), "rounds": each}
            say("LOMO, Retinex {r}, {n} worker(s): {t:.3f} ms per 128x64 image", r=retinex, n=workers, t=statistics.median(each))

    if not options.no_fit:
        features = lomo(train, options.retinex)
        model = XQDA(options.dimensions)
        start = time.perf_counter()
        with TerminalProgress() as progress:
            model.fit(features, records.identities, records.cameras, progress=progress if sys.stderr.isatty() else silent)
        figures["xqda_fit_seconds"] = time.perf_counter() - start
        figures["xqda_dimensions"], figures["xqda_shape"] = model.dimensions_, features.shape
        figures["peak_memory_gib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # Linux counts in KiB
        say(
            "XQDA, fit to {n} x {d}: {t:.1f} s, {k} dimensions, {m:.2f} GiB of memory at most, images and descriptors included",
            n=len(features),
            d=features.shape[1],
            t=figures["xqda_fit_seconds"],
            k=model.dimensions_,
            m=figures["peak_memory_gib"],
        )
        del features, train
        prepared = model.prepare(lomo(gallery, options.retinex))
        described = lomo(queries, options.retinex)
        one = seconds(lambda: prepared.distances(model.transform(described[:1])), 50 * options.rounds)
        projected = model.transform(described)
        every = seconds(lambda: prepared.distances(projected), options.rounds)
        with_projection = seconds(lambda: prepared.distances(model.transform(described)), options.rounds)
        figures["one_query_ms"] = 1000 * statistics.median(one)
        figures["all_queries_ms_each"] = 1000 * statistics.median(every) / len(described)
        figures["all_queries_with_projection_ms_each"] = 1000 * statistics.median(with_projection) / len(described)
        figures["queries"], figures["gallery"] = len(described), len(prepared)
        say("XQDA, one query with its projection against {g}: {t:.3f} ms", g=len(prepared), t=figures["one_query_ms"])
        say(
            "XQDA, {q} queries at once: {t:.3f} ms each, {u:.3f} ms with their projection",
            q=len(described),
            t=figures["all_queries_ms_each"],
            u=figures["all_queries_with_projection_ms_each"],
        )
    if options.json:
        config = {name: value for name, value in vars(options).items() if name not in ("json", "data")}
        config["data"] = Path(options.data).name if options.data else "generated"
        write_json(options.json, {"figures": figures, "provenance": provenance(config, seed=options.seed)})


def say(template: str, **values: Any) -> None:
    """One line of the report."""
    sys.stdout.write(template.format(**values) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
