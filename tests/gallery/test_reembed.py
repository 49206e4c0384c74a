"""A gallery moves to another model."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gallery.fakes import ColourModel, make_id, make_settings, make_sightings
from resight.cli import main
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
            before.label(ids[3:5], "")
            after.label(ids[4:5], "bob")
            assert reembed(before, after, model).labelled == 1
            assert [after.get(id).identity for id in ids[3:5]] == ["", "bob"]


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


def test_a_refused_move_makes_no_gallery(old: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gallery", "reembed", str(old), str(tmp_path / "new"), "--model", "student-fastest"]) == 2
    assert "both galleries are for the model" in capsys.readouterr().err and not (tmp_path / "new").exists()
    assert main(["gallery", "reembed", str(old), str(tmp_path / "new"), "--model", "student-fast"]) == 0


def test_what_only_the_new_gallery_knows_stays(location: str, tmp_path: Path) -> None:
    model = ColourModel("other")
    settings = replace(make_settings(), model="other", model_sha256=model.sha256)
    with Gallery.create(tmp_path / "old", make_settings()) as before, Gallery.create(location, settings) as after:
        before.add(make_sightings(8, identity=""))
        before.label([make_id(3)], "carla")
        reembed(before, after, model)
        after.label([make_id(0), make_id(3)], "anna")  # one without a name, and one that another name was carried over for
        after.label([make_id(2)], "person-7")
        before.purge(Where(ids=frozenset([make_id(7)])))  # the newest, and one that was named in the new gallery
        before.purge(Where(ids=frozenset([make_id(0)])))
        before.label([make_id(1), make_id(2)], "berta")
        result = reembed(before, after, model)
        assert (result.embedded, result.removed, result.labelled) == (0, 2, 2)
        names = {record.id: record.identity for record in after.records()}
        assert names == {make_id(n): {1: "berta", 2: "berta", 3: "anna"}.get(n, "") for n in range(1, 7)}

        after.add(make_sightings(2, 100))
        after.label([make_id(4)], "dora")
        before.label([make_id(4)], "emil")
        kept = after.records()
        with pytest.raises(GalleryError, match=r"^2 sightings that only the new .* deleted, and 1 names .*; add --yes$"):
            reembed(before, after, model)
        assert after.records() == kept
        result = reembed(before, after, model, overwrite=True)
        assert (result.removed, result.labelled) == (2, 1)
        assert after.get(make_id(4)).identity == "emil"
        assert len(after) == 6


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
