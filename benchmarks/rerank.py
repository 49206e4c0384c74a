"""Re-ranking by k-reciprocal encoding: gain, time and memory for all of Market-1501, beside the dense way, in one run.

    python benchmarks/rerank.py --data /path/to/Market-1501 --model MODEL --json results/benchmark-rerank.json

Each way runs in a process of its own with NumPy and the embeddings alone, so its peak memory is what it needs. The dense way
works like the authors' released code: whole matrices, all rows sorted, one image after the other. Without --data the embeddings
are random but clustered.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resight.datasets.records import Records
from resight.evaluation.protocol import evaluate, score_distances
from resight.files import write_json
from resight.progress import TerminalProgress
from resight.provenance import provenance
from resight.ranking.rerank import PAPER, rerank

Vectors = NDArray[np.float32]


def dense(queries: Vectors, gallery: Vectors) -> Vectors:
    """The same distances from matrices of (queries + gallery)^2 numbers, as `resight.ranking.rerank.rerank` explains them."""
    images = np.concatenate([queries, gallery])
    count, k = len(images), PAPER.k1 + 1
    squares = np.einsum("ij,ij->i", images, images)
    distances = images @ images.T
    distances *= -2
    distances += squares
    distances += squares[:, None]
    np.maximum(distances, 0, out=distances)
    distances /= distances.max(axis=1)[:, None]
    np.fill_diagonal(distances, -1)
    nearest = np.argsort(distances, axis=1).astype(np.int32)
    np.fill_diagonal(distances, 0)

    def reciprocal(image: int, k: int) -> NDArray[np.int32]:
        found: NDArray[np.int32] = nearest[image, :k]
        return found[(nearest[found, :k] == image).any(axis=1)]

    halves = [reciprocal(image, round(PAPER.k1 / 2) + 1) for image in range(count)]
    encodings = np.zeros((count, count), np.float32)
    for image in range(count):
        members = reciprocal(image, k)
        joining = [halves[other] for other in members if len(np.intersect1d(halves[other], members)) > 2 / 3 * len(halves[other])]
        everyone = np.unique(np.concatenate([members, *joining]))
        weights = np.exp(-distances[image, everyone])
        encodings[image, everyone] = weights / weights.sum()
    original = distances[: len(queries), len(queries) :].copy()
    del distances
    expanded = np.empty_like(encodings)
    for image in range(count):
        encodings[nearest[image, : PAPER.k2]].mean(axis=0, out=expanded[image])
    encoded_by = [np.flatnonzero(column) for column in expanded.T]
    result = np.empty_like(original)
    for query in range(len(queries)):
        minima = np.zeros(count, np.float32)
        for column in np.flatnonzero(expanded[query]):
            others = encoded_by[column]
            minima[others] += np.minimum(expanded[query, column], expanded[others, column])
        overlap = minima[len(queries) :]
        result[query] = (1 - PAPER.original_weight) * (1 - overlap / (2 - overlap)) + PAPER.original_weight * original[query]
    return result


CONTESTANTS = {"resight": rerank, "dense": dense}


def embeddings(data: str, model: str, file: str) -> tuple[Vectors, Vectors, Records, Records]:
    """Embeddings of queries and gallery, without junk."""
    from resight.datasets import open_dataset
    from resight.models import load_model
    from resight.models.embedding import embed_files

    dataset = open_dataset(data)
    if file:
        everyone = np.load(file)
    else:
        with TerminalProgress() as progress:
            everyone = embed_files(load_model(model), dataset.query.paths + dataset.gallery.paths, progress=progress)
    kept = np.flatnonzero(dataset.gallery.identities > -1)
    queries, gallery = np.split(everyone, [len(dataset.query)])
    return queries, gallery[kept], dataset.query, dataset.gallery.select(kept)


def contest(name: str, folder: Path, rounds: int) -> None:
    """One contestant, alone in its process: print its times and peak memory, and write its result."""
    queries, gallery = np.load(folder / "queries.npy"), np.load(folder / "gallery.npy")
    work = CONTESTANTS[name]
    if rounds > 1:
        work(queries, gallery)  # not counted
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        result = work(queries, gallery)
        times.append(time.perf_counter() - start)
        np.save(folder / f"{name}.npy", result)
        del result
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # Linux counts in KiB
    print(json.dumps({"seconds": times, "seconds_median": statistics.median(times), "peak_memory_gib": peak}))


def compare(queries: Vectors, gallery: Vectors, rounds: int, with_dense: bool) -> tuple[dict[str, Any], Vectors]:
    """Let the contestants re-rank the same embeddings; their figures, and the distances of the first."""
    figures: dict[str, Any] = {"queries": len(queries), "gallery": len(gallery)}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        np.save(folder / "queries.npy", queries)
        np.save(folder / "gallery.npy", gallery)
        for name in ("resight", "dense")[: 1 + with_dense]:
            arguments = [sys.executable, __file__, "--contest", name, "--folder", temporary]
            done = subprocess.run(
                [*arguments, "--rounds", str(rounds if name == "resight" else 1)], stdout=subprocess.PIPE, text=True, check=True
            )
            figures[name] = json.loads(done.stdout)
            print("{name}: {seconds_median:.2f} s, {peak_memory_gib:.2f} GiB at most".format(name=name, **figures[name]))
        found: Vectors = np.load(folder / "resight.npy")
        if with_dense:
            differences = np.abs(found - np.load(folder / "dense.npy"))
            # Where float32 cannot tell who is nearer, the dense way takes either.
            figures["differ_by_more_than_1e-5"] = float((differences > 1e-5).mean())
            figures["ratio"] = figures["dense"]["seconds_median"] / figures["resight"]["seconds_median"]
            print(f"ratio: {figures['ratio']:.1f}; share of unequal distances: {figures['differ_by_more_than_1e-5']:.1e}")
            if figures["differ_by_more_than_1e-5"] > 1e-3:
                sys.exit("the two disagree")
    return figures, found


def main() -> None:
    """Run the benchmark as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", metavar="FOLDER", help="Market-1501; random embeddings without it")
    parser.add_argument("--model", default="", help="run folder or NETWORK:FILE")
    parser.add_argument("--vectors", metavar="FILE", default="", help="what `resight extract --images FOLDER` wrote for it (.npy)")
    parser.add_argument("--rounds", type=int, default=5, help="measurements, after one that is not counted (default 5)")
    parser.add_argument("--no-dense", action="store_true", help="leave the dense way at full size out: it takes minutes and 8 GB")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", metavar="FILE", help="write the figures here")
    parser.add_argument("--contest", choices=CONTESTANTS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.contest:
        contest(options.contest, options.folder, options.rounds)
        return
    if options.data:
        queries, gallery, query, images = embeddings(options.data, options.model, options.vectors)
    else:
        from ranking import clustered  # the benchmark beside this one

        queries, gallery, query, images = clustered(3368, 15913, 512, options.seed)
    figures: dict[str, Any] = {"embedding_size": queries.shape[1]}
    print("a quarter of the images:")
    figures["quarter"], _ = compare(queries[::4], gallery[::4], options.rounds, True)
    print("all images:")
    figures["all"], distances = compare(queries, gallery, options.rounds, not options.no_dense)
    people = query.identities, query.cameras, images.identities, images.cameras
    for name, scores in (("before", evaluate(queries, gallery, query, images)), ("after", score_distances(distances, *people))):
        figures[name] = scores.to_dict()
        print(f"{name}: Rank-1 {100 * scores.rank1:.2f}, mAP {100 * scores.map:.2f}")
    if options.json:
        config = {
            "model": options.model,
            "data": Path(options.data).name if options.data else "generated",
            "rounds": options.rounds,
        }
        config["threads"] = os.environ.get("OMP_NUM_THREADS", "one for each core")
        write_json(options.json, {"figures": figures, "provenance": provenance(config, seed=options.seed)})


if __name__ == "__main__":
    main()
