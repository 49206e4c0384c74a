"""From files to sightings."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from gallery.fakes import ColourModel, make_image, make_settings
from resight.errors import ArrayError, ConfigurationError, ModelMismatchError
from resight.gallery import Crop, Gallery, Where, enrol, sighting_id
from resight.images import decode
from resight.models.embedding import embed_files


@pytest.fixture
def gallery(tmp_path: Path) -> Iterator[Gallery]:
    with Gallery.create(tmp_path / "gallery", make_settings()) as made:
        yield made


def write_crops(folder: Path, count: int) -> list[Crop]:
    crops = []
    for number in range(count):
        path = folder / f"{number}.png"
        path.write_bytes(make_image(number))
        crops.append(Crop(source=str(path), camera=str(number % 3), tracklet="t", identity=str(number // 3)))
    return crops


def test_sightings_are_what_the_files_show(gallery: Gallery, tmp_path: Path) -> None:
    crops = write_crops(tmp_path, 30)
    before = datetime.now(UTC)
    done = gallery.enrol(ColourModel(), crops)
    assert (done.added, done.present, done.expired, done.failures, done.recall) == (30, 0, 0, (), None)
    expected = embed_files(ColourModel(), [crop.source for crop in crops])
    for crop, id, vector in zip(crops, done.ids, expected, strict=True):
        sighting = gallery.get(id)
        data = Path(crop.source).read_bytes()
        assert id == sighting_id(hashlib.sha256(data).hexdigest(), crop.camera, crop.time)
        np.testing.assert_array_equal(sighting.embedding, vector)
        assert (sighting.camera, sighting.identity, sighting.tracklet) == (crop.camera, crop.identity, "t")
        assert sighting.source == crop.source
        assert before <= sighting.enrolled <= datetime.now(UTC)
        shown = decode(sighting.thumbnail)
        assert shown.shape == (48, 24, 3)
        assert np.abs(shown.mean((0, 1)) - decode(data).mean((0, 1))).max() < 2  # the noise is JPEG's


def test_bad_images_are_listed_and_the_others_enrolled(gallery: Gallery, tmp_path: Path) -> None:
    crops = write_crops(tmp_path, 6)
    Path(crops[1].source).write_bytes(b"")
    Path(crops[2].source).write_bytes(make_image(2)[:300])
    Path(crops[3].source).unlink()
    Path(crops[4].source).write_bytes(b"no image")
    crops.append(Crop(source=str(tmp_path)))
    done = gallery.enrol(ColourModel(), crops)
    assert done.added == len(done.ids) == len(gallery) == 2
    assert [Path(source).name for source, _ in done.failures] == ["1.png", "2.png", "3.png", "4.png", tmp_path.name]
    assert all(reason for _, reason in done.failures)


def test_nothing_is_embedded_twice(gallery: Gallery, tmp_path: Path) -> None:
    crops = write_crops(tmp_path, 10)
    model = ColourModel()
    first = gallery.enrol(model, crops)
    again = gallery.enrol(model, [*crops, crops[0]])
    assert model.images == 10
    assert (again.added, again.present) == (0, 11)
    assert again.ids == (*first.ids, first.ids[0])
    # The same file by another camera, or at another time, is another sighting; one that is listed twice is one.
    moved = Crop(source=crops[0].source, camera="other")
    later = Crop(source=crops[0].source, camera="other", time=datetime.now(UTC))
    assert gallery.enrol(model, [moved, later, moved]).added == 2
    assert len(gallery) == 12


def test_an_interrupted_enrolment_goes_on_where_it_stopped(
    gallery: Gallery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(enrol, "CHUNK", 4)
    crops = write_crops(tmp_path, 14)
    model = ColourModel()

    def stop(stage: str, done: int, total: int, note: str = "") -> None:
        if done == 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        gallery.enrol(model, crops, progress=stop)
    assert len(gallery) == 8
    before = model.images
    steps = []
    assert gallery.enrol(model, crops, progress=lambda stage, n, of, note="": steps.append((n, of))).added == 6
    assert model.images - before == 6
    assert steps == [(4, 14), (8, 14), (12, 14), (14, 14)]


def test_what_is_too_old_is_left_out(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    with Gallery.create(tmp_path / "gallery", make_settings(retention=3600)) as gallery:
        crops = [
            Crop(source="a", data=make_image(1), time=now - timedelta(hours=2)),
            Crop(source="b", data=make_image(1), time=now - timedelta(minutes=2)),
            Crop(source="c", data=make_image(1)),
            Crop(source="d", data=make_image(1), time=now + timedelta(days=1000)),
        ]
        with pytest.raises(ConfigurationError, match="e: its time has no time zone"):
            gallery.enrol(ColourModel(), [Crop(source="e", data=make_image(1), time=datetime(2026, 3, 1))])
        done = gallery.enrol(ColourModel(), crops)
        assert (done.added, done.expired) == (3, 1)
        assert {record.source for record in gallery.records()} == {"b", "c", "d"}
        assert gallery.statistics().expired == 0
        assert gallery.statistics(now=now + timedelta(minutes=59)).expired == 1
        cutoff = gallery.settings.expired_before(now + timedelta(minutes=59))
        assert gallery.purge(Where(older_than=cutoff)).removed == 1
        assert {record.source for record in gallery.records()} == {"c", "d"}
        assert gallery.statistics(now=now + timedelta(hours=2)).expired == 2


def test_recall_is_told_where_it_is_not_exact(tmp_path: Path) -> None:
    crops = [Crop(source=str(number), data=make_image(number)) for number in range(40)]
    for precision, least in (("float16", 0.95), ("int8", 0.7)):
        with Gallery.create(tmp_path / precision, make_settings(precision=precision)) as gallery:
            done = gallery.enrol(ColourModel(), crops)
            assert done.recall is not None
            assert least < done.recall <= 1
            assert gallery.enrol(ColourModel(), crops).recall is None
            exact = ColourModel().extract(np.stack([decode(make_image(3))[:16, :8]]))
            assert len(gallery.search(exact, 5)) == 5


def test_mistakes(gallery: Gallery, tmp_path: Path) -> None:
    crops = write_crops(tmp_path, 3)
    with pytest.raises(ModelMismatchError):
        gallery.enrol(ColourModel("another"), crops)
    with pytest.raises(ModelMismatchError):
        gallery.embed(ColourModel("another"), [np.zeros((4, 4, 3), np.uint8)])
    with pytest.raises(ConfigurationError, match="camera"):
        gallery.enrol(ColourModel(), [Crop(source=crops[0].source, camera="\0")])
    broken = ColourModel()
    broken.extract = lambda pixels: np.full((len(pixels), 16), np.nan, np.float32)  # type: ignore[method-assign]
    with pytest.raises(ArrayError, match="NaN"):
        gallery.enrol(broken, crops)
    assert len(gallery) == 0


@pytest.mark.skipif(os.name == "nt", reason="file names are text there")
def test_a_file_name_that_is_no_text(gallery: Gallery, tmp_path: Path) -> None:
    name = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.png")
    Path(name).write_bytes(make_image(1))
    assert gallery.enrol(ColourModel(), [Crop(source=name)]).added == 1
    assert gallery.records()[0].source == f"{tmp_path}/\ufffd.png"
