"""Measure how far a change of an image moves a teacher's embedding, and how far a student is from its teacher.

    python tools/teacher_changes.py openvino:person-reidentification-retail-0277.xml student DATA OUT.json

Reads some of the training images of a data set. A change that a teacher hardly minds can be made to what the student sees. One that
it minds makes the teacher's cached answer wrong for what the student sees.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from resight.datasets import open_dataset
from resight.distillation.space import TeacherSpace
from resight.distillation.targets import CachedTeacher
from resight.files import write_json
from resight.images import Pixels, Preprocessing, load_pixels
from resight.models import load_model
from resight.networks.batches import Batches, View
from resight.provenance import provenance
from resight.training.augment import random_colours, random_rectangles

IMAGES = 400
Changes = dict[str, Callable[[int, tuple[int, int]], View]]

CHANGES: Changes = {
    "mirrored": lambda n, size: View(np.arange(n), np.ones(n, bool)),
    "colour 0.2": lambda n, size: View(np.arange(n), colours=random_colours(n, 0.2, _random())),
    "colour 0.4": lambda n, size: View(np.arange(n), colours=random_colours(n, 0.4, _random())),
    "half of the detail": lambda n, size: View(np.arange(n), detail=np.full(n, 0.5)),
    "a quarter of the detail": lambda n, size: View(np.arange(n), detail=np.full(n, 0.25)),
    "shifted by up to 1 %": lambda n, size: View(np.arange(n), shifts=_shifts(n, size, 0.0125)),
    "shifted by up to 4 %": lambda n, size: View(np.arange(n), shifts=_shifts(n, size, 0.0375)),
    "a rectangle erased": lambda n, size: View(np.arange(n), erased=random_rectangles(n, size, 1.0, _random())),
}


def main(teacher: str, student: str, data: str, out: str) -> None:
    """Write the mean cosines to `out`."""
    records = open_dataset(data).train
    records = records.select(np.arange(0, len(records), max(len(records) // IMAGES, 1)))
    model, pupil = load_model(teacher), load_model(student)
    pixels = load_pixels(records.paths, model.size)
    plain, mirrored = model.extract(pixels), model.extract(np.ascontiguousarray(pixels[:, :, ::-1]))
    centre = _scaled(plain).mean(0)
    found = {
        name: _cosine(_scaled(plain) - centre, _scaled(model.extract(_shown(pixels, change))) - centre)
        for name, change in CHANGES.items()
    }
    answers = CachedTeacher(torch.from_numpy(np.stack([plain, mirrored])), None)
    before = torch.from_numpy(pupil.extract(load_pixels(records.paths, pupil.size)))
    half = len(before) // 2  # the space is turned by one half and the cosine is that of the other
    rest = View(np.arange(half, len(before)))
    spaces = {"as it is": None, "turned": before[:half]}
    distance = {
        name: _cosine(before.numpy()[half:], TeacherSpace([answers], before.shape[1], known)(rest).numpy())
        for name, known in spaces.items()
    }
    configuration = {"teacher": teacher, "student": student}
    write_json(
        out,
        {"images": len(pixels), "changes": found, "student": distance, "provenance": provenance(configuration, seed=0)},
    )


def _random() -> np.random.Generator:
    return np.random.default_rng(0)


def _shifts(images: int, size: tuple[int, int], share: float) -> NDArray[np.int64]:
    most = round(share * size[0])
    return _random().integers(-most, most, (images, 2), endpoint=True)


def _shown(pixels: Pixels, change: Callable[[int, tuple[int, int]], View]) -> Pixels:
    """The images as a view shows them, as pixels again; what is erased becomes the mean colour of ImageNet."""
    size = pixels.shape[1], pixels.shape[2]
    how = Preprocessing(height=size[0], width=size[1])
    values = Batches(pixels, how, torch.device("cpu"))(change(len(pixels), size)).permute(0, 2, 3, 1).numpy()
    scale, shift = how.affine()
    shown: Pixels = np.clip(np.rint((values - shift) / scale), 0, 255).astype(np.uint8)
    return shown


def _scaled(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    scaled: NDArray[np.float32] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return scaled


def _cosine(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    return float((_scaled(one) * _scaled(other)).sum(1).mean())


if __name__ == "__main__":
    main(*sys.argv[1:])
