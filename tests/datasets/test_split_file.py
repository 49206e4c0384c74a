"""torchreid's files of splits, such as CUHK03's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cases.drawings import put
from resight.datasets import open_dataset
from resight.errors import DatasetError


def write(root: Path) -> list[dict[str, Any]]:
    rows = {}
    for person in range(1, 5):
        for camera in (0, 1):
            name = f"1_{person:03}_{camera + 1}_01.png"
            put(root / "images_detected" / name, person)
            rows[person, camera] = [f"/somewhere/else/cuhk03/images_detected/{name}", person, camera]
    first = {
        "train": [[rows[person, camera][0], person - 1, camera] for person in (1, 2) for camera in (0, 1)],
        "query": [rows[3, 0], rows[4, 0]],
        "gallery": [rows[3, 1], rows[4, 1]],
        "num_train_pids": 2,
    }
    second = {"train": [], "query": [rows[1, 0]], "gallery": [rows[1, 1], rows[2, 1]]}
    (root / "splits.json").write_text(json.dumps([first, second]))
    return [first, second]


def test_the_divisions_are_those_of_the_file(tmp_path: Path) -> None:
    divisions = write(tmp_path)
    dataset = open_dataset(tmp_path / "splits.json")
    assert dataset.name == "cuhk03" and len(dataset.splits) == 2 and dataset.accounting.used == 8
    for split, division in zip(dataset.splits, divisions, strict=True):
        for part in ("train", "query", "gallery"):
            records = getattr(split, part)
            assert [Path(path).name for path in records.paths] == [Path(row[0]).name for row in division[part]]
            assert records.camera_names() == [str(row[2]) for row in division[part]]
    assert dataset.train.identity_names() == ["train 0", "train 0", "train 1", "train 1"]
    assert dataset.query.identity_names() == ["3", "4"] == dataset.gallery.identity_names()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[]", "no image"),
        ("{", "not a file of splits"),
        ('{"a": 1}', "not a file of splits"),
        ('[{"train": [], "query": []}]', "gallery"),
        ('[{"train": [["a.png", "1", 0]], "query": [], "gallery": []}]', "train has"),
        ('[{"train": [["a.png", 1, 0]], "query": [], "gallery": []}]', "1 of its images are not there, such as .*a.png"),
    ],
)
def test_another_file_is_refused(content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "splits.json").write_text(content)
    with pytest.raises(DatasetError, match=message):
        open_dataset(tmp_path / "splits.json")
