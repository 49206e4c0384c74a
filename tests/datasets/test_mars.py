"""MARS's own queries, against files that are written here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from cases.drawings import put
from resight.datasets import open_dataset
from resight.errors import DatasetError


def mars(root: Path) -> list[str]:
    """A small MARS; returns the images to test with, in the order of test_name.txt."""
    for person in (1, 2):
        for camera in (1, 2):
            put(root / "bbox_train" / f"{person:04}" / f"{person:04}C{camera}T0001F001.jpg", person)
    tests, tracks = [], []
    for person in (3, 4):
        for camera in (1, 2):
            start = len(tests) + 1
            for frame in (1, 2, 3):
                tests.append(f"{person:04}C{camera}T0001F{frame:03}.jpg")
                put(root / "bbox_test" / f"{person:04}" / tests[-1], person)
            tracks.append([start, len(tests), person, camera])
    (root / "info").mkdir()
    (root / "info/test_name.txt").write_text("\n".join(tests) + "\n")
    savemat(root / "info/tracks_test_info.mat", {"track_test_info": np.array(tracks, np.float64)})
    savemat(root / "info/query_IDX.mat", {"query_IDX": np.array([[2, 3]], np.float64)})
    return tests


def test_query_tracklets_ask_by_their_middle_image(tmp_path: Path) -> None:
    tests = mars(tmp_path)
    dataset = open_dataset(tmp_path)
    assert [Path(path).name for path in dataset.query.paths] == ["0003C2T0001F002.jpg", "0004C1T0001F002.jpg"]
    assert {Path(path).name for path in dataset.gallery.paths} == set(tests) - {Path(path).name for path in dataset.query.paths}
    assert any("MARS's own queries ask" in warning for warning in dataset.warnings)
    assert dataset.accounting.used == 16 and dataset.accounting.there == 19


def test_without_the_files_others_ask(tmp_path: Path) -> None:
    mars(tmp_path)
    (tmp_path / "info/query_IDX.mat").unlink()
    dataset = open_dataset(tmp_path)
    assert len(dataset.query) == 4 and any("need info/*.mat and SciPy" in warning for warning in dataset.warnings)


@pytest.mark.parametrize("numbers", [[[9]], [[0]], [[-5]]])
def test_files_that_do_not_belong_together_are_refused(numbers: list[list[int]], tmp_path: Path) -> None:
    mars(tmp_path)
    savemat(tmp_path / "info/query_IDX.mat", {"query_IDX": np.array(numbers)})
    with pytest.raises(DatasetError, match=r"query_IDX\.mat: names a tracklet or image that"):
        open_dataset(tmp_path)


@pytest.mark.parametrize("content", [b"", b"hello", b"\0" * 200])
def test_damaged_files_are_refused(content: bytes, tmp_path: Path) -> None:
    mars(tmp_path)
    (tmp_path / "info/tracks_test_info.mat").write_bytes(content)
    with pytest.raises(DatasetError, match=r"tracks_test_info\.mat: not MARS's own file"):
        open_dataset(tmp_path)
