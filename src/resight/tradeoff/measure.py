"""Speed beside accuracy, like the paper's Table 4 and Figure 10, for any models on any data set, on this machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict

from resight.datasets.records import Dataset
from resight.errors import ConfigurationError, ResightError
from resight.models.model import Model
from resight.progress import Progress, silent
from resight.provenance import hardware, provenance
from resight.tradeoff.accuracy import accuracy
from resight.tradeoff.bench import Bench, interleaved
from resight.tradeoff.conditions import describe_images, disturbances, some_images
from resight.tradeoff.report import Report, Row, marked
from resight.tradeoff.speed import Speed, SpeedConfig

__all__ = ["measure_tradeoff"]


def measure_tradeoff(
    extractors: Sequence[Model],
    dataset: Dataset,
    *,
    distance: str = "",
    timed_images: int = 1024,
    rounds: int = 5,
    threads: int = 0,
    progress: Progress = silent,
) -> Report:
    """Evaluate and time several loaded models in this process.

    `resight.tradeoff.benchmark.benchmark` gives each a process of its own, which takes longer and tells more.

    Parameters
    ----------
    extractors : sequence of Model
        Models with different names.
    dataset : Dataset
    distance : str
        Distance for all of them; empty for each model's own.
    timed_images : int
        Largest number of gallery images to measure speed on; 0 is all.
    rounds : int
        See `SpeedConfig`.
    threads : int
        Threads that the models were told to use, for the record; 0 is all cores.
    progress : Progress

    Returns
    -------
    Report
        Rows in the order of `extractors`.

    Raises
    ------
    ConfigurationError
        If two models have one name, `timed_images` is negative, or there is no image or no round.
    ResightError
        Any error of the evaluation.
    """
    names = [extractor.name for extractor in extractors]
    if len(set(names)) < len(names):
        raise ConfigurationError(f"two models have the same name: {', '.join(names)}; leave one out, or rename one of two folders")
    config = SpeedConfig(rounds=rounds, seconds=0.1)
    origin = provenance(asdict(config) | {"distance": distance, "threads": threads}, seed=config.seed)
    paths = some_images(dataset.gallery.paths, timed_images)
    images = describe_images(paths)
    scores = [accuracy(extractor, dataset, distance, progress=progress) for extractor in extractors]
    benches = [Bench(extractor, paths, config) for extractor in extractors]
    for bench in benches:
        bench.warm_up()
    works: list[Callable[[], dict[str, float]]] = [lambda bench=bench: bench.one_round() | bench.search() for bench in benches]  # type: ignore[misc]
    rows = []
    found = interleaved(works, rounds, names=names, progress=progress)
    for bench, score, results in zip(benches, scores, found, strict=True):
        if isinstance(results, ResightError):
            raise results
        speed = Speed.over(results, config.batch_sizes)
        rows.append(Row(**bench.about(), **vars(speed), **vars(score), threads=threads or origin["hardware"]["cores"]))
    return Report(
        rows=marked(rows),
        dataset=dataset.name,
        images=images,
        load={"before": origin["hardware"]["load"], "after": hardware()["load"]},
        warnings=disturbances(origin["hardware"], rows),
        provenance=origin,
    )
