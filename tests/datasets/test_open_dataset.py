"""The layout is recognised from what is on the disk."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from datasets.layouts import write_cuhk01, write_duke, write_folder, write_images, write_market, write_viper
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
    with pytest.raises(DatasetError, match="no known layout; expected Market-1501's folders"):
        open_dataset(tmp_path)
    with pytest.raises(DatasetError, match="no known layout"):
        open_dataset(tmp_path / "notes.txt")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="no images here; expected one folder for each person"):
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
    with pytest.raises(DatasetError, match="unknown layout 'market'; expected auto, drawn, dukemtmc, market1501"):
        open_dataset(tmp_path, layout="market")


def test_nothing_here_imports_torch() -> None:
    code = "import sys, resight.datasets; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
