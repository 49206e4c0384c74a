"""What `resight adapt` costs, with the teacher's answers: seconds and memory for so many crops.

    python benchmarks/adapt.py --data Market-1501-v15.09.15 --teacher omz-0277 --json results/benchmark-adapt.json

The crops are the first of Market-1501's training images, without labels, with their cameras. The command runs once, in a process of
its own, with an empty cache.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
import tempfile
import time
from pathlib import Path

from resight.datasets import open_dataset
from resight.files import read_json, write_json
from resight.provenance import provenance


def main() -> None:
    """Run the benchmark as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", required=True, metavar="FOLDER", help="Market-1501")
    parser.add_argument("--teacher", required=True, metavar="MODEL")
    parser.add_argument("--crops", type=int, default=2000, help="(default 2000)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here")
    options = parser.parse_args()
    train = open_dataset(options.data).train
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        with open(folder / "crops.csv", "w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(["path", "camera"])
            writer.writerows(zip(map(os.path.abspath, train.paths[: options.crops]), train.cameras.tolist(), strict=False))
        command = [
            sys.executable,
            "-m",
            "resight.cli",
            "adapt",
            "--images",
            str(folder / "crops.csv"),
            "--teacher",
            options.teacher,
        ]
        command += ["--out", str(folder / "run"), "--cache", str(folder / "cache"), "--json", str(folder / "result.json")]
        began = time.perf_counter()
        process = os.posix_spawn(command[0], command, os.environ)
        _, status, used = os.wait4(process, 0)
        if code := os.waitstatus_to_exitcode(status):
            sys.exit(f"resight adapt ended with {code}")
        result = read_json(folder / "result.json")
    figures = {
        "crops": result["crops"],
        "seconds": time.perf_counter() - began,
        "processor_seconds": used.ru_utime + used.ru_stime,
        "peak_megabytes": used.ru_maxrss * 1024 / 1e6,
        "agreement": result["agreement"],
    }
    print("{crops} crops: {seconds:.0f} s, {peak_megabytes:.0f} MB at most".format_map(figures))
    if options.json:
        config = {"teacher": Path(options.teacher).name, "crops": options.crops}
        write_json(options.json, {"figures": figures, "provenance": provenance(config, seed=0)})


if __name__ == "__main__":
    main()
