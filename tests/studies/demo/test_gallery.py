"""The demo's gallery: drawn people walk past the cameras, and some who ask are not there."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from resight.datasets import Dataset
from resight.decision import Calibration, decide
from resight.drawn import crops
from resight.errors import GalleryError, ModelMismatchError
from resight.gallery import Gallery, Settings, Where
from resight.images import read_image
from resight.models import load_model
from resight.studies.demo.gallery import make_gallery


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    root = tmp_path_factory.mktemp("network")
    return crops.generate(root, identities_train=60, identities_test=17, cameras=3, images_per_camera=3, size=(64, 32))


@pytest.fixture(scope="module")
def made(network: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("made")
    make_gallery(network, out, "student", strangers=network.train)
    return out


def test_everybody_is_enrolled_but_those_who_are_absent(made: Path, network: Dataset) -> None:
    with Gallery.open(made / "gallery") as gallery:
        records = gallery.records()
    enrolled = {Path(record.source).name for record in records}
    absent = {path.name[:4] for path in (made / "questions" / "absent").iterdir()}
    present = {path.name[:4] for path in (made / "questions" / "present").iterdir()}
    assert len(absent) == 3 and len(present) == 14 and not absent & present
    assert enrolled == {Path(path).name for path in network.gallery.paths if Path(path).name[:4] not in absent}
    assert len(list((made / "questions").glob("*/*.jpg"))) == len(network.query)


def test_a_walk_passes_one_camera_after_the_other(made: Path) -> None:
    with Gallery.open(made / "gallery") as gallery:
        made_at = datetime.fromisoformat(gallery.settings.created)
        records = gallery.records(Where(since=made_at - timedelta(hours=9), until=made_at + timedelta(seconds=1)))
        assert len(records) == len(gallery)
    for person in {record.tracklet.partition("-")[0] for record in records} - {""}:
        mine = sorted(
            (record.time, record.camera) for record in records if record.tracklet.startswith(f"{person}-") and record.time
        )
        changes = sum(one[1] != other[1] for one, other in pairwise(mine))
        assert changes + 1 == len({camera for _, camera in mine}), "no camera twice"
        assert all(other[0] - one[0] == timedelta(seconds=2) for one, other in pairwise(mine) if one[1] == other[1])


def test_names_are_those_of_half_of_the_people(made: Path) -> None:
    with Gallery.open(made / "gallery") as gallery:
        records = gallery.records()
    assert {record.tracklet.partition("-")[0] for record in records if record.identity} == {
        record.identity.removeprefix("Person ") for record in records if record.identity
    }
    assert len({record.identity for record in records} - {""}) == 7


def test_a_repetition_adds_nothing_and_keeps_what_was_confirmed(made: Path, network: Dataset) -> None:
    with Gallery.open(made / "gallery") as gallery:
        before = gallery.records()
        gallery.label([before[5].id], "confirmed")
    make_gallery(network, made, "student", strangers=network.train)
    with Gallery.open(made / "gallery") as gallery:
        assert [record.id for record in gallery.records()] == [record.id for record in before]
        assert gallery.get(before[5].id).identity == "confirmed"


def test_the_calibration_tells_who_is_there_from_who_is_not(made: Path) -> None:
    student, calibration = load_model("student"), Calibration.load(made / "calibration.json")

    def unknown(which: str) -> float:
        with Gallery.open(made / "gallery") as gallery:
            images = [read_image(path) for path in sorted((made / "questions" / which).iterdir())]
            nearest = [gallery.search(gallery.embed(student, [image]), 1)[0].distance for image in images]
        return float(np.mean(decide(nearest, calibration) == "unknown"))

    assert unknown("absent") > max(0.5, unknown("present"))  # test_run has a model that knows drawn people


def test_several_people_are_on_the_street(made: Path) -> None:
    assert read_image(made / "questions" / "street.png").shape == (64, 5 * 32, 3)


def test_a_gallery_of_somebodys_own_is_left_alone(network: Dataset, tmp_path: Path) -> None:
    student = load_model("student")
    Gallery.create(tmp_path / "gallery", Settings.for_model("student", student, retention=None)).close()
    with pytest.raises(GalleryError, match="did not make"):
        make_gallery(network, tmp_path, "student", strangers=network.train)
    with Gallery.open(tmp_path / "gallery") as gallery:
        assert len(gallery) == 0


def test_a_gallery_of_an_earlier_student_is_named_with_the_way_out(network: Dataset, tmp_path: Path) -> None:
    Gallery.create(tmp_path / "gallery", Settings.for_model("student-fast", load_model("student-fast"), retention=None)).close()
    (tmp_path / "gallery" / "demo").touch()
    with pytest.raises(ModelMismatchError, match="remove it, then run the demo again"):
        make_gallery(network, tmp_path, "student", strangers=network.train)
    with Gallery.open(tmp_path / "gallery") as one:
        assert len(one) == 0


def test_too_few_people_are_an_error(tmp_path: Path) -> None:
    few = crops.generate(tmp_path / "few", identities_train=8, identities_test=6, cameras=2, images_per_camera=2, size=(64, 32))
    with pytest.raises(GalleryError, match="8 people cannot show"):
        make_gallery(few, tmp_path, "student", strangers=few.train)
