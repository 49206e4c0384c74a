"""Time of ranking and scoring: `resight.evaluation.protocol.evaluate` beside the plain loop over queries, in one run.

    python benchmarks/ranking.py --json results/benchmark-ranking.json

The embeddings are random but clustered, by default as many as Market-1501 has. Both ways must give the same mAP.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resight.datasets.records import Records
from resight.evaluation.protocol import evaluate
from resight.files import write_json
from resight.provenance import provenance

Data = tuple[NDArray[np.float32], NDArray[np.float32], Records, Records]


def clustered(queries: int, gallery: int, dimensions: int, seed: int) -> Data:
    """Embeddings of unit length around one centre for each of 750 people, 18 images each, then distractors.

    Returns
    -------
    tuple
        Query and gallery embeddings, query and gallery records.
    """
    rng = np.random.default_rng(seed)
    people = min(750, queries)
    centres = rng.standard_normal((people + 1, dimensions), np.float32)

    def draw(identities: NDArray[np.int64]) -> tuple[NDArray[np.float32], Records]:
        # So much noise makes it about as hard as Market-1501 is for a small network.
        vectors = centres[identities] + 2.6 * rng.standard_normal((len(identities), dimensions), np.float32)
        strangers = identities == 0
        vectors[strangers] = 2.8 * rng.standard_normal((int(strangers.sum()), dimensions), np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        paths = tuple(map(str, range(len(identities))))
        return vectors, Records(paths, identities, rng.integers(1, 7, len(identities)))

    query_vectors, query = draw(np.arange(queries) % people + 1)
    identities = np.where(np.arange(gallery) < 18 * people, np.arange(gallery) % people + 1, 0)
    gallery_vectors, gallery_records = draw(rng.permutation(identities))
    return query_vectors, gallery_vectors, query, gallery_records


def plain_loop(queries: NDArray[np.float32], images: NDArray[np.float32], query: Records, gallery: Records) -> float:
    """Non-interpolated mAP and CMC as usual: one matrix product, then for every query a sort, a mask and a running sum."""
    distances = (queries**2).sum(1)[:, None] + (images**2).sum(1)[None] - 2 * queries @ images.T
    precisions = []
    found_by_rank = np.zeros(50)
    for row in range(len(queries)):
        order = np.argsort(distances[row])
        matches = gallery.identities[order] == query.identities[row]
        junk = matches & (gallery.cameras[order] == query.cameras[row]) | (gallery.identities[order] == -1)
        matches = matches[~junk]
        if not matches.any():
            continue
        found = np.cumsum(matches)
        precision = found / np.arange(1, len(matches) + 1)
        precisions.append((precision * matches).sum() / found[-1])
        found_by_rank += found[:50] > 0
    return float(np.mean(precisions))


def peak_megabytes(work: Callable[[], object]) -> float:
    """The most memory that NumPy and Python held at once while `work` ran, beyond what was there."""
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1e6


def seconds(work: Callable[[], object]) -> float:
    """Wall-clock seconds of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    """Run the benchmark as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--queries", type=int, default=3368)
    parser.add_argument("--gallery", type=int, default=15913)
    parser.add_argument("--dimensions", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each, in turn (default 5)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-plain", action="store_true", help="leave the plain loop out: it holds the whole matrix")
    parser.add_argument("--json", metavar="FILE", help="write the figures here")
    options = parser.parse_args()
    data = clustered(options.queries, options.gallery, options.dimensions, options.seed)

    contestants: dict[str, Callable[[], Any]] = {"evaluate": lambda: evaluate(*data)}
    if not options.no_plain:
        contestants["plain_loop"] = lambda: plain_loop(*data)
    # The first, unmeasured round warms the processor up and shows that both mean the same.
    figures: dict[str, Any] = {"map": contestants["evaluate"]().map}
    if "plain_loop" in contestants:
        figures["map_plain_loop"] = contestants["plain_loop"]()
        if abs(figures["map"] - figures["map_plain_loop"]) > 1e-4:
            sys.exit(f"the two disagree: mAP {figures['map']} and {figures['map_plain_loop']}")
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(options.rounds):
        for name, work in contestants.items():
            times[name].append(seconds(work))
    for name, work in contestants.items():
        figures[f"{name}_seconds"] = times[name]
        figures[f"{name}_seconds_median"] = statistics.median(times[name])
        figures[f"{name}_peak_megabytes"] = peak_megabytes(work)
        median, peak = figures[f"{name}_seconds_median"], figures[f"{name}_peak_megabytes"]
        print(f"{name}: {median:.3f} s, {peak:.0f} MB beyond the embeddings")
    if "plain_loop" in contestants:
        figures["ratio"] = figures["plain_loop_seconds_median"] / figures["evaluate_seconds_median"]
        print(f"ratio: {figures['ratio']:.1f}")
    if options.json:
        config = {name: value for name, value in vars(options).items() if name != "json"}
        write_json(options.json, {"figures": figures, "provenance": provenance(config, seed=options.seed)})


if __name__ == "__main__":
    main()
