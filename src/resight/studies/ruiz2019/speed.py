"""Speed columns of Tables 2 and 4: images per second that each network turns into vectors on this machine."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from resight.datasets import Dataset
from resight.files import read_json, write_json
from resight.progress import Progress, silent
from resight.studies.ruiz2019.experiments import EXPERIMENTS, Experiment
from resight.tradeoff.benchmark import benchmark
from resight.tradeoff.speed import SpeedConfig

__all__ = ["LOMO", "measure_speed"]

LOMO = "lomo"

_IMAGES = 512
_CONFIG = SpeedConfig(rounds=3, batch_sizes=(1, 32))


def measure_speed(
    dataset: Dataset, file: Path, teachers: Sequence[Experiment], *, device: str = "auto", progress: Progress = silent
) -> dict[str, Any]:
    """Measure LOMO, the networks of the paper and the added teachers in one run, on all cores, unless that was done before.

    A network's speed does not depend on its weights, so the networks of the paper are measured before any training.

    Parameters
    ----------
    dataset : Dataset
        Data set whose gallery images are used.
    file : Path
        JSON file to write; or to read, if it has a speed of all of them, measured on this data set.
    teachers : sequence of Experiment
        Added teachers.
    device : str
    progress : Progress

    Returns
    -------
    dict
        Name of the ``dataset``; ``images_per_second`` from files to vectors by name of the experiment, None for one that could not
        be measured; and the whole ``report``.

    Raises
    ------
    ResightError
        Errors of measuring and of writing.
    """
    models = {LOMO: LOMO}
    models |= {listed.name: listed.name for listed in EXPERIMENTS if listed.kind == "network" and not listed.teacher}
    models |= {teacher.name: teacher.model for teacher in teachers}
    with contextlib.suppress(OSError, ValueError, LookupError):
        earlier: dict[str, Any] = read_json(file)
        rates = earlier["images_per_second"]
        whole = models.keys() <= rates.keys() and None not in rates.values()
        if whole and earlier["dataset"] == dataset.name:
            return earlier
    paths = dataset.gallery.paths[:_IMAGES]
    report = benchmark(list(models.values()), paths, _CONFIG, threads=(0,), device=device, progress=progress)
    failed = {failure.model for failure in report.failures}
    measured = [name for name, model in models.items() if model not in failed]
    rates = dict.fromkeys(models) | {name: row.images_per_second for name, row in zip(measured, report.rows, strict=True)}
    record = {"dataset": dataset.name, "images_per_second": rates, "report": report.to_dict()}
    write_json(file, record)
    return record
