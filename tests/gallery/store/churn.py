"""A process that gives birth to others, which work on a gallery until they are killed: `python churn.py FOLDER LOG`.

For every line on its input, a seed, it forks and says the child's number; the child adds, purges and takes snapshots, and writes
into the log what it begins and what is done. Forking spares each child the imports.
"""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np

from gallery.fakes import make_sighting
from resight.gallery import Gallery, Where, upkeep

NUMBERS = 10_000
"""A child of seed s adds sightings with numbers from s * NUMBERS."""


def work(folder: str, log: str, seed: int) -> None:
    """Never ends."""
    rng = np.random.default_rng(seed)
    gallery = Gallery.open(folder)
    stream = os.open(log, os.O_WRONLY | os.O_APPEND)
    number = seed * NUMBERS
    snapshots: list[str] = []

    def say(*words: object) -> None:
        os.write(stream, (" ".join(map(str, words)) + "\n").encode())

    while True:
        choice = rng.random()
        if choice < 0.6:
            some = list(range(number, number + int(rng.integers(1, 4))))
            number = some[-1] + 1
            say("add", *some)
            gallery.add([make_sighting(one) for one in some])
        elif choice < 0.85:
            there = sorted(record.id for record in gallery.records())
            some = rng.choice(there, min(len(there), int(rng.integers(1, 4))), replace=False).tolist() if there else []
            say("purge", *some)
            gallery.purge(Where(ids=frozenset(some)))
        elif len(snapshots) < 2:
            snapshots.append(f"s{number}x{len(snapshots)}")
            say("snapshot", snapshots[-1])
            upkeep.take_snapshot(gallery.folder, snapshots[-1])
        else:
            continue
        say("done")


def main() -> None:
    folder, log = sys.argv[1:]
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            try:
                work(folder, log, int(line))
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(1)
        print(child, flush=True)
        os.waitpid(child, 0)
        print("dead", flush=True)


if __name__ == "__main__":
    main()
