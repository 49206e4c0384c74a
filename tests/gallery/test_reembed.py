"""A gallery moves to another model."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from resight.errors import GalleryError, ModelMismatchError
from resight.gallery import Gallery, Settings, Where, find_crops, reembed, upkeep
from resight.images import decode, resize
from resight.models import load_model


@pytest.fixture(scope="module")
def old(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("galleries") / "old"
    model = load_model("student-fastest")
    with Gallery.create(folder, Settings.for_model("student-fastest", model, retention=86_400)) as gallery:
        gallery.enrol(model, find_crops(tiny / "bounding_box_train"))
    return folder


def made(folder: Path | str, name: str = "student-fast") -> Gallery:
    return Gallery.create(folder, Settings.for_model(name, load_model(name), retention=86_400))


def test_every_sighting_has_the_vector_of_its_kept_crop(old: Path, location: str) -> None:
    model = load_model("student-fast")
    with Gallery.open(old) as before, made(location) as after:
        assert reembed(before, after, model).embedded == len(before) == len(after)
        for record, moved in zip(before.records(), after.records(), strict=True):
            assert record == moved
            sighting = after.get(record.id)
            assert sighting.thumbnail == before.get(record.id).thumbnail
            (vector,) = model.extract(resize(decode(sighting.thumbnail), model.size)[None])
            np.testing.assert_allclose(sighting.embedding, vector, rtol=1e-4, atol=1e-5)
        assert reembed(before, after, model).embedded == 0


def test_later_changes_are_taken_over(old: Path, tiny: Path, tmp_path: Path) -> None:
    model, first = load_model("student-fast"), load_model("student-fastest")
    with Gallery.create(tmp_path / "a", Settings.for_model("student-fastest", first, retention=86_400)) as before:
        crops = find_crops(tiny / "bounding_box_train")
        before.enrol(first, crops[:20])
        with made(tmp_path / "b") as after:
            reembed(before, after, model)
            ids = [record.id for record in before.records()]
            before.purge(Where(ids=frozenset(ids[:3])))
            before.label(ids[3:5], "anna")
            before.enrol(first, crops[20:24])
            result = reembed(before, after, model)
            assert (result.embedded, result.present, result.removed, result.labelled) == (4, 17, 3, 2)
            assert before.records() == after.records()


def test_what_is_no_move_is_refused(old: Path, tiny: Path, tmp_path: Path) -> None:
    model = load_model("student-fast")
    with Gallery.open(old) as before:
        with made(tmp_path / "same", "student-fastest") as after, pytest.raises(GalleryError, match="both galleries are for"):
            reembed(before, after, load_model("student-fastest"))
        with made(tmp_path / "b") as after:
            with pytest.raises(ModelMismatchError):
                reembed(before, after, load_model("student-fastest"))
            after.enrol(model, find_crops(tiny / "query"))
            with pytest.raises(GalleryError, match="holds other sightings"):
                reembed(before, after, model)


@pytest.mark.slow
def test_twenty_kills_lose_nothing(tiny: Path, tmp_path: Path) -> None:
    first = load_model("student-fastest")
    with Gallery.create(tmp_path / "old", Settings.for_model("student-fastest", first, retention=None)) as gallery:
        crops = [crop for part in ("bounding_box_train", "bounding_box_test", "query") for crop in find_crops(tiny / part)]
        gallery.enrol(first, crops)
    command = [sys.executable, "-m", "resight.cli", "gallery", "reembed", "old", "new", "--model", "student-fast"]
    random.seed(0)
    for _ in range(20):
        process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(random.uniform(0.2, 2.5))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    with Gallery.open(tmp_path / "old") as before, Gallery.open(tmp_path / "new") as after:
        assert before.records() == after.records()
        assert not upkeep.verify(tmp_path / "new")
