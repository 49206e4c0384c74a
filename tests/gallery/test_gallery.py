"""The door to all of it."""

from __future__ import annotations

import itertools
import os
import stat
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest

from gallery.fakes import DIMENSION, START, ColourModel, make_id, make_image, make_settings, make_sighting, make_sightings
from resight.datasets import open_dataset
from resight.datasets.records import JUNK
from resight.errors import ArrayError, ConfigurationError, GalleryError
from resight.evaluation.model import evaluate_model
from resight.evaluation.protocol import evaluate
from resight.gallery import Gallery, Match, Where, crops_of, fuse, upkeep
from resight.gallery.grouping import OnePer, search_one_per
from resight.gallery.labels import chosen, label_by_table
from resight.gallery.picture import draw_matches
from resight.gallery.sighting import Record
from resight.images import decode
from resight.models.embedding import embed_files


@pytest.fixture
def gallery(tmp_path: Path) -> Iterator[Gallery]:
    with Gallery.create(tmp_path / "gallery", make_settings()) as made:
        made.add(make_sightings(40))
        yield made


def test_a_ranked_list(gallery: Gallery) -> None:
    query = make_sighting(7).embedding[None] + 0.01
    matches = gallery.search(query, 5)
    ids, distances = gallery._store.search(query, 5)
    assert [match.rank for match in matches] == [1, 2, 3, 4, 5]
    assert [match.record.id for match in matches] == ids[0].tolist()
    assert [match.distance for match in matches] == distances[0].tolist()
    assert matches[0].to_dict() == {"rank": 1, "distance": matches[0].distance, **make_sighting(7).to_dict()}
    assert gallery.search(query, 5, Where(cameras=frozenset({"nowhere"}))) == []
    assert all(match.record.camera == "hall" for match in gallery.search(query, 50, Where(cameras=frozenset({"hall"}))))


def test_one_vector_is_one_image(gallery: Gallery) -> None:
    vector = make_sighting(7).embedding
    assert gallery.search(vector, 3).__repr__() == gallery.search(vector[None], 3).__repr__()
    assert len(gallery.search(vector)) == 10


def test_a_ranked_list_prints_as_a_table(gallery: Gallery) -> None:
    gallery.label([make_id(7)], "<b>Zoë")
    found = gallery.search(make_sighting(7).embedding, 2)
    head, first, second = repr(found).splitlines()
    assert head.split() == ["rank", "distance", "camera", "time", "identity", "id"]
    assert first.split() == ["1", "0.0000", "hall", "2026-03-01", "12:00:07+00:00", "<b>Zoë", make_id(7)]
    assert second.startswith("2")
    assert "<td>&lt;b&gt;Zoë</td>" in found._repr_html_()
    assert found._repr_html_().count("<tr>") == 3


def test_what_a_purge_would_reach(gallery: Gallery) -> None:
    upkeep.take_snapshot(gallery.folder, "all")
    gallery.purge(Where(ids=frozenset(["0" * 32])))
    assert gallery.reach(Where(ids=frozenset([make_id(3), "0" * 32]))) == ([make_id(3)], 0)
    assert gallery.reach(Where()) == ([make_id(number) for number in range(40)], 0)
    upkeep.restore_snapshot(gallery.folder or "", "all")
    gallery.add(make_sightings(1, 99))
    upkeep.take_snapshot(gallery.folder, "one-more")
    upkeep.restore_snapshot(gallery.folder or "", "all")
    assert gallery.reach(Where(ids=frozenset([make_id(3), make_id(99)]))) == ([make_id(3)], 1)


def test_several_images_of_one_person() -> None:
    rng = np.random.default_rng(0)
    images = rng.standard_normal((4, DIMENSION)).astype(np.float32) + 2
    np.testing.assert_array_equal(fuse(images[:1]), images[:1])
    # However long one of them is, it counts as much as the others: the direction does not change.
    directions = [fuse(images * scale)[0] for scale in (np.ones((4, 1)), np.array([[1], [50], [0.1], [3]]))]
    unit = [direction / np.linalg.norm(direction) for direction in directions]
    np.testing.assert_allclose(unit[0], unit[1], rtol=1e-5)
    by_hand = sum(image / np.linalg.norm(image) for image in images.astype(np.float64)) / 4
    np.testing.assert_allclose(unit[0], by_hand / np.linalg.norm(by_hand), rtol=1e-5)
    assert np.linalg.norm(fuse(images)) == pytest.approx(np.linalg.norm(images, axis=1).mean(), rel=1e-5)
    assert not fuse(np.stack([images[0], -images[0]])).any()
    np.testing.assert_allclose(fuse(np.stack([images[0], np.zeros(DIMENSION, np.float32)])), images[:1] / 2, rtol=1e-6)
    np.testing.assert_array_equal(fuse(images[0]), images[:1])
    with pytest.raises(ArrayError):
        fuse(images[None])
    with pytest.raises(ArrayError, match="no vector was given"):
        fuse(images[:0])


def test_the_mean_of_noisy_images_finds_the_person(gallery: Gallery) -> None:
    rng = np.random.default_rng(1)
    noisy = make_sighting(9).embedding + 1.2 * rng.standard_normal((30, DIMENSION)).astype(np.float32)
    assert gallery.search(noisy, 1)[0].record.id == make_id(9)


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX")
def test_nobody_else_may_look(gallery: Gallery) -> None:
    assert gallery.folder
    assert stat.S_IMODE(gallery.folder.stat().st_mode) == 0o700


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX")
def test_nobody_else_may_read_it_in_a_folder_that_others_may_enter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace, written = os.replace, []

    def seen(old: Path, new: Path) -> None:
        written.append(stat.S_IMODE(old.stat().st_mode))
        replace(old, new)

    monkeypatch.setattr(os, "replace", seen)
    tmp_path.chmod(0o755)
    with Gallery.create(tmp_path, make_settings()) as gallery:
        gallery.add(make_sightings(40))
        upkeep.take_snapshot(gallery.folder, "a")
        gallery.purge(Where(cameras=frozenset({"hall"})))
        upkeep.restore_snapshot(gallery.folder, "a")
        modes = {str(path.relative_to(tmp_path)): oct(stat.S_IMODE(path.stat().st_mode)) for path in tmp_path.rglob("*")}
    assert modes == {"snapshots": "0o700"} | dict.fromkeys(
        ["gallery.lock", "gallery.sqlite", "gallery.sqlite-shm", "gallery.sqlite-wal", "reserve", "snapshots/a.sqlite"], "0o600"
    )
    assert written == [0o600, 0o600]  # before they had their names
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755  # the user's own


def test_statistics(gallery: Gallery) -> None:
    found = gallery.statistics()
    assert (found.count, found.identities, found.unlabelled) == (40, 6, 5)
    assert found.cameras == {"entrance": 14, "hall": 13, "Küche ☂": 13}
    assert found.first == START.isoformat()
    assert found.last == (START + timedelta(seconds=38)).isoformat()
    assert found.bytes
    assert found.to_dict()["settings"]["dimension"] == DIMENSION


def test_one_sighting(gallery: Gallery) -> None:
    assert gallery.get(make_id(3)).to_dict() == make_sighting(3).to_dict()
    with pytest.raises(GalleryError, match="no sighting 123 in this gallery"):
        gallery.get("123")


def test_an_enrolled_data_set_scores_as_evaluate_says(tiny: Path, tmp_path: Path) -> None:
    """Ranks that come out of a gallery, scored by hand, are those of `evaluate`."""
    dataset, model = open_dataset(tiny), ColourModel()
    kept = dataset.gallery.select(dataset.gallery.identities != JUNK)
    with Gallery.create(tmp_path / "gallery", make_settings()) as gallery:
        done = gallery.enrol(model, crops_of(kept))
        assert done.added == len(kept)
        row = {id: number for number, id in enumerate(done.ids)}
        ids, values = gallery._store.search(embed_files(model, dataset.query.paths), len(kept))
    distances = np.empty((len(dataset.query), len(kept)), np.float32)
    for query in range(len(dataset.query)):
        distances[query, [row[id] for id in ids[query].tolist()]] = values[query]
    direct = evaluate_model(model, dataset)
    numbers = np.arange(len(dataset.query))[:, None].astype(np.float32), np.arange(len(kept))[:, None].astype(np.float32)
    through = evaluate(*numbers, dataset.query, kept, lambda q, g: distances[q[:, 0].astype(int)][:, g[:, 0].astype(int)])
    assert (through.rank1, through.map) == (direct.rank1, direct.map)


def test_a_picture_frames_right_and_wrong(gallery: Gallery, tmp_path: Path) -> None:
    matches = gallery.search(make_sighting(1).embedding[None], 13)
    query = decode(make_image(1))
    thumbnails = {id: sighting.thumbnail for id, sighting in gallery.sightings(match.record.id for match in matches).items()}
    for identity, expected in (("person 1", {"person 1": (0, 150, 60), "": (170, 170, 170)}), ("", {"": (170, 170, 170)})):
        draw_matches(tmp_path / "list.png", [query, query], matches, thumbnails, identity)
        sheet = cv2.cvtColor(cv2.imread(str(tmp_path / "list.png")), cv2.COLOR_BGR2RGB)
        assert sheet.shape == (2 * 256, 10 * 120, 3)  # fifteen cells, ten in a row
        for number, match in enumerate(matches, 2):
            left, top = number % 10 * 120, number // 10 * 256
            colour = tuple(sheet[top + 104, left + 14].tolist())  # the middle of the left side of its frame
            wrong = (210, 30, 30) if identity and match.record.identity else (170, 170, 170)
            assert colour == expected.get(match.record.identity, wrong)
            assert not (sheet[top + 208 : top + 224, left : left + 120] == 255).all()  # rank and distance
        assert tuple(sheet[104, 14].tolist()) == (30, 90, 200)


@pytest.mark.parametrize("one_per", ["tracklet", "identity", "camera"])
def test_one_place_for_each_equals_the_slow_way_and_reads_little(
    location: str, one_per: OnePer, monkeypatch: pytest.MonkeyPatch
) -> None:
    near = [make_sighting(n, camera="door", identity="anna") for n in range(500)]
    near = [replace(one, embedding=one.embedding / 10) for one in near]
    far = make_sightings(9, 500, camera="hall", identity="bob", tracklet="1")
    unknown = make_sightings(3, 509, camera="", identity="", tracklet="")
    query, looked = np.zeros((1, DIMENSION), np.float32), []

    def key_of(record: Record) -> tuple[str, ...]:
        name = getattr(record, one_per)
        return (name, record.camera if one_per == "tracklet" else "") if name else (name, record.id)

    with Gallery.create(location, make_settings()) as gallery:
        gallery.add([*near, *far, *unknown])
        for cameras, k in itertools.product((None, frozenset({"hall", ""})), (1, 3, 5, 200)):
            where = Where(cameras=cameras)
            places: dict[tuple[str, ...], Match] = {}
            for match in gallery.search(query, 1000, where):
                places.setdefault(key_of(match.record), match)
            found = search_one_per(gallery, query, k, where, one_per)
            expected = list(places.values())[:k]
            assert [(match.rank, match.record) for match in found] == list(enumerate((match.record for match in expected), 1))
        real = gallery.search
        monkeypatch.setattr(gallery, "search", lambda vectors, k, where: (looked.append(k), real(vectors, k, where))[1])
        search_one_per(gallery, query, 5, Where() if one_per == "camera" else Where(cameras=frozenset({"door"})), one_per)
        assert {"camera": [1, 1, 5], "identity": [20], "tracklet": [20]}[one_per] == sorted(looked)


def test_two_cameras_may_use_one_name_for_their_tracklets(gallery: Gallery, tmp_path: Path) -> None:
    door, hall = (make_sighting(n, camera=camera, tracklet="t", identity="") for n, camera in ((90, "door"), (91, "hall")))
    gallery.add([door, hall])
    (tmp_path / "names.csv").write_text("path,identity,camera,tracklet\na.png,anna,door,t\nb.png,bob,door,u\n")
    assert label_by_table(gallery, tmp_path / "names.csv")[:2] == (1, 1)
    assert (gallery.get(door.id).identity, gallery.get(hall.id).identity) == ("anna", "")
    with pytest.raises(ConfigurationError, match="the cameras door, hall have a tracklet 't' each; add --camera"):
        chosen(gallery, tracklets=frozenset({"t"}))
    found = chosen(gallery, tracklets=frozenset({"t"}), where=Where(cameras=frozenset({"hall"})))
    assert [record.id for record in found] == [hall.id]
