"""`resight extract` with Ray and without, on the cores of one machine, in turn: time, and how far the vectors differ.

    python benchmarks/on_ray.py MARKET --json results/benchmark-on-ray.json

Without Ray, one process works with all cores. With Ray, one copy of the model for each core works on a cluster that the command
starts and ends.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from resight.files import write_json
from resight.provenance import provenance

KINDS: dict[str, list[str]] = {"one process": [], "on Ray": ["--ray", "local"]}


def extract(images: Path, out: Path, options: list[str]) -> float:
    """Seconds of one run, from its command to its end."""
    command = [sys.executable, "-m", "resight.cli", "extract", "--images", str(images), "--out", str(out), *options]
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    """Run the benchmark as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("images", type=Path, help="folder of a data set")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", metavar="FILE", help="write the figures here")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="resight-benchmark-"))
    os.environ["RAY_TMPDIR"] = str(folder)
    runs: dict[str, list[float]] = {kind: [] for kind in KINDS}
    try:
        for number in range(options.rounds):
            for kind, more in KINDS.items():
                runs[kind].append(extract(options.images, folder / f"{kind}-{number}", more))
                print(kind, runs[kind][-1], flush=True)
        here = np.load(folder / "one process-0.npy")
        there = np.stack(pq.read_table(folder / "on Ray-0.parquet", columns=["vector"])["vector"].to_numpy())
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    figures: dict[str, Any] = {kind: {"seconds": statistics.median(found), "rounds": found} for kind, found in runs.items()}
    figures |= {"images": len(here), "largest_difference": float(np.abs(here - there).max())}
    print(figures, flush=True)
    if options.json:
        write_json(options.json, {"figures": figures, "provenance": provenance({"rounds": options.rounds})})


if __name__ == "__main__":
    main()
