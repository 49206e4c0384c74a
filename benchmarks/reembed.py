"""A gallery that moves to another model while it is killed again and again, and searched all the while.

    python benchmarks/reembed.py Market-1501-v15.09.15 --json results/benchmark-reembed.json

The crops are those of Market-1501's gallery without junk. One gallery is moved by `resight gallery reembed` without a disturbance;
that is the one made anew. Another is moved by the same command, which is killed (`kill -9`) at random moments and given again.
Meanwhile `resight serve` answers searches in the old gallery. In the end every record, picture and vector of the two is compared,
and the old gallery with what it was before.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from resight.datasets import open_dataset
from resight.datasets.records import JUNK
from resight.errors import ResightError
from resight.files import write_json
from resight.gallery import Gallery, Settings, crops_of, upkeep
from resight.images import grouped
from resight.models import load_model
from resight.models.model import CHUNK
from resight.provenance import provenance
from service import search, served

OLD, NEW = "student-fastest", "student-fast"
AT_ONCE = 1000
SPARED = 4 * CHUNK  # sightings that are left for the run after the last kill


def enrol(folder: Path, data: Path, most: int) -> None:
    """Make the old gallery."""
    gallery = open_dataset(data).gallery
    rows = np.flatnonzero(gallery.identities != JUNK)[: most or None]
    model = load_model(OLD)
    with Gallery.create(folder, Settings.for_model(OLD, model, retention=None)) as made:
        enrolled = made.enrol(model, crops_of(gallery.select(rows)))
    if enrolled.failures:
        sys.exit(f"{len(enrolled.failures)} images cannot be read")


def move(root: Path, new: str) -> subprocess.Popen[bytes]:
    """`resight gallery reembed`, in a process group of its own."""
    command = [sys.executable, "-m", "resight.cli", "gallery", "reembed", "old", new, "--model", NEW]
    return subprocess.Popen(command, cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)


def finish(root: Path, new: str) -> tuple[float, float]:
    """Seconds until a move is complete, and of processor time. Ends the benchmark if it fails."""
    started, used = time.monotonic(), processor_seconds()
    if move(root, new).wait():
        sys.exit(f"the move to {new} failed")
    return time.monotonic() - started, processor_seconds() - used


def processor_seconds() -> float:
    """Processor time of all children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def kill_again(root: Path, kills: int, total: int, seed: int) -> list[int]:
    """Begin the move again and again, and kill it at random moments: the sightings that were there after each kill."""
    draw = random.Random(seed)
    there = []
    # The moments are counted in sightings, not in seconds, so that no machine is done before the last kill.
    for wanted in sorted(draw.uniform(0, total - SPARED) for _ in range(kills)):
        process = move(root, "killed")
        while count(root / "killed") < wanted and process.poll() is None:
            time.sleep(0.2)
        time.sleep(draw.uniform(0, 0.5))
        if process.poll() is not None:
            sys.exit("the move came to its end before it was killed; spare more sightings")
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        there.append(count(root / "killed"))
        print(f"kill {len(there)}: {there[-1]} sightings are there", flush=True)
    return there


def count(folder: Path) -> int:
    """Sightings of a gallery that may not be there yet."""
    try:
        with Gallery.open(folder) as gallery:
            return len(gallery)
    except ResightError:
        return 0


@contextmanager
def searched(folder: Path, images: list[bytes]) -> Iterator[dict[str, int]]:
    """Searches in the old gallery, one after the other: how many were answered as before, otherwise, and not at all."""
    counts = {"answered": 0, "answered otherwise": 0, "failed": 0}
    with served(folder) as (port, token, _):
        before = [search(port, token, image, 20)["matches"] for image in images]
        over = threading.Event()

        def ask() -> None:
            while not over.is_set():
                for image, expected in zip(images, before, strict=True):
                    try:
                        same = search(port, token, image, 20)["matches"] == expected
                    except (OSError, ValueError):
                        counts["failed"] += 1
                    else:
                        counts["answered" if same else "answered otherwise"] += 1
                    time.sleep(0.2)  # a search now and then: the move is what is measured
                    if over.is_set():
                        return

        thread = threading.Thread(target=ask)
        thread.start()
        try:
            yield counts
        finally:
            over.set()
            thread.join()


def digest(folder: Path) -> str:
    """SHA-256 of all that a gallery holds, in the order of its records."""
    with Gallery.open(folder) as gallery:
        found = hashlib.sha256()
        for ids in grouped([record.id for record in gallery.records()], AT_ONCE):
            for sighting in gallery.sightings(ids).values():
                found.update(repr(sighting.to_dict()).encode() + sighting.thumbnail + sighting.embedding.tobytes())
    return found.hexdigest()


def compare(anew: Path, killed: Path) -> dict[str, Any]:
    """Difference of two galleries: records, pictures, and vectors."""
    with Gallery.open(anew) as first, Gallery.open(killed) as second:
        records = first.records()
        same = records == second.records()
        pictures, vectors, far = 0, 0, 0.0
        for ids in grouped([record.id for record in records], AT_ONCE):
            others = second.sightings(ids)
            for id, sighting in first.sightings(ids).items():
                other = others.get(id)
                if other is not None:
                    pictures += sighting.thumbnail == other.thumbnail
                    vectors += np.array_equal(sighting.embedding, other.embedding)
                    far = max(far, float(np.abs(sighting.embedding - other.embedding).max()))
    return {"records equal": same, "equal pictures": pictures, "equal vectors": vectors, "largest difference": far}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of Market-1501")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--crops", type=int, default=0, help="only the first so many, to try it")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        enrol(root / "old", options.data, options.crops)
        before = digest(root / "old")
        images = [Path(path).read_bytes() for path in open_dataset(options.data).query.paths[:20]]
        with searched(root / "old", images) as searches:
            alone = finish(root, "anew")
            there = kill_again(root, options.kills, count(root / "old"), options.seed)
            last = finish(root, "killed")
        result = {
            "sightings": count(root / "old"),
            "kills": len(there),
            "sightings after each kill": there,
            "seconds without a kill": round(alone[0], 1),
            "processor seconds without a kill": round(alone[1], 1),
            "seconds of the last run": round(last[0], 1),
            "sightings of the gallery that was killed": count(root / "killed"),
            **compare(root / "anew", root / "killed"),
            "damage": upkeep.verify(root / "killed"),
            "old gallery unchanged": digest(root / "old") == before,
            "searches meanwhile": dict(searches),
        }
    for name, value in result.items():
        print(f"{name}: {value}")
    if options.json:
        write_json(options.json, {"figures": result, "provenance": provenance({"kills": options.kills}, seed=options.seed)})
    lost = result["sightings"] - result["equal vectors"]
    if lost or not result["records equal"] or result["damage"] or searches["failed"] or searches["answered otherwise"]:
        sys.exit("the two galleries or the searches differ")


if __name__ == "__main__":
    main()
