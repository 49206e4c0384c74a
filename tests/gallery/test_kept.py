"""Crops come out of a gallery as files."""

from __future__ import annotations

import os
import stat
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from resight.cli import main
from resight.datasets import open_dataset
from resight.datasets.image_list import find_images
from resight.errors import ConfigurationError, GalleryError
from resight.gallery import Crop, Gallery, Settings, Where, find_crops
from resight.gallery.kept import is_gallery, kept_crops
from resight.gallery.tracklets import add_tracklet
from resight.images import load_pixels
from resight.models import load_model

SEEN = datetime.now(UTC)


@pytest.fixture
def people(tiny: Path, location: str) -> str:
    """A gallery with six crops and a tracklet of two."""
    model = load_model("student-fastest")
    with Gallery.create(location, Settings.for_model("student-fastest", model, retention=None)) as gallery:
        crops = find_crops(tiny / "query")[:6]
        names = ["anna", "anna", "person-12", "anna?", "", "Bob"]
        cameras = ["door", "hall", "door", "door", "door", "hall"]
        rows = zip(crops, names, cameras, strict=True)
        gallery.enrol(model, [Crop(source=crop.source, camera=camera, time=SEEN, identity=name) for crop, name, camera in rows])
        pixels = load_pixels([crop.source for crop in crops[:2]], (128, 64))
        vector = model.extract(pixels[:1])[0]
        add_tracklet(gallery, name="door-1", camera="door", time=SEEN, source="film", crops=list(pixels), embedding=vector)
    return location


def test_all_crops_come_out_and_the_folder_goes(people: str, tiny: Path, tmp_path: Path) -> None:
    assert is_gallery(people) and not is_gallery(tiny)
    with kept_crops(people, tmp_path / "crops") as records:
        assert sorted(Counter(records.tracklets).values()) == [1] * 6 + [2]
        assert stat.S_IMODE((tmp_path / "crops").stat().st_mode) == 0o700
        both = [path for path, run in zip(records.paths, records.tracklets, strict=True) if run == "door-1"]
        shown = load_pixels([crop.source for crop in find_crops(tiny / "query")[:2]], (128, 64))
        assert np.abs(load_pixels(both, (128, 64)).astype(int) - shown).mean() < 6  # they are kept as JPEG
    assert not (tmp_path / "crops").exists()


def test_copied_crops_stay_for_interrupted_work_alone(people: str, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), kept_crops(people, tmp_path / "crops") as before:
        raise KeyboardInterrupt
    with pytest.raises(ConfigurationError, match="holds crops of another gallery"), kept_crops(tmp_path / "b", tmp_path / "crops"):
        pass
    with Gallery.open(people) as gallery:
        gallery.purge(Where())
    with pytest.raises(GalleryError, match=r"wrong \(.*crops still holds"), kept_crops(people, tmp_path / "crops") as after:
        raise GalleryError("something is wrong")  # such as a mistyped option
    with kept_crops(people, tmp_path / "crops") as after:
        assert after.paths == before.paths
    assert not (tmp_path / "crops").exists()
    with pytest.raises(GalleryError, match="none of 0 sightings has a crop"), kept_crops(people, tmp_path / "crops"):
        pass
    assert not (tmp_path / "crops").exists()


def test_the_verb_writes_whom_somebody_has_named(people: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "named"
    assert main(["gallery", "crops", people, str(folder), "--named"]) == 0
    assert "3 crops of 3 sightings; 4 sightings without a name are left out" in capsys.readouterr().out
    dataset = open_dataset(folder)  # which evaluation and calibration read
    assert len(dataset.train) == 0
    assert (dataset.query.identity_names(), sorted(dataset.gallery.identity_names())) == (["anna"], ["Bob", "anna"])
    assert {*dataset.query.camera_names(), *dataset.gallery.camera_names()} == {"door", "hall"}
    assert main(["gallery", "crops", people, str(folder)]) == 2
    assert main(["gallery", "crops", people, str(folder / "crops.csv")]) == 2
    assert capsys.readouterr().err.count("is there and is no empty folder; give a new one") == 2
    (tmp_path / "door").mkdir(mode=0o755)
    assert main(["gallery", "crops", people, str(tmp_path / "door"), "--camera", "door", "--identity", "anna"]) == 0
    assert os.name != "posix" or stat.S_IMODE((tmp_path / "door").stat().st_mode) == 0o700
    assert find_images(tmp_path / "door").identity_names() == ["anna"]
