"""Read the files of results/*.json, and write Markdown."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def result(name: str) -> dict[str, Any]:
    """One file of results."""
    loaded: dict[str, Any] = json.loads((ROOT / "results" / f"{name}.json").read_text(encoding="utf-8"))
    return loaded


def is_there(name: str) -> bool:
    """Tell if there is a file of results with this name."""
    return (ROOT / "results" / f"{name}.json").exists()


def table(headings: list[str], rows: list[list[str]]) -> str:
    """A Markdown table, first column left, the others right."""
    lines = [headings, ["---"] + ["---:"] * (len(headings) - 1), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def where(record: dict[str, Any]) -> str:
    """Hardware of a result, in a few words."""
    hardware = record["provenance"]["hardware"]
    return f"{hardware['processor']}, {hardware['cores']} core{'s' * (hardware['cores'] > 1)}"


def number(value: float | None, digits: int) -> str:
    """A cell with a number, or ``-``."""
    return "-" if value is None else f"{value:.{digits}f}"


def scores(found: dict[str, Any]) -> list[str]:
    """Cells with Rank-1 and mAP."""
    return [f"{found['rank1']:.2f}", f"{found['map']:.2f}"]


def pair(found: dict[str, Any]) -> str:
    """One cell with Rank-1 and mAP."""
    return " / ".join(scores(found))


def minutes(run: dict[str, Any]) -> float:
    """Wall-clock minutes of a training, without those in which it was stopped for something else."""
    paused = run.get("about", {}).get("paused_seconds", 0)
    return float(sum(one["seconds"] for one in run["epochs"]) - paused) / 60


def core_minutes(run: dict[str, Any]) -> float:
    """Minutes of a training times the threads that its command names."""
    threads = re.search(r"--threads (\d+)", run["provenance"]["command"])
    assert threads is not None, "a run whose number of threads is not in its command"
    return int(threads[1]) * minutes(run)
