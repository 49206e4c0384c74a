"""The whole job on drawn pedestrians: camera network, LOMO, teacher, student alone, the same student distilled, trade-off.

At the end it makes a gallery to search; see `resight.studies.demo.gallery`.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from resight.datasets import Dataset
from resight.distillation.config import DistillConfig
from resight.distillation.distill import distill
from resight.drawn import crops
from resight.files import atomic_write
from resight.images import read_images
from resight.models import load_model
from resight.models.fitted import fit_model
from resight.models.pytorch import NetworkModel
from resight.networks import build
from resight.progress import Progress, silent
from resight.studies.demo.gallery import make_gallery
from resight.tradeoff.measure import measure_tradeoff
from resight.tradeoff.report import Report
from resight.tradeoff.tables import save_report
from resight.training.config import TrainConfig
from resight.training.train import train

__all__ = ["STUDENT", "TEACHER", "run_demo"]

TEACHER = TrainConfig(
    network="mobilenet-0.5", height=96, width=48, epochs=24, learning_rate=0.05, decay_every=1300, validate_every=8
)
"""From random weights: the demo needs no download."""

STUDENT = TrainConfig(
    network="mobilenet-0.25", height=64, width=32, epochs=30, learning_rate=0.05, decay_every=800, validate_every=10
)
"""Smaller in every way; the distilled student differs in its loss alone."""

_SHEET = (96, 48)  # height and width of an image on the contact sheet


def run_demo(out: str | Path, *, progress: Progress = silent) -> Report:
    """Run the main job on a drawn camera network.

    Parameters
    ----------
    out : str or Path
        Folder for everything, also for what `make_gallery` makes; given again, finished parts are not done again.
    progress : Progress

    Returns
    -------
    Report
        Untrained student, teacher, student alone, student distilled; ``tradeoff.json`` holds it.

    Raises
    ------
    StorageError
        If something cannot be written.
    """
    out = Path(out)
    dataset = crops.generate(out / "camera-network", progress=progress)
    draw_people(dataset, out / "people.png")
    teacher = train(dataset, out / "teacher", TEACHER, progress=progress)
    alone = train(dataset, out / "student alone", STUDENT, progress=progress)
    taught = DistillConfig(**vars(STUDENT), teacher=(str(teacher),), temperature=2.0)
    distilled = distill(dataset, out / "student distilled", taught, progress=progress)
    learned = fit_model(dataset, out / "lomo xqda", "lomo", "xqda", progress=progress)
    untrained = build(STUDENT.network, 1)
    untrained.resize_input(STUDENT.height, STUDENT.width)
    models = [
        load_model("lomo"),
        NetworkModel("student untrained", untrained),
        *(load_model(str(run)) for run in (learned, teacher, alone, distilled)),
    ]
    report = measure_tradeoff(models, dataset, timed_images=512, rounds=3, progress=progress)
    save_report(report, out, "tradeoff")
    make_gallery(dataset, out, progress=progress)
    return report


def draw_people(dataset: Dataset, path: str | Path, *, people: int = 6) -> None:
    """A contact sheet as PNG: a row a person, its images from all cameras beside each other. Raises `StorageError`."""
    records = dataset.train
    rows = []
    for identity in records.people()[:people]:
        mine = records.select(records.identities == identity)
        images = read_images(mine.paths[:16], _SHEET)
        rows.append(np.concatenate([*images, *np.full((16 - len(images), *_SHEET, 3), 255, np.uint8)], axis=1))
    encoded = cv2.imencode(".png", cv2.cvtColor(np.concatenate(rows), cv2.COLOR_RGB2BGR))[1]
    with atomic_write(path) as stream:
        stream.write(encoded.tobytes())
