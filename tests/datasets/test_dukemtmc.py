"""DukeMTMC-reID's layout, and its warning."""

from __future__ import annotations

from pathlib import Path

import pytest

from datasets.layouts import write_duke, write_images, write_market
from resight.datasets import dukemtmc, open_dataset
from resight.errors import DatasetError


@pytest.mark.parametrize("parent", ["", "DukeMTMC-reID"])
def test_names_and_the_withdrawal_warning(tmp_path: Path, parent: str) -> None:
    write_duke(tmp_path / parent)
    for dataset in (dukemtmc.load(tmp_path), open_dataset(tmp_path)):
        assert dataset.name == "dukemtmc"
        assert dataset.root == tmp_path / parent
        assert list(zip(dataset.train.identities.tolist(), dataset.train.cameras.tolist(), strict=True)) == [(1, 1), (1, 2)]
        assert dataset.query.identities.tolist() == [5]
        assert dataset.gallery.identities.tolist() == [5, 8]
        assert dataset.gallery.cameras.tolist() == [1, 8]
        assert "withdrawn by its authors" in dataset.warnings[0]
        assert len(dataset.warnings) == 1


def test_other_names_are_counted(tmp_path: Path) -> None:
    write_duke(tmp_path)
    write_images(tmp_path, ["query/0002_c1s1_000451_03.jpg"])
    assert dukemtmc.load(tmp_path).warnings[1].startswith("1 image files left out")


def test_market_is_not_duke(tmp_path: Path) -> None:
    write_market(tmp_path)
    with pytest.raises(DatasetError, match=r"no DukeMTMC-reID here.*withdrew"):
        dukemtmc.load(tmp_path)
