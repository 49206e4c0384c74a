"""Gather the histories of finished runs, or the JSON files of other commands, into one file of results.

python tools/collect.py results/market1501-runs.json runs/alone runs/distilled
python tools/collect.py results/market1501-deep-distances.json scores/alone-xqda.json scores/alone-kissme.json
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from resight.files import read_json, write_json
from resight.provenance import provenance


def main(out: str, *runs: str) -> None:
    """Write the name, the history and the provenance of every run folder or file to `out`."""
    gathered = {}
    for run in map(Path, runs):
        history = read_json(run / "history.json" if run.is_dir() else run)
        source = history["provenance"]
        source["configuration"] = {name: _without_home(value) for name, value in source["configuration"].items()}
        gathered[run.stem] = history
    write_json(out, {"runs": gathered, "provenance": provenance()})


def _without_home(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_home(item) for item in value]
    return value.replace(str(Path.home()), "~") if isinstance(value, str) else value


if __name__ == "__main__":
    main(*sys.argv[1:])
