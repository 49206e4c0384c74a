"""Records, and the checks at their boundary."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from resight.datasets import Dataset, Records
from resight.datasets.records import image_files
from resight.errors import DatasetError

ROWS = [("a.jpg", 3, 1), (Path("b.jpg"), -1, 2), ("c.jpg", 0, 2), ("d.jpg", 3, 2), ("e.jpg", 1, 5)]


def test_rows_in_and_out() -> None:
    records = Records.from_rows(ROWS)
    assert records.paths == ("a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg")
    assert records.identities.tolist() == [3, -1, 0, 3, 1]
    assert records.cameras.tolist() == [1, 2, 2, 2, 5]
    assert records.identities.dtype == records.cameras.dtype == np.int64
    assert records.people().tolist() == [1, 3]


def test_selection_by_mask_and_by_number() -> None:
    records = Records.from_rows(ROWS)
    assert records.select(records.identities == 3).paths == ("a.jpg", "d.jpg")
    assert records.select([4, 0]).identities.tolist() == [1, 3]
    assert len(records.select([])) == 0
    assert len(Records.from_rows([]).select(np.zeros(0, bool))) == 0


def test_concatenation() -> None:
    records = Records.from_rows(ROWS)
    both = Records.concatenate([records.select([0]), records.select([2, 4])])
    assert both.paths == ("a.jpg", "c.jpg", "e.jpg")
    assert both.cameras.tolist() == [1, 2, 5]
    assert len(Records.concatenate([])) == 0


def test_nobody_changes_records_or_the_arrays_they_were_made_of() -> None:
    identities = np.array([1, 2])
    records = Records(("a", "b"), identities, np.array([1, 1]))
    identities[0] = 9
    assert records.identities.tolist() == [1, 2]
    with pytest.raises(ValueError, match="read-only"):
        records.identities[0] = 5


def test_arrays_of_another_length_are_refused() -> None:
    with pytest.raises(DatasetError, match=r"cameras has shape \(3,\); expected one number for each of 2 images"):
        Records(("a", "b"), np.array([1, 2]), np.array([1, 2, 3]))


def test_a_data_set_has_a_split() -> None:
    with pytest.raises(DatasetError, match="no split"):
        Dataset("folder", Path("somewhere"), ())


def test_image_files_by_their_endings(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.png", "c.txt", "d.jpeg.part", "e.webp"):
        (tmp_path / name).touch()
    assert [path.name for path in image_files(tmp_path)] == ["a.png", "b.JPG", "e.webp"]
    with pytest.raises(DatasetError, match="no such folder"):
        image_files(tmp_path / "missing")
    with pytest.raises(DatasetError, match="cannot be read as a folder"):
        image_files(tmp_path / "a.png")
