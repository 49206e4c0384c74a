"""Run the demo with five seeds, one after the other, and write their figures and times to results/demo.json.

    python tools/demo_seeds.py [--seeds 0 1 2 3 4] [--out results/demo.json] [--keep FOLDER]

Each run is a process of its own with empty caches, as after an installation: compiled loops and decoded images are made anew.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from resight.files import read_json, write_json
from resight.provenance import provenance

ROOT = Path(__file__).resolve().parents[1]


def run(seed: int, folder: Path) -> dict[str, Any]:
    """One demo: what `resight demo --json` writes, with the time of the whole process."""
    caches = {name: str(folder / "caches" / name) for name in ("NUMBA_CACHE_DIR", "RESIGHT_CACHE")}
    command = [sys.executable, "-m", "resight.cli", "demo", "--seed", str(seed), "--out", str(folder / "demo")]
    started = time.perf_counter()
    subprocess.run([*command, "--json", str(folder / "demo.json")], check=True, env=os.environ | caches)
    found: dict[str, Any] = read_json(folder / "demo.json")
    return found | {"process_seconds": time.perf_counter() - started}


def summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Scores of each seed, and their means and ranges."""
    scores = [{row["model"]: row["map"] for row in one["models"]} for one in runs]
    gains = [each["student distilled"] - each["student alone"] for each in scores]
    lines = {name: [each[name] for each in scores] for name in scores[0]} | {"gain": gains}
    return {
        "map": {name: {"mean": float(np.mean(found)), "least": min(found), "most": max(found)} for name, found in lines.items()},
        "seeds": [
            {
                "seed": one["seed"],
                "map": each,
                "rank1": {row["model"]: row["rank1"] for row in one["models"]},
                "gain": gain,
                **{name: one[name] for name in ("process_seconds", "seconds", "processor_seconds", "load")},
            }
            for one, each, gain in zip(runs, scores, gains, strict=True)
        ],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "demo.json")
    parser.add_argument("--keep", type=Path, help="folder to keep the runs in; a temporary one unless given")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        keep = arguments.keep or Path(temporary)
        runs = [run(seed, keep / f"seed-{seed}") for seed in arguments.seeds]
    first = runs[0]  # the README's table is of the first seed
    record = {"dataset": first["dataset"], "models": first["models"], **summary(runs)}
    write_json(arguments.out, record | {"warnings": first["warnings"], "provenance": provenance({"seeds": arguments.seeds})})
    for one in record["seeds"]:
        scores = ", ".join(f"{name} {score:.1f}" for name, score in one["map"].items())
        print(f"seed {one['seed']}: {scores}; distillation {one['gain']:+.1f}; {one['process_seconds']:.0f} s")


if __name__ == "__main__":
    main()
