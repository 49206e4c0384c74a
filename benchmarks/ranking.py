"""Time of ranking and scoring: `resight.evaluation.protocol.evaluate`, the plain loop over queries, and other packages, in one run.

    python benchmarks/ranking.py --peers build/peers --json results/benchmark-ranking.json

The embeddings are random but clustered, by default as many as Market-1501 has. All ways must give the same mAP. --peers names an
environment for torchreid, FastReID and Open Metric Learning (`benchmarks/ranking_peers.py`). It is made if it is not there, with
pip and a C compiler.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resight.datasets.records import Records
from resight.evaluation.protocol import evaluate
from resight.files import write_json
from resight.provenance import provenance

Data = tuple[NDArray[np.float32], NDArray[np.float32], Records, Records]

PEERS = {"torchreid": "0.2.5", "fastreid": "1.4.0", "oml": "4.0.0"}
"""Other packages, by the names of the functions in `ranking_peers`, and their versions."""

SLOW = 20
"""Seconds: whoever takes longer is measured once."""


def environment(folder: Path) -> Path:
    """The Python of an environment with the peers, made if it is not there."""
    python = folder / "bin" / "python"
    if not (folder / "whole").exists():
        venv.create(folder, with_pip=True, clear=True)
        pip = [str(python), "-m", "pip", "install", "--quiet"]
        others = ["torch", "omegaconf", "cython", "setuptools", f"torchreid=={PEERS['torchreid']}"]
        subprocess.run([*pip, *others, f"open-metric-learning[pipelines]=={PEERS['oml']}"], check=True)
        subprocess.run([*pip, "--no-deps", f"fastreid=={PEERS['fastreid']}"], check=True)  # it asks for an old PyTorch
        (compiled,) = folder.glob("lib/*/site-packages/fastreid/evaluation/rank_cylib")
        subprocess.run([str(python.absolute()), "setup.py", "--quiet", "build_ext", "--inplace"], cwd=compiled, check=True)
        (folder / "whole").touch()
    return python


@contextmanager
def peers(python: Path, data: Data) -> Iterator[Callable[[str], dict[str, float]]]:
    """Ask a peer for its seconds and its mAP."""
    queries, images, query, gallery = data
    with tempfile.TemporaryDirectory() as folder:
        np.savez(
            f"{folder}/data.npz",
            queries=queries,
            gallery=images,
            query_identities=query.identities,
            gallery_identities=gallery.identities,
            query_cameras=query.cameras,
            gallery_cameras=gallery.cameras,
        )
        command = [str(python), "-W", "ignore", str(Path(__file__).with_name("ranking_peers.py")), f"{folder}/data.npz"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdin is not None and process.stdout is not None
            inlet, outlet = process.stdin, process.stdout

            def ask(name: str) -> dict[str, float]:
                print(name, file=inlet, flush=True)
                answer = outlet.readline()
                if not answer:
                    sys.exit(f"{name} failed, as said above; delete the folder of --peers to make its environment anew")
                found: dict[str, float] = json.loads(answer)
                return found

            yield ask
            inlet.close()


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


def timed(work: Callable[[], float]) -> dict[str, float]:
    """Wall-clock seconds of one call, and the mAP that it returns."""
    start = time.perf_counter()
    found = work()
    return {"seconds": time.perf_counter() - start, "map": found}


def measure(data: Data, options: argparse.Namespace, ask: Callable[[str], dict[str, float]] | None) -> dict[str, Any]:
    """Seconds of each way, in turn, and the most memory of ours and of the plain loop."""
    here: dict[str, Callable[[], float]] = {"evaluate": lambda: evaluate(*data).map}
    if not options.no_plain:
        here["plain_loop"] = lambda: plain_loop(*data)
    contestants: dict[str, Callable[[], dict[str, float]]] = {name: partial(timed, work) for name, work in here.items()}
    if ask:
        contestants |= {name: partial(ask, name) for name in PEERS}
    # The first, unmeasured round warms the processor up and shows that all mean the same.
    maps = {name: contestant()["map"] for name, contestant in contestants.items()}
    if max(maps.values()) - min(maps.values()) > 1e-4:
        sys.exit(f"they disagree: mAP {maps}")
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(options.rounds):
        for name, contestant in contestants.items():
            if not turn or times[name][0] <= SLOW:
                times[name].append(contestant()["seconds"])
    figures: dict[str, Any] = {"map": maps, "peers": PEERS if ask else {}}
    ours = statistics.median(times["evaluate"])
    for name, measured in times.items():
        figures[f"{name}_seconds"] = measured
        figures[f"{name}_seconds_median"] = median = statistics.median(measured)
        figures[f"{name}_ratio"] = median / ours
        memory = ""
        if name in here:
            figures[f"{name}_peak_megabytes"] = peak = peak_megabytes(here[name])
            memory = f", {peak:.0f} MB beyond the embeddings"
        print(f"{name}: {median:.3f} s, {median / ours:.1f} times ours{memory}")
    return figures


def main() -> None:
    """Run the benchmark as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--queries", type=int, default=3368)
    parser.add_argument("--gallery", type=int, default=15913)
    parser.add_argument("--dimensions", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each, in turn (default 5)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-plain", action="store_true", help="leave the plain loop out: it holds the whole matrix")
    parser.add_argument("--peers", type=Path, metavar="FOLDER", help="environment of other packages; without it, none are measured")
    parser.add_argument("--json", metavar="FILE", help="write the figures here")
    options = parser.parse_args()
    data = clustered(options.queries, options.gallery, options.dimensions, options.seed)
    with peers(environment(options.peers), data) if options.peers else nullcontext() as ask:
        figures = measure(data, options, ask)
    if options.json:
        config = {name: value for name, value in vars(options).items() if name not in ("json", "peers")}
        write_json(options.json, {"figures": figures, "provenance": provenance(config, seed=options.seed)})


if __name__ == "__main__":
    main()
