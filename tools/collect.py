"""Gather the histories of finished runs into one file of results.

python tools/collect.py results/market1501-runs.json runs/alone runs/distilled
"""

from __future__ import annotations

import sys
from pathlib import Path

from resight.files import read_json, write_json
from resight.provenance import provenance


def main(out: str, *runs: str) -> None:
    """Write the name, the history and the provenance of every run folder to `out`."""
    gathered = {}
    for run in map(Path, runs):
        history = read_json(run / "history.json")
        source = history["provenance"]
        home = str(Path.home())
        source["configuration"] = {
            name: value.replace(home, "~") if isinstance(value, str) else value for name, value in source["configuration"].items()
        }
        gathered[run.name] = history
    write_json(out, {"runs": gathered, "provenance": provenance()})


if __name__ == "__main__":
    main(*sys.argv[1:])
