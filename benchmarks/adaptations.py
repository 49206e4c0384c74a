"""All records of `resight adapt` in results/, made anew with one command.

    python benchmarks/adaptations.py --cuhk03 cuhk03-250 --prid2011 prid2011-single --market Market-1501-v15.09.15

CUHK03's training half teaches, without labels, and its test half judges. The records of a student free of research data (their
names have commercial in them) begin with MobileNet 0.25 and learn more crops, more often, or drawn people beside them. The public
sets stand there for crops of one's own; nothing that learns from them may be sold.

A record that is there is not made again unless `--again` says so. An interrupted run goes on when the command is given again.
`--only` takes names of records, such as cuhk03-adapt-general.
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from resight.datasets import open_dataset
from resight.datasets.records import Records
from resight.drawn.crops import generate
from resight.training.data import unlabelled_records

FEW_PEOPLE = 233  # of Market-1501, who are on 3,831 crops
DRAWN_PEOPLE = 600
FEW_DRAWN = 150  # of them, who are on about as many crops as CUHK03's training half has
FREE = ("--start", "mobilenet-0.25-imagenet", "--copies", "0")


@dataclass(frozen=True)
class Run:
    """One run of `resight adapt`: what it learns from (see `tables`), whether a teacher is asked, and more options."""

    crops: str
    taught: bool
    options: tuple[str, ...] = ()
    judge: str = "cuhk03"


RUNS = {
    "cuhk03-adapt-statistics": Run("cuhk03", False, ("--start", "student", "--epochs", "0")),
    "cuhk03-adapt": Run("cuhk03", True, ("--start", "student")),
    "cuhk03-adapt-self": Run("cuhk03", False),
    "cuhk03-adapt-plain": Run("cuhk03-no-cameras", True),
    "cuhk03-adapt-general": Run("cuhk03", True),
    "cuhk03-adapt-general-seed-1": Run("cuhk03", True, ("--seed", "1")),
    "cuhk03-adapt-general-seed-2": Run("cuhk03", True, ("--seed", "2")),
    "cuhk03-commercial-1": Run("cuhk03", True, (*FREE, "--epochs", "47")),
    "cuhk03-commercial-2": Run("cuhk03-prid2011", True, (*FREE, "--epochs", "24")),
    "cuhk03-commercial-3": Run("cuhk03-prid2011-few-market1501", True, (*FREE, "--epochs", "9")),
    "cuhk03-commercial-4": Run("cuhk03-prid2011-market1501", True, (*FREE, "--epochs", "4")),
    "cuhk03-commercial-5": Run("cuhk03", True, (*FREE, "--epochs", "94")),
    "cuhk03-commercial-6": Run("cuhk03-drawn", True, (*FREE, "--epochs", "47")),
    "cuhk03-commercial-7": Run("drawn", True, (*FREE, "--epochs", "11")),
    "market1501-commercial": Run("market1501", True, (*FREE, "--epochs", "24"), judge="market"),
}
"""Records by the names of their files."""


def tables(folder: Path, cuhk03: Path, prid2011: Path, market: Path) -> None:
    """Write the tables of crops that the runs learn from: paths and cameras, no people."""
    half, everybody = open_dataset(cuhk03).train, open_dataset(market).train
    names = np.unique(everybody.identities)
    chosen = np.random.default_rng(0).permutation(names)[:FEW_PEOPLE]
    one, two, many = _rows(half, "cuhk03"), _prid2011(prid2011), _rows(everybody, "market1501")
    few = _rows(everybody.select(np.isin(everybody.identities, chosen)), "market1501")
    _write(folder / "cuhk03.csv", one)
    _write(folder / "cuhk03-no-cameras.csv", [(path, "") for path, _ in one])
    _write(folder / "cuhk03-prid2011.csv", one + two)
    _write(folder / "cuhk03-prid2011-few-market1501.csv", one + two + few)
    _write(folder / "cuhk03-prid2011-market1501.csv", one + two + many)
    _write(folder / "market1501.csv", many)
    drawn = generate(folder / "drawn", identities_train=DRAWN_PEOPLE, identities_test=1, images_per_camera=2).train
    names = np.unique(drawn.identities)[:FEW_DRAWN]
    _write(folder / "drawn.csv", _rows(drawn, "drawn"))
    _write(folder / "cuhk03-drawn.csv", one + _rows(drawn.select(np.isin(drawn.identities, names)), "drawn"))


def _rows(records: Records, name: str) -> list[tuple[str, str]]:
    return [(os.path.abspath(path), f"{name}-{camera}") for path, camera in zip(records.paths, records.cameras, strict=True)]


def _prid2011(folder: Path) -> list[tuple[str, str]]:
    """All of its images, those of people whom one camera alone saw, too; their folder says which."""
    return [(os.path.abspath(path), f"prid2011-{Path(path).parent.name}") for path in unlabelled_records([folder]).paths]


def _write(file: Path, rows: Sequence[tuple[str, str]]) -> None:
    with open(file, "w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["path", "camera"])
        writer.writerows(rows)


def main() -> None:
    """Make the records as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cuhk03", type=Path, required=True, metavar="FOLDER", help="a part of CUHK03")
    parser.add_argument("--prid2011", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--market", type=Path, required=True, metavar="FOLDER", help="Market-1501")
    parser.add_argument("--teacher", default="omz-0277", metavar="MODEL", help="(default omz-0277)")
    parser.add_argument("--threads", type=int, default=0, help="cores (default: all)")
    parser.add_argument("--only", nargs="+", choices=RUNS, default=list(RUNS), metavar="RECORD")
    parser.add_argument("--again", action="store_true", help="make records that are there, too")
    parser.add_argument("--out", type=Path, default=Path("runs/adaptations"), metavar="FOLDER", help="(default runs/adaptations)")
    parser.add_argument("--cache", type=Path, metavar="FOLDER", help="decoded images and teachers' answers (default OUT/cache)")
    parser.add_argument("--results", type=Path, default=Path("results"), metavar="FOLDER", help="(default results)")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    tables(options.out, options.cuhk03, options.prid2011, options.market)
    for name in options.only:
        record = options.results / f"{name}.json"
        if record.exists() and not options.again:
            print(f"{record} is there", flush=True)
            continue
        run = RUNS[name]
        command = ["adapt", "--images", f"{options.out / run.crops}.csv", "--labelled", str(getattr(options, run.judge))]
        command += ["--teacher", options.teacher] if run.taught else []
        command += [*run.options, "--threads", str(options.threads), "--cache", str(options.cache or options.out / "cache")]
        command += ["--out", str(options.out / name), "--json", str(record)]
        print(f"resight {' '.join(command)}", flush=True)
        if code := subprocess.run([sys.executable, "-m", "resight.cli", *command], check=False).returncode:
            sys.exit(f"resight adapt ended with {code}")


if __name__ == "__main__":
    main()
