"""CUHK01's layout and its ten divisions."""

from __future__ import annotations

from pathlib import Path

import pytest

from datasets.layouts import write_cuhk01, write_images
from resight.datasets import cuhk01, open_dataset
from resight.errors import DatasetError


@pytest.mark.parametrize("parent", ["", "campus", "CUHK01/campus"])
def test_ten_disjoint_divisions(tmp_path: Path, parent: str) -> None:
    write_cuhk01(tmp_path / parent)
    dataset = open_dataset(tmp_path)
    assert dataset.name == "cuhk01" and dataset.warnings == ()
    assert len(dataset.splits) == 10
    for split in dataset.splits:
        train, test = set(split.train.people().tolist()), set(split.query.people().tolist())
        assert train | test == set(range(1, 8)) and not train & test and len(train) == 3
        assert (len(split.train), len(split.query), len(split.gallery)) == (12, 8, 8)
        assert set(split.gallery.people().tolist()) == test
        for part, images in ((split.query, "12"), (split.gallery, "34"), (split.train, "1234")):
            for path, identity, camera in zip(part.paths, part.identities.tolist(), part.cameras.tolist(), strict=True):
                name = Path(path).stem
                assert int(name[:4]) == identity
                assert name[-1] in images
                assert camera == (1 if name[-1] in "12" else 2)


def test_the_seed_decides(tmp_path: Path) -> None:
    write_cuhk01(tmp_path, 11)
    people = [[s.train.people().tolist() for s in cuhk01.load(tmp_path, seed=seed).splits] for seed in (0, 0, 1)]
    assert people[0] == people[1] != people[2]


def test_what_does_not_belong_is_left_out(tmp_path: Path) -> None:
    write_cuhk01(tmp_path)
    write_images(tmp_path, ["0099001.png", "0000001.png", "0001005.png", "notes.png"])
    dataset = cuhk01.load(tmp_path)
    assert dataset.warnings[0].startswith("4 image files left out")
    assert {identity for s in dataset.splits for identity in s.query.people().tolist()} <= set(range(1, 8))


def test_too_little_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"expected images named like 0001001\.png"):
        cuhk01.load(tmp_path)
    write_cuhk01(tmp_path, 1)
    with pytest.raises(DatasetError, match="1 people were seen by both cameras"):
        cuhk01.load(tmp_path)


def test_the_size_of_the_real_one(tmp_path: Path) -> None:
    for number in range(1, 972):
        for image in range(1, 5):
            (tmp_path / f"{number:04d}{image:03d}.png").touch()
    dataset = cuhk01.load(tmp_path)
    assert {(len(s.train.people()), len(s.query.people())) for s in dataset.splits} == {(485, 486)}
    assert {(len(s.train), len(s.query), len(s.gallery)) for s in dataset.splits} == {(1940, 972, 972)}
