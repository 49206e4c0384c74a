"""`resight benchmark`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from resight.cli.options import EXPERT, Data, Device, DistanceName, Layout, SkipUnreadable, chosen, read_for
from resight.cli.terminal import check_writable, say, show_report, warn, write_report, write_result
from resight.cli.terminal import skip_unreadable as skip
from resight.progress import TerminalProgress

__all__ = ["benchmark"]


def _numbers(kind: type, tokens: Sequence[Any]) -> tuple[int, ...]:
    """Numbers of ``1,8,32`` or ``1,all``; all is 0."""
    words = [word for token in tokens for word in token.value.split(",")]
    if not all(word == "all" or word.isdecimal() for word in words):
        raise ValueError(f"{','.join(words)} is not a list of numbers; expected for example 1,8 or 1,all")
    return tuple(0 if word == "all" else int(word) for word in words)


Numbers = Annotated[tuple[int, ...], Parameter(converter=_numbers, negative=())]
Files = Annotated[tuple[Path, ...], Parameter(consume_multiple=True, negative=())]


def benchmark(
    *models: str,
    images: Path | None = None,
    data: Data | None = None,
    scores: Files = (),
    merge: Annotated[Files, EXPERT] = (),
    out: Path = Path("benchmark"),
    distance: DistanceName = "auto",
    layout: Layout = "auto",
    skip_unreadable: SkipUnreadable = False,
    count: int = 1024,
    rounds: int = 5,
    batch_sizes: Annotated[Numbers, EXPERT] = (1, 8, 32, 64),
    threads: Numbers = (1, 0),
    seconds: Annotated[float, EXPERT] = 0.5,
    seed: Annotated[int, EXPERT] = 0,
    device: Device = "auto",
    json: Path | None = None,
) -> None:
    """Measure speed carefully: each model in a process of its own, on one core and on all, in interleaved rounds.

    Parameters
    ----------
    models
        Models to measure; the default is student. usual:NETWORK is the usual loop for comparison: Pillow, PyTorch eager, batch 32.
    images
        Folder of images to measure on; the default is the data set's gallery.
    data
        Folder of a data set on which to evaluate the models, too. Given several times, the sets are taken together.
    scores
        JSON of `resight evaluate` or of an earlier benchmark, to use instead of evaluating.
    merge
        JSON files of earlier benchmarks on this hardware to merge instead of measuring. --scores can be added.
    out
        Folder to write benchmark.json, .csv and .md to, and .png if accuracies are known.
    count
        Largest number of images to measure on; 0 is all.
    rounds
        Counted rounds, after a warm-up.
    batch_sizes
        Batch sizes to find the fastest of, for example 1,8,32,64.
    threads
        Numbers of threads, for example 1,all, which is the default; 0 is all, too.
    seconds
        Shortest time that a figure of a round takes.
    seed
        Seed of the order of the models.
    json
        Also write the JSON to this file.
    """
    from resight.datasets import Accounting, open_dataset
    from resight.datasets.image_list import find_images
    from resight.errors import ConfigurationError
    from resight.provenance import provenance
    from resight.tradeoff.accuracy import read_scores, with_evaluation, with_scores
    from resight.tradeoff.benchmark import benchmark as measure
    from resight.tradeoff.conditions import some_images
    from resight.tradeoff.report import merged, read_report
    from resight.tradeoff.speed import SpeedConfig
    from resight.tradeoff.tables import save_report

    if merge and (models or data or images):
        raise ConfigurationError(
            "--merge does not measure or evaluate; leave out the models, --data and --images, or give --scores"
        )
    if data is None and (distance, layout) != ("auto", "auto"):
        raise ConfigurationError("--distance and --layout are for a data set; name it by --data")
    if data is not None and scores:
        raise ConfigurationError("--scores are used instead of evaluating; leave out --data (and name --images), or --scores")
    check_writable(out / "benchmark.json", json)
    config = SpeedConfig(rounds=rounds, batch_sizes=batch_sizes, seconds=seconds, seed=seed)
    dataset = None if data is None else open_dataset(data, layout)
    found = None if images is None else find_images(images)
    read_scores(scores, dataset.name if dataset else "")
    warn((*(() if dataset is None else dataset.warnings), *(() if found is None else found.notes)))
    with TerminalProgress() as progress:
        if skip_unreadable:
            dataset = dataset and skip(dataset, "train", "query", "gallery", progress=progress)
            found = found and skip(found, progress=progress)
        if merge:
            names = [str(file) for file in merge]
            report = merged([read_report(file) for file in merge], names, provenance({"merge": names}))
        else:
            if found is not None:
                paths = found.paths
            elif dataset is not None:
                paths = dataset.gallery.paths
            else:
                raise ConfigurationError("there are no images to measure on; give their folder with --images")
            models = models or ("student",)
            report = measure(models, some_images(paths, count), config, threads=threads, device=device, progress=progress)
        save_report(report, out, "benchmark")  # what is measured is not lost when what follows fails
        if scores:
            report = with_scores(report, scores)
        if dataset is not None:
            report = with_evaluation(report, models, dataset, distance=chosen(distance), device=device, progress=progress)
    hardware = report.provenance["hardware"]
    show_report(f"{report.images['count']} images on {hardware['processor']}, {hardware['cores']} cores", report)
    written = write_report(report, out, "benchmark")
    say("Medians over the rounds, in brackets the slowest and the fastest. Written: " + ", ".join(map(str, written)))
    read = []
    if found is not None:
        read.append(found.accounting.without("beyond --count", len(found.paths) - len(some_images(found.paths, count))))
    read += [dataset.account(*read_for(distance))] if dataset is not None else []
    write_result(json, report.to_dict(), sum(read, Accounting()) if read else None)
