"""`resight tradeoff`."""

from __future__ import annotations

from pathlib import Path

from resight.cli.options import Device, DistanceName, Layout, Threads
from resight.cli.terminal import say, show_report, warn, write_result
from resight.progress import TerminalProgress

__all__ = ["tradeoff"]


def tradeoff(
    *models: str,
    data: Path,
    out: Path = Path("tradeoff"),
    distance: DistanceName = "",
    layout: Layout = "auto",
    images: int = 1024,
    rounds: int = 5,
    device: Device = "auto",
    threads: Threads = 0,
    json: Path | None = None,
) -> None:
    """Speed beside accuracy for several models on this machine: table, CSV, JSON, Markdown and picture.

    Parameters
    ----------
    models
        Run folders, or NETWORK:FILE with foreign weights, or NETWORK for an untrained one.
    data
        Folder of a data set.
    out
        Folder to write tradeoff.json, .csv, .md and .png to.
    distance
        Between vectors.
    images
        Gallery images that speed is measured on.
    rounds
        Counted rounds of timing, after one that is not counted.
    json
        Also write the JSON to this file.
    """
    from resight.datasets import open_dataset
    from resight.errors import ConfigurationError
    from resight.models import load_model
    from resight.tradeoff.measure import measure_tradeoff
    from resight.tradeoff.tables import save_report

    if not models:
        raise ConfigurationError("no model is named; give one or more run folders or NETWORK:FILE")
    dataset = open_dataset(data, layout)
    warn(dataset.warnings)
    extractors = [load_model(model, device=device, threads=threads) for model in models]
    with TerminalProgress() as progress:
        report = measure_tradeoff(
            extractors, dataset, distance=distance, timed_images=images, rounds=rounds, threads=threads, progress=progress
        )
    save_report(report, out, "tradeoff")
    show_report(f"Trade-off on {dataset.name}", report)
    say(f"* nobody is both faster and better. {out / 'tradeoff.png'} shows it.")
    write_result(json, report.to_dict())
