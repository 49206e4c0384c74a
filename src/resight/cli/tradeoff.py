"""`resight tradeoff`."""

from __future__ import annotations

from pathlib import Path

from resight.cli.options import DeviceName, DistanceName
from resight.cli.terminal import say, show, table, use_threads, warn, write_result
from resight.progress import TerminalProgress

__all__ = ["tradeoff"]


def tradeoff(
    *models: str,
    data: Path,
    out: Path = Path("tradeoff"),
    distance: DistanceName = "",
    layout: str = "auto",
    images: int = 1024,
    rounds: int = 5,
    device: DeviceName = "auto",
    threads: int = 0,
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
    layout
        market1501, dukemtmc, viper, cuhk01, folder or synthetic; auto recognises it.
    images
        Gallery images that speed is measured on.
    rounds
        Counted rounds of timing, after one that is not counted.
    device
        Where to compute.
    threads
        CPU threads; 0 leaves it to PyTorch.
    json
        Also write the JSON to this file.
    """
    from resight.datasets import open_dataset
    from resight.errors import ConfigurationError
    from resight.models import load_model
    from resight.tradeoff.report import COLUMNS, formatted, measure_tradeoff, save_tradeoff

    if not models:
        raise ConfigurationError("no model is named; give one or more run folders or NETWORK:FILE")
    use_threads(threads)
    dataset = open_dataset(data, layout)
    warn(dataset.warnings)
    extractors = [load_model(model, device=device) for model in models]
    with TerminalProgress() as progress:
        rows = measure_tradeoff(extractors, dataset, distance=distance, timed_images=images, rounds=rounds, progress=progress)
    record = save_tradeoff(rows, out, dataset=dataset.name, distance=distance, images=images, rounds=rounds)
    show(table(f"Trade-off on {dataset.name}", [heading for _, heading in COLUMNS], [formatted(row) for row in rows]))
    say(f"* nobody is both faster and better. {out / 'tradeoff.png'} shows it.")
    write_result(json, record)
