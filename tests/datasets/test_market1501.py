"""Market-1501's layout, generated and real."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from datasets.layouts import write_images, write_market
from resight.datasets import market1501, open_dataset
from resight.datasets.splits import by_identity, by_image, class_labels
from resight.errors import DatasetError
from support import market1501 as real_root
from support import needs_market1501


@pytest.mark.parametrize("parent", ["", "Market-1501-v15.09.15"])
def test_identities_and_cameras_come_from_the_names(tmp_path: Path, parent: str) -> None:
    write_market(tmp_path / parent)
    dataset = market1501.load(tmp_path)
    assert dataset.root == tmp_path / parent
    assert list(zip(dataset.train.identities.tolist(), dataset.train.cameras.tolist(), strict=True)) == [(2, 1), (2, 2), (7, 6)]
    assert dataset.query.identities.tolist() == [1, 3]
    assert dataset.query.cameras.tolist() == [1, 3]
    assert dataset.gallery.identities.tolist() == [-1, -1, 0, 1, 3]
    assert dataset.gallery.cameras.tolist() == [1, 4, 5, 2, 1]
    assert [Path(path).name for path in dataset.query.paths] == ["0001_c1s1_001051_00.jpg", "0003_c3s1_001051_00.jpg"]
    assert dataset.warnings == ()
    assert dataset.name == "market1501"


def test_other_names_are_left_out_with_a_warning(tmp_path: Path) -> None:
    write_market(tmp_path)
    huge = "9" * 30
    write_images(tmp_path / "bounding_box_test", ["portrait.jpg", "-2_c1s1_000001_00.jpg", f"{huge}_c1s1_000001_00.jpg"])
    dataset = market1501.load(tmp_path)
    assert len(dataset.gallery) == 5
    assert dataset.warnings == ("3 image files left out: their names say no identity and camera",)


def test_training_and_query_hold_people_only(tmp_path: Path) -> None:
    write_market(tmp_path)
    write_images(tmp_path, ["bounding_box_train/-1_c1s1_1_0.jpg", "query/0000_c1s1_1_0.jpg"])
    dataset = market1501.load(tmp_path)
    assert (len(dataset.train), len(dataset.query)) == (3, 2)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="expected the folders bounding_box_train, query, bounding_box_test"):
        market1501.load(tmp_path)
    for folder in market1501.FOLDERS:
        (tmp_path / folder).mkdir()
    with pytest.raises(DatasetError, match=r"bounding_box_train: no image named like 0002_c1s1_000451_03\.jpg"):
        market1501.load(tmp_path)
    write_market(tmp_path)
    for path in (tmp_path / "query").iterdir():
        path.rename(path.with_name("-1" + path.name[4:]))
    with pytest.raises(DatasetError, match="no image of a person"):
        market1501.load(tmp_path)


@needs_market1501
def test_the_real_counts() -> None:
    """As the data set's authors state them."""
    dataset = open_dataset(real_root())
    assert dataset.name == "market1501"
    assert (len(dataset.train), len(dataset.train.people())) == (12_936, 751)
    assert (len(dataset.query), len(dataset.query.people())) == (3_368, 750)
    assert (len(dataset.gallery), len(dataset.gallery.people())) == (19_732, 750)
    assert int((dataset.gallery.identities == -1).sum()) == 3_819
    assert int((dataset.gallery.identities == 0).sum()) == 2_798
    for part in (dataset.train, dataset.query, dataset.gallery):
        assert np.unique(part.cameras).tolist() == [1, 2, 3, 4, 5, 6]
    assert dataset.warnings == ()


@needs_market1501
def test_the_real_validation_splits() -> None:
    train = market1501.load(real_root()).train
    kept, held_out = by_image(train, 1_294)
    assert (len(kept), len(held_out)) == (11_642, 1_294)
    assert len(class_labels(kept)[1]) == 751
    split = by_identity(train)
    assert len(split.train.people()) == 676 and len(split.query.people()) == 75
    assert len(split.train) + len(split.query) + len(split.gallery) == 12_936
