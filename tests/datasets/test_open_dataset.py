"""The layout is recognised from what is on the disk."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cases import drawings
from datasets.layouts import (
    write_cameras,
    write_cuhk01,
    write_duke,
    write_folder,
    write_ilids,
    write_images,
    write_market,
    write_prid,
    write_viper,
)
from resight.datasets import DATASETS, open_dataset
from resight.drawn.crops import generate
from resight.errors import DatasetError


def draw(root: Path) -> None:
    generate(root, identities_train=1, identities_test=1, cameras=2, images_per_camera=2, size=(32, 16))


WRITERS: dict[str, Callable[[Path], None]] = {
    "market1501": write_market,
    "dukemtmc": write_duke,
    "viper": write_viper,
    "cuhk01": write_cuhk01,
    "folder": write_folder,
    "drawn": draw,
    "cuhk03": lambda root: write_market(root / "detected"),
    "msmt17": lambda root: drawings.nested(root, "msmt17"),
    "mars": lambda root: drawings.nested(root, "mars"),
    "divided": lambda root: drawings.nested(root, "layumi"),
    "prid2011": write_prid,
    "ilids-vid": write_ilids,
    "cameras": write_cameras,
}


@pytest.mark.parametrize("layout", DATASETS)
def test_every_layout_is_recognised_and_can_be_named(tmp_path: Path, layout: str) -> None:
    WRITERS[layout](tmp_path)
    found = open_dataset(tmp_path)
    assert found.name == layout
    named = open_dataset(str(tmp_path), layout=layout)
    assert named.name == layout and named.query.paths == found.query.paths


def test_a_drawn_network_is_in_market_layout(tmp_path: Path) -> None:
    draw(tmp_path)
    assert open_dataset(tmp_path, layout="market1501").query.paths == open_dataset(tmp_path).query.paths


def test_missing_empty_and_foreign_folders(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="missing: no such folder"):
        open_dataset(tmp_path / "missing")
    with pytest.raises(DatasetError, match="the folder is empty"):
        open_dataset(tmp_path)
    (tmp_path / "notes.txt").write_text("nothing here")
    with pytest.raises(DatasetError, match="no known layout: no image"):
        open_dataset(tmp_path)
    with pytest.raises(DatasetError, match="no column path"):
        open_dataset(tmp_path / "notes.txt")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match=r"no known layout.*one folder for each person"):
        open_dataset(tmp_path)


@pytest.mark.parametrize(("root", "there", "missing"), [(".", "cam_a", "cam_b"), ("VIPeR", "cam_b", "cam_a")])
def test_half_of_viper(tmp_path: Path, root: str, there: str, missing: str) -> None:
    write_images(tmp_path / root / there, ["000_45.bmp", "001_0.bmp"])
    with pytest.raises(DatasetError, match=f"VIPeR's {missing} is missing; unpack it beside {there}"):
        open_dataset(tmp_path)


def test_a_person_called_cam_a(tmp_path: Path) -> None:
    write_folder(tmp_path)
    write_images(tmp_path, ["cam_a/door_0.png", "cam_a/gate_0.png"])
    assert open_dataset(tmp_path).name == "folder"


@pytest.mark.parametrize("layout", DATASETS)
def test_a_named_layout_that_is_not_there(tmp_path: Path, layout: str) -> None:
    write_images(tmp_path, ["holiday.jpg"])
    with pytest.raises(DatasetError):
        open_dataset(tmp_path, layout=layout)


def test_an_unknown_layout(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="unknown layout 'market'; expected auto, drawn, dukemtmc, cuhk03, market1501"):
        open_dataset(tmp_path, layout="market")


def test_nothing_here_imports_torch() -> None:
    code = "import sys, resight.datasets; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_several_data_sets_are_of_different_people_and_cameras(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_market(tmp_path / name)
    one, both = open_dataset(tmp_path / "a"), open_dataset([tmp_path / "a", tmp_path / "b"])
    assert both.name == "market1501+market1501" and both.accounting.used == 2 * one.accounting.used
    for part in ("train", "query", "gallery"):
        alone, together = getattr(one, part), getattr(both, part)
        assert len(together) == 2 * len(alone)
        assert len(together.people()) == 2 * len(alone.people())
        assert len(set(together.cameras.tolist())) == 2 * len(set(alone.cameras.tolist()))
        assert set(together.identity_names()) == {f"{s}/{who}" if who else "" for s in "ab" for who in alone.identity_names()}
    assert (both.gallery.identities == -1).sum() == 2 * (one.gallery.identities == -1).sum()


def test_several_data_sets_have_their_folders_names_and_no_file_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("site.v1.2", "site.v1.3"):
        write_market(tmp_path / name)
    monkeypatch.chdir(tmp_path / "site.v1.2")
    both = open_dataset([".", tmp_path / "site.v1.3"])
    assert {name.partition("/")[0] for name in both.query.identity_names()} == {"site.v1.2", "site.v1.3"}
    (tmp_path / "again").symlink_to(tmp_path / "site.v1.2")
    with pytest.raises(DatasetError, match=r"again/.* is in site\.v1\.2 and in again, so its person would be two"):
        open_dataset([".", tmp_path / "again"])


def test_wrong_lists_of_msmt17(tmp_path: Path) -> None:
    drawings.nested(tmp_path, "msmt17")
    lines = (tmp_path / "list_train.txt").read_text().splitlines()
    (tmp_path / "list_train.txt").write_text("\n".join([lines[0][:-1] + "²", *lines[1:]]), encoding="utf-8")
    (tmp_path / "list_val.txt").unlink()
    assert open_dataset(tmp_path).accounting.left_out["label missing"] == 1
    (tmp_path / "list_query.txt").write_bytes("Zoë.jpg 1\n".encode("latin-1"))
    with pytest.raises(DatasetError, match=r"list_query\.txt: not text in UTF-8"):
        open_dataset(tmp_path)


def test_prid_2011(tmp_path: Path) -> None:
    write_prid(tmp_path)
    dataset = open_dataset(tmp_path)
    assert dataset.name == "prid2011" and len(dataset.splits) == 10
    for split in dataset.splits:
        assert (len(split.train), len(split.query), len(split.gallery)) == (6, 3, 5)
        assert set(split.query.camera_names()) == {"a"} and set(split.gallery.camera_names()) == {"b"}
    assert dataset.accounting.left_out == {"of people whom camera a alone saw": 1}


def test_ilids_vid_has_tracklets(tmp_path: Path) -> None:
    write_ilids(tmp_path)
    split = open_dataset(tmp_path).splits[0]
    assert (len(split.train), len(split.query), len(split.gallery)) == (8, 4, 4)
    assert set(split.query.tracklets) == {f"1/{person}" for person in split.query.identity_names()}


def test_a_few_names_do_not_make_a_layout(tmp_path: Path) -> None:
    write_images(tmp_path, [f"{number:07d}.png" for number in [1001, 1002, 1003, 1004, *range(2000, 2040)]])
    with pytest.raises(DatasetError, match=r"no known layout: 44 images directly in it; .* fit cuhk01"):
        open_dataset(tmp_path)


def test_zero_is_a_person_if_he_asks_and_a_distractor_otherwise(tmp_path: Path) -> None:
    names = ["train/0005_c1_1.png", "train/0005_c2_1.png", "query/0001_c1_1.png", "test/0001_c2_1.png", "test/0000_c2_1.png"]
    write_images(tmp_path, names)
    assert open_dataset(tmp_path).gallery.identities.tolist() == [0, 1]
    write_images(tmp_path, ["query/0000_c1_1.png"])
    assert open_dataset(tmp_path).gallery.identity_names() == ["0", "1"]
    assert (open_dataset(tmp_path).gallery.identities > 0).all()
