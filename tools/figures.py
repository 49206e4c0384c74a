"""Put the figures of results/*.json into the README and the docs, between markers; none is typed by hand.

    python tools/figures.py            rewrites the files
    python tools/figures.py --check    fails if a file is not what its results say

A marker pair in a Markdown file looks like this, with NAME a key of `BLOCKS`:

    <!-- figures: NAME -->
    ...
    <!-- end -->
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from resight.tradeoff.classical import PAPER_TABLE_1

ROOT = Path(__file__).resolve().parents[1]
MARKER = re.compile(r"(<!-- figures: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)


def result(name: str) -> dict[str, Any]:
    """One file of results."""
    loaded: dict[str, Any] = json.loads((ROOT / "results" / f"{name}.json").read_text(encoding="utf-8"))
    return loaded


def table(headings: list[str], rows: list[list[str]]) -> str:
    """A Markdown table, first column left, the others right."""
    lines = [headings, ["---"] + ["---:"] * (len(headings) - 1), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def where(record: dict[str, Any]) -> str:
    """The hardware of a result, in a few words."""
    hardware = record["provenance"]["hardware"]
    return f"{hardware['processor']}, {hardware['cores']} cores"


def evaluation_check() -> str:
    rows = []
    published = {"euclidean": ("91.18", "74.94", "74.22"), "cosine": ("91.48", "77.38", "76.66")}
    for distance, reference in published.items():
        found = result(f"market1501-osnet-0.25-{distance}")
        figures = [f"{found[name]:.2f}" for name in ("rank1", "map", "map_trapezoidal")]
        rows.append([distance, *(f"{mine} ({theirs})" for mine, theirs in zip(figures, reference, strict=True))])
    return table(["OSNet x0.25, distance", "Rank-1 (reference)", "mAP", "mAP, trapezoidal"], rows)


def main_job() -> str:
    runs = result("market1501-runs")["runs"]
    published = {"alone": ("59.74", "34.13"), "distilled": ("71.29", "45.76")}
    rows = []
    for name, (rank1, mean) in published.items():
        found = result(f"market1501-{name}")
        minutes = sum(row["seconds"] for row in runs[name]["epochs"]) / 60
        cells = [
            f"{found['rank1']:.2f} / {found['map']:.2f}",
            f"{rank1} / {mean}",
            f"{len(runs[name]['epochs'])}",
            f"{minutes:.0f}",
        ]
        rows.append([f"MobileNet 0.25 {name}", *cells])
    return table(["Market-1501, Rank-1 / mAP (%)", "Resight", "paper", "epochs", "training, minutes"], rows)


def classical_table() -> str:
    record = result("market1501-classical")
    rows = []
    for distance, (rank1, mean) in PAPER_TABLE_1.items():
        found = [record["retinex"][retinex]["test"][distance] for retinex in ("none", "msrcp")]
        dimensions = " / ".join(str(figures.get("dimensions", 26960)) for figures in found)
        scores = [f"{figures['rank1']:.2f} / {figures['map']:.2f}" for figures in found]
        rows.append([distance, *scores, dimensions, f"{rank1} / {mean}"])
    held_out = {retinex: record["retinex"][retinex]["held_out"]["map"] for retinex in ("none", "msrcp")}
    seconds, timing = record["retinex"][record["chosen"]]["test"]["seconds"], record["timing"]
    text = (
        f"Chosen on held-out identities: {record['chosen']} (held-out mAP of XQDA {held_out['none']:.1f} without Retinex, "
        f"{held_out['msrcp']:.1f} with MSRCP). Descriptor of a 128x64 image on one core "
        f"{timing['none_1_workers_ms']:.2f} ms, with MSRCP "
        f"{timing['msrcp_1_workers_ms']:.2f} ms; XQDA fit {seconds['xqda_fit']:.0f} s; one query against "
        f"{seconds['gallery_images']} images "
        f"{1000 * seconds['one_query_with_projection']:.2f} ms with its projection ({where(record)}).\n"
    )
    return table(["LOMO, Rank-1 / mAP (%)", "without Retinex", "MSRCP", "dimensions", "paper"], rows) + "\n" + text


def market_tradeoff() -> str:
    return tradeoff_table("market1501-tradeoff")


def demo_tradeoff() -> str:
    return tradeoff_table("demo")


def tradeoff_table(name: str) -> str:
    record = result(name)
    rows = [
        [
            row["model"],
            f"{row['rank1']:.2f}",
            f"{row['map']:.2f}",
            f"{row['images_per_second']:.0f}",
            f"{row['network_images_per_second']:.0f}",
            f"{row['parameters'] / 1e6:.2f}",
            "-" if row["multiply_adds"] is None else f"{row['multiply_adds'] / 1e6:.0f}",
            str(row["embedding_size"]),
            "x".join(map(str, row["input_size"])),
        ]
        for row in record["models"]
    ]
    headings = ["Model", "Rank-1 (%)", "mAP (%)", "Images/s, file to vector", "network alone"]
    return table([*headings, "Parameters (M)", "Multiply-adds (M)", "Embedding", "Input"], rows) + f"\n{where(record)}.\n"


def _temperature_and_weight(run: dict[str, Any]) -> tuple[float, float]:
    configuration = run["provenance"]["configuration"]
    return configuration["temperature"], configuration["hard_weight"]


def temperatures() -> str:
    runs = result("market1501-temperatures")["runs"]
    rows = []
    for run in sorted(runs.values(), key=_temperature_and_weight):
        configuration = run["provenance"]["configuration"]
        held_out = {row["epoch"]: row["validation"] for row in run["epochs"] if row.get("validation")}
        figures = [f"{held_out[epoch]['map']:.1f}" if epoch in held_out else "not run" for epoch in (2, 4, 6, 8)]
        rows.append([f"{configuration['temperature']:g}", f"{configuration['hard_weight']:g}", *figures])
    return table(["T", "lambda", "mAP held out after 2 epochs", "4", "6", "8"], rows)


def entropies() -> str:
    run = result("market1501-runs")["runs"]["distilled"]
    nats = run["about"]["teacher_entropy"]["nats"]
    rows = [["entropy (nats)", *(f"{value:.2f}" for value in nats.values())]]
    return table(["T", *nats], rows) + f"\nThe most there can be is log 751 = {run['about']['teacher_entropy']['uniform']:.2f}.\n"


def ranking_speed() -> str:
    record = result("benchmark-ranking")
    figures = record.get("figures", record)
    return (
        f"{figures['evaluate_seconds_median']:.2f} s against {figures['plain_loop_seconds_median']:.2f} s for the plain loop: "
        f"{figures['ratio']:.1f} times as fast, with {figures['evaluate_peak_megabytes']:.0f} MB beyond the embeddings against "
        f"{figures['plain_loop_peak_megabytes']:.0f} MB ({where(record)}).\n"
    )


def training_speed() -> str:
    record = result("benchmark-training")
    rows = []
    for size, found in record["batch_size"].items():
        speeds = {name: sorted(values)[len(values) // 2] for name, values in found["images_per_second"].items()}
        cells = [f"{speeds['plain']:.0f}", f"{speeds['ours']:.0f}", f"{found['ratio']:.2f}"]
        rows.append([size, *cells, f"{min(found['ratios']):.2f} to {max(found['ratios']):.2f}"])
    return (
        table(["Batch", "plain eager loop, images/s", "Resight, images/s", "ratio, median", "range"], rows)
        + f"\n{where(record)}.\n"
    )


BLOCKS: dict[str, Callable[[], str]] = {
    "evaluation-check": evaluation_check,
    "main-job": main_job,
    "classical": classical_table,
    "market-tradeoff": market_tradeoff,
    "demo-tradeoff": demo_tradeoff,
    "temperatures": temperatures,
    "entropies": entropies,
    "ranking-speed": ranking_speed,
    "training-speed": training_speed,
}


def rendered(text: str) -> str:
    """A Markdown file with every block made anew."""
    return MARKER.sub(lambda match: f"{match[1]}{BLOCKS[match[2]]()}{match[3]}", text)


def main(check: bool) -> int:
    """Rewrite the files, or say which are stale."""
    stale = []
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        before = path.read_text(encoding="utf-8")
        after = rendered(before)
        if after != before:
            stale.append(path.name)
            if not check:
                path.write_text(after, encoding="utf-8")
    print(f"{'stale' if check else 'rewritten'}: {', '.join(stale) or 'none'}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
