"""VIPeR's layout and its ten halves."""

from __future__ import annotations

from pathlib import Path

import pytest

from datasets.layouts import write_images, write_viper
from resight.datasets import Dataset, open_dataset, viper
from resight.errors import DatasetError


def halves(dataset: Dataset) -> list[list[int]]:
    return [split.train.people().tolist() for split in dataset.splits]


@pytest.mark.parametrize(("people", "training"), [(8, 4), (9, 4), (2, 1)])
def test_ten_disjoint_halves(tmp_path: Path, people: int, training: int) -> None:
    write_viper(tmp_path, people)
    dataset = open_dataset(tmp_path)
    assert dataset.name == "viper" and dataset.warnings == ()
    assert len(dataset.splits) == 10
    for split in dataset.splits:
        train, test = set(split.train.people().tolist()), set(split.query.people().tolist())
        assert train | test == set(range(1, people + 1)) and not train & test
        assert (len(split.train), len(split.query), len(split.gallery)) == (2 * training, people - training, people - training)
        # One image of each person on either side, in the same order: single-shot.
        assert split.query.identities.tolist() == split.gallery.identities.tolist() == sorted(test)
        assert set(split.query.cameras.tolist()) == {2} and set(split.gallery.cameras.tolist()) == {1}
        assert sorted(split.train.cameras.tolist()) == [1] * training + [2] * training


def test_names_say_who_and_folders_say_where(tmp_path: Path) -> None:
    write_viper(tmp_path)
    for split in viper.load(tmp_path).splits:
        for part in (split.train, split.query, split.gallery):
            for path, identity, camera in zip(part.paths, part.identities.tolist(), part.cameras.tolist(), strict=True):
                assert int(Path(path).name[:3]) == identity - 1
                assert Path(path).parent.name == {1: "cam_a", 2: "cam_b"}[camera]


def test_the_seed_decides(tmp_path: Path) -> None:
    write_viper(tmp_path / "VIPeR", 12)
    first = halves(open_dataset(tmp_path, seed=0))
    assert first == halves(open_dataset(tmp_path, seed=0))
    assert first != halves(open_dataset(tmp_path, seed=1))
    assert len({tuple(half) for half in first}) > 5  # the ten differ among themselves


def test_who_is_not_seen_twice_is_left_out(tmp_path: Path) -> None:
    write_viper(tmp_path, 6)
    write_images(tmp_path, ["cam_a/100_0.bmp", "cam_b/200_0.bmp", "cam_a/000_999.bmp", "cam_b/nobody.bmp"])
    dataset = viper.load(tmp_path)
    assert dataset.warnings[0].startswith("4 image files left out")
    assert {identity for split in dataset.splits for identity in split.train.people().tolist()} <= set(range(1, 7))
    for split in dataset.splits:
        assert len(split.train) + len(split.query) + len(split.gallery) == 12


def test_too_little_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="expected the folders cam_a and cam_b"):
        viper.load(tmp_path)
    write_viper(tmp_path, 1)
    with pytest.raises(DatasetError, match="1 people are in both cam_a and cam_b"):
        viper.load(tmp_path)


def test_the_size_of_the_real_one(tmp_path: Path) -> None:
    for folder in ("cam_a", "cam_b"):
        (tmp_path / folder).mkdir()
        for number in range(632):
            (tmp_path / folder / f"{number:03d}_0.bmp").touch()
    assert {(len(s.train), len(s.query), len(s.gallery)) for s in viper.load(tmp_path).splits} == {(632, 316, 316)}
