"""`resight tradeoff`."""

from __future__ import annotations

from pathlib import Path

from resight.cli.options import (
    Data,
    Device,
    DistanceName,
    Layout,
    ModelName,
    NamePattern,
    SkipUnreadable,
    Threads,
    chosen,
    read_for,
)
from resight.cli.terminal import check_writable, say, show_report, warn, write_report, write_result
from resight.cli.terminal import skip_unreadable as skip
from resight.progress import TerminalProgress

__all__ = ["tradeoff"]


def tradeoff(
    *models: ModelName,
    data: Data,
    out: Path = Path("tradeoff"),
    distance: DistanceName = "auto",
    layout: Layout = "auto",
    name_pattern: NamePattern = "",
    skip_unreadable: SkipUnreadable = False,
    count: int = 1024,
    rounds: int = 5,
    device: Device = "auto",
    threads: Threads = 0,
    json: Path | None = None,
) -> None:
    """Compare models on this machine, speed beside accuracy: table, CSV, JSON, Markdown and picture.

    Parameters
    ----------
    data
        Folder of a data set, or a table, to evaluate on. Given several times, the sets are taken together.
    out
        Folder to write tradeoff.json, .csv, .md and .png to.
    count
        Largest number of gallery images to measure speed on; 0 is all.
    rounds
        Counted rounds, after a warm-up.
    json
        Also write the JSON to this file.
    """
    from resight.datasets import open_dataset
    from resight.errors import ConfigurationError
    from resight.models import load_model
    from resight.tradeoff.measure import measure_tradeoff

    if not models:
        raise ConfigurationError("no model is named; give one or more, such as student, a run folder or NETWORK:FILE")
    check_writable(out / "tradeoff.json", json)
    dataset = open_dataset(data, layout, name_pattern=name_pattern)
    warn(dataset.warnings)
    extractors = [load_model(model, device=device, threads=threads) for model in models]
    with TerminalProgress() as progress:
        if skip_unreadable:
            dataset = skip(dataset, "train", "query", "gallery", progress=progress)
        report = measure_tradeoff(
            extractors, dataset, distance=chosen(distance), timed_images=count, rounds=rounds, threads=threads, progress=progress
        )
    show_report(f"Trade-off on {dataset.name}", report)
    written = write_report(report, out, "tradeoff")
    say("* No other model is both faster and more accurate. Written: " + ", ".join(map(str, written)))
    write_result(json, report.to_dict(), dataset.account(*read_for(distance)))
