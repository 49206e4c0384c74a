"""Careful measurement of speed: each model in a process of its own, on one thread and on all, in interleaved rounds."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from resight.errors import ConfigurationError, MeasurementError, ResightError
from resight.progress import Progress, silent
from resight.provenance import hardware, provenance
from resight.tradeoff.bench import interleaved
from resight.tradeoff.conditions import describe_images, disturbances
from resight.tradeoff.report import Failure, Report, Row, on_threads
from resight.tradeoff.speed import Speed, SpeedConfig
from resight.tradeoff.worker import Worker

__all__ = ["benchmark"]


def benchmark(
    models: Sequence[str],
    paths: Sequence[str],
    config: SpeedConfig = SpeedConfig(),  # noqa: B008 (frozen)
    *,
    threads: Sequence[int] = (1, 0),
    device: str = "auto",
    progress: Progress = silent,
) -> Report:
    """Measure the speed of several models on this machine.

    Parameters
    ----------
    models : sequence of str
        Models, as `resight.models.load_model` names them; ``usual:NETWORK`` is a network in `resight.tradeoff.usual.UsualWay`.
    paths : sequence of str
        Image files.
    config : SpeedConfig
    threads : sequence of int
        Numbers of threads, each measured with all models in turn; 0 is one for each core.
    device : str
        ``"auto"``, ``"cpu"`` or ``"cuda"``.
    progress : Progress

    Returns
    -------
    Report
        Speeds without accuracies, which `resight.tradeoff.accuracy` adds. A model that fails is among the failures; the others are
        measured all the same.

    Raises
    ------
    ConfigurationError
        If there is no model or no image, a model is given twice, there are fewer cores than threads, or the system cannot confine
        a process to some of its cores.
    ImageError
        If an image cannot be read.
    MeasurementError
        If all models fail.
    """
    if not models:
        raise ConfigurationError("no model is given; give one or more run folders, exported models or NETWORK:FILE")
    _refuse_twice(models)
    named = [model.replace(str(Path.home()), "~") for model in models]
    origin = provenance(asdict(config) | {"models": named, "threads": list(threads), "device": device}, seed=config.seed)
    cores = origin["hardware"]["cores"]
    counts = list(dict.fromkeys(count or cores for count in threads))
    if not counts or max(counts) > cores or min(counts) < 1:
        raise ConfigurationError(f"threads {', '.join(map(str, threads))}; expected 1 to the {cores} cores, or 0 for all")
    if min(counts) < cores and not hasattr(os, "sched_setaffinity"):
        raise ConfigurationError("this system cannot confine a process to some of its cores; measure on all, with --threads all")
    images = describe_images(paths)
    rows: list[Row] = []
    failures: list[Failure] = []
    for count in counts:
        more, failed, accelerator = _measured(models, paths, count, config, device, progress)
        rows += more
        failures += failed
        origin["hardware"]["accelerator"] = origin["hardware"]["accelerator"] or accelerator
    if not rows:
        raise MeasurementError(failures[0].reason)
    return Report(
        rows=tuple(rows),
        failures=tuple(failures),
        images=images,
        load={"before": origin["hardware"]["load"], "after": hardware()["load"]},
        warnings=disturbances(origin["hardware"], rows),
        provenance=origin,
    )


def _measured(
    models: Sequence[str],
    paths: Sequence[str],
    threads: int,
    config: SpeedConfig,
    device: str,
    progress: Progress,
) -> tuple[list[Row], list[Failure], str | None]:
    """Rows of all models on one number of threads, their failures, and the accelerator that they found."""
    reasons: dict[str, str] = {}
    with ExitStack() as stack:
        workers = {model: stack.enter_context(Worker(model, paths, threads, config, device)) for model in models}
        about: dict[str, dict[str, Any]] = {}
        for done, (model, worker) in enumerate(workers.items(), 1):
            try:
                about[model] = worker.load()
            except MeasurementError as error:
                reasons[model] = str(error)
            progress(f"loading, {on_threads(threads)}", done, len(models), model)
        _refuse_twice([found["model"] for found in about.values()])
        found = interleaved(
            [workers[model].one_round for model in about],
            config.rounds,
            seed=config.seed,
            names=list(about),
            stage=f"timing, {on_threads(threads)}",
            progress=progress,
        )
    accelerators = [described.pop("accelerator") for described in about.values()]
    rows = []
    for (model, described), rounds in zip(about.items(), found, strict=True):
        if isinstance(rounds, ResightError):
            reasons[model] = str(rounds)
            continue
        rows.append(Row(**described, **vars(Speed.over(rounds, config.batch_sizes)), threads=threads))
    failures = [Failure(model=model, threads=threads, reason=reason) for model, reason in reasons.items()]
    return rows, failures, next(filter(None, accelerators), None)


def _refuse_twice(names: Sequence[str]) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ConfigurationError(f"the model {twice[0]} is given twice; leave one out, or rename one of two folders")
