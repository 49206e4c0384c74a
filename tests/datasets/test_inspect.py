"""What `inspect` counts, against folders whose content is known."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from datasets.layouts import write_images, write_market, write_viper
from resight.datasets import inspect, open_dataset
from resight.errors import DatasetError


def test_counts_of_a_known_folder(tmp_path: Path) -> None:
    write_market(tmp_path)
    write_images(tmp_path, ["bounding_box_train/0002_c3s1_000451_03.jpg"], size=(10, 3))
    calls: list[tuple[str, int, int]] = []
    found = inspect(tmp_path, progress=lambda stage, done, total, note="": calls.append((stage, done, total)))
    assert calls == [("inspecting", 11, 11)]
    assert (found.name, found.root, found.splits) == ("market1501", str(tmp_path), 1)
    train, query, gallery = found.train, found.query, found.gallery
    assert (train.images, train.identities, train.cameras, train.junk, train.distractors) == (4, 2, 4, 0, 0)
    assert train.images_per_identity == (2.0, 1, 3)
    assert (train.heights, train.widths) == ((6, 10), (3, 4))
    assert (query.images, query.identities, query.cameras) == (2, 2, 2)
    assert (gallery.images, gallery.identities, gallery.cameras, gallery.junk, gallery.distractors) == (5, 2, 4, 2, 1)
    assert gallery.images_per_identity == (1.0, 1, 1)
    assert (found.unmatched_queries, found.duplicates, found.unreadable, found.warnings) == (0, 0, (), ())


def test_unreadable_files_are_listed_with_reasons(tmp_path: Path) -> None:
    write_market(tmp_path)
    cut = tmp_path / "query" / "0001_c1s1_001051_00.jpg"
    cut.write_bytes(cut.read_bytes()[:-30])
    empty = tmp_path / "bounding_box_test" / "-1_c1s1_000401_03.jpg"
    empty.write_bytes(b"")
    found = inspect(tmp_path)
    assert found.unreadable == ((str(cut), "the JPEG file ends too early"), (str(empty), "the file is empty"))
    assert found.query.images == 2 and found.query.heights == (6, 6)


def test_nothing_readable_at_all(tmp_path: Path) -> None:
    write_market(tmp_path)
    for path in tmp_path.glob("*/*.jpg"):
        path.write_bytes(b"")
    found = inspect(tmp_path)
    assert len(found.unreadable) == 10
    assert (found.gallery.heights, found.gallery.widths, found.duplicates) == ((0, 0), (0, 0), 0)


def test_duplicates_and_queries_without_a_match(tmp_path: Path) -> None:
    write_market(tmp_path)
    gallery = tmp_path / "bounding_box_test"
    shutil.copy(gallery / "0001_c2s1_001051_00.jpg", gallery / "0001_c1s1_001051_77.jpg")
    (gallery / "0003_c1s1_001051_00.jpg").rename(gallery / "0003_c3s1_001051_00.jpg")  # now by the query's own camera
    found = inspect(open_dataset(tmp_path))
    assert (found.duplicates, found.unmatched_queries) == (1, 1)


def test_as_json(tmp_path: Path) -> None:
    write_viper(tmp_path)
    (tmp_path / "cam_a" / "000_0.bmp").write_bytes(b"BM")
    values = json.loads(json.dumps(inspect(tmp_path).to_dict()))
    assert values["name"] == "viper" and values["splits"] == 10
    assert values["train"]["images"] == 8 and values["gallery"]["images_per_identity"] == [1.0, 1, 1]
    assert values["unreadable"] == [{"path": str(tmp_path / "cam_a" / "000_0.bmp"), "reason": "the image's header is damaged"}]


def test_no_data_set(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no such folder"):
        inspect(tmp_path / "missing")
