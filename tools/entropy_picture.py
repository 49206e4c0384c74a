"""Draw held-out mAP against how far the soft targets are from uniform, all teachers, from the plans of temperatures.

python tools/entropy_picture.py docs/pictures/market1501-entropy.png results/market1501-temperatures-short.json \\
    results/market1501-temperatures-auto.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from resight.distillation.targets import BELOW_LARGEST
from resight.files import atomic_write

LARGEST = np.log(751 - 75)
"""Entropy of a uniform distribution over the people who are not held out, in nats."""


def main(out: str, *records: str) -> None:
    """Write the picture; points of one teacher are joined, and labelled by their temperature."""
    loaded = [json.loads(Path(record).read_text(encoding="utf-8")) for record in records]
    runs = {row["name"]: row for record in reversed(loaded) for row in record["runs"]}  # the first has the line without a teacher
    curves: dict[str, list[tuple[float, float, float]]] = {}
    for name, row in runs.items():
        settings = row["changes"]
        if "teacher" in settings:
            (found,) = row["seeds"]
            point = LARGEST - found["entropy"], row["map"], found.get("temperature", settings["temperature"])
            curves.setdefault(name.split(", T =")[0], []).append(point)
    figure = Figure(figsize=(8, 4.6), layout="constrained")
    axes = figure.subplots()
    for number, (teacher, points) in enumerate(curves.items()):
        points.sort()
        axes.plot([x for x, _, _ in points], [y for _, y, _ in points], marker="os^Dv"[number % 5], label=teacher)
        for x, y, temperature in points:
            axes.annotate(f"{temperature:g}", (x, y), textcoords="offset points", xytext=(0, 6), ha="center", fontsize=7)
    axes.axhline(runs["alone"]["map"], color="0.5", linestyle="--", label="no teacher")
    axes.axvline(BELOW_LARGEST, color="0.5", linestyle=":", label="--temperature auto")
    axes.set(xscale="log", ylabel="mAP on held-out people (%)")
    axes.set_xlabel("nats between the mean entropy of the soft targets and a uniform distribution's; the numbers are T")
    axes.invert_xaxis()
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, title="teacher", loc="lower right", bbox_to_anchor=(1, 0.2))
    with atomic_write(out) as stream:
        figure.savefig(stream, format="png", dpi=110)


if __name__ == "__main__":
    main(*sys.argv[1:])
