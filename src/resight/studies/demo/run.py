"""The whole job on drawn people: camera network, LOMO + XQDA, teacher, student alone, the same student distilled, trade-off.

At the end it makes a gallery to search; see `resight.studies.demo.gallery`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from resight.datasets import Dataset, Records
from resight.datasets.drawn import read_marker
from resight.distillation.config import DistillConfig
from resight.distillation.distill import distill
from resight.drawn import crops
from resight.drawn.sheet import draw_sheet
from resight.errors import ConfigurationError
from resight.models import load_model
from resight.models.fitted import fit_model
from resight.progress import Progress, silent
from resight.studies.demo.films import FILMS, watch_films
from resight.studies.demo.gallery import make_gallery
from resight.tradeoff.measure import measure_tradeoff
from resight.tradeoff.report import Report
from resight.tradeoff.tables import save_report
from resight.training.config import TrainConfig
from resight.training.train import train

__all__ = ["STUDENT", "TEACHER", "Outcome", "run_demo"]

TEACHER = TrainConfig(
    network="mobilenet-0.25",
    weights="student-fastest",
    height=128,
    width=64,
    last_stride=1,
    neck=True,
    validation="none",
    epochs=9,
    batch_size=64,
    images_per_identity=4,
    optimiser="adam",
    learning_rate=0.006,
    schedule="cosine",
    warm_up=1.0,
    label_smoothing=0.1,
    triplet_weight=0.5,
    pad=5,
    erase=0.3,
    precision="float32",
)
"""Starts from a shipped student, so that minutes become seconds."""

STUDENT = replace(TEACHER, height=64, width=32, pad=3, epochs=8, learning_rate=0.008)
"""Sees a quarter of the teacher's pixels. The student alone and the distilled one start alike, and see every crop as often."""

TAUGHT = {
    "soft_weight": 2.0,
    "temperature": 1.0,
    "hard_weight": 0.2,
    "embedding_weight": 8.0,
    "centre_cameras": True,
    "neighbours": 3,
    "copies": 1,
}
"""Options of the distilled student's loss."""

_LEARN, _ASIDE, _TEST = 100, 60, 60  # people to learn from, to calibrate the gallery with, and to test


@dataclass(frozen=True)
class Outcome:
    """Result of the demo.

    Attributes
    ----------
    report : Report
        LOMO, LOMO + XQDA, teacher, student alone and student distilled.
    seconds, processor_seconds : dict of str to float
        Time of each part, and processor time of all threads; parts that were finished before take almost none.
    """

    report: Report
    seconds: dict[str, float]
    processor_seconds: dict[str, float]

    def sentence(self) -> str:
        """Say in words what the figures show."""
        scores = {row.model: row.map or 0.0 for row in self.report.rows}
        distilled, alone = scores["student distilled"], scores["student alone"]
        return (
            f"The distilled student has {distilled:.1f} mAP, the same student alone {alone:.1f}: distillation "
            f"{'adds' if distilled >= alone else 'takes'} {abs(distilled - alone):.1f} points at the same speed. "
            f"The teacher has {scores['teacher']:.1f}, LOMO + XQDA {scores['lomo xqda']:.1f}."
        )


def run_demo(out: str | Path, *, seed: int = 0, progress: Progress = silent) -> Outcome:
    """Run the whole job on a drawn camera network.

    Parameters
    ----------
    out : str or Path
        Folder for everything, also for what `make_gallery` makes. Given again, finished trainings are not repeated.
    seed : int
        Seed of the drawing and of the trainings.
    progress : Progress

    Returns
    -------
    Outcome
        ``tradeoff.json`` holds its report.

    Raises
    ------
    ConfigurationError
        If `out` holds the demo of another seed.
    StorageError
        If something cannot be written.
    """
    out = Path(out)
    network = out / "camera-network"
    marker = read_marker(network)
    if marker is not None and marker.get("seed") != seed:
        raise ConfigurationError(f"{out} holds the demo of seed {marker.get('seed')}, not {seed}; choose another folder with --out")
    watch = _Watch()
    with watch.part("drawing"):
        dataset = crops.generate(
            network, identities_train=_LEARN + _ASIDE, identities_test=_TEST, images_per_camera=3, seed=seed, progress=progress
        )
        draw_sheet(dataset.train, out / "people.png")
        learn, aside = set_aside(dataset)
    with watch.part("LOMO + XQDA"):
        learned = fit_model(learn, out / "lomo xqda", "lomo", "xqda", progress=progress)
    with watch.part("teacher"):
        teacher = train(learn, out / "teacher", replace(TEACHER, seed=seed), progress=progress)
    with watch.part("student alone"):
        alone = train(learn, out / "student alone", replace(STUDENT, seed=seed), progress=progress)
    with watch.part("student distilled"):
        taught = DistillConfig(**vars(replace(STUDENT, seed=seed)) | TAUGHT, teacher=(str(teacher),))
        distilled = distill(learn, out / "student distilled", taught, progress=progress)
    with watch.part("trade-off"):
        models = [load_model("lomo"), *(load_model(str(run)) for run in (learned, teacher, alone, distilled))]
        report = measure_tradeoff(models, learn, timed_images=128, rounds=2, threads=torch.get_num_threads(), progress=progress)
        save_report(report, out, "tradeoff")
    with watch.part("gallery"):
        make_gallery(learn, out, teacher, strangers=aside, progress=progress)
    with watch.part("cameras"):  # other people than those in the pictures
        watch_films(out, replace(FILMS, seed=seed + 1), progress=progress)
    return Outcome(report, watch.seconds, watch.processor_seconds)


def set_aside(dataset: Dataset) -> tuple[Dataset, Records]:
    """The data set without the last of the people to train on, and those people."""
    train = dataset.train
    aside = np.isin(train.identities, train.people()[-_ASIDE:])
    split = replace(dataset.splits[0], train=train.select(~aside))
    return replace(dataset, splits=(split,)), train.select(aside)


class _Watch:
    """Takes the time of parts."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.processor_seconds: dict[str, float] = {}

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        started, used = time.perf_counter(), sum(os.times()[:4])
        yield
        self.seconds[name] = time.perf_counter() - started
        self.processor_seconds[name] = sum(os.times()[:4]) - used
