"""MOT text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from resight.cameras.mot import MotRows, mot_line, read_mot, write_mot
from resight.errors import DatasetError


def test_lines_come_back_sorted_by_frame(tmp_path: Path) -> None:
    file = tmp_path / "gt.txt"
    file.write_text("3,7,10,20,30,40,0,2,0.5\n1,8,1.5,2,3,4\n\n3 9 0 0 5 6 0.25\n")
    rows = read_mot(file)
    assert rows.frames.tolist() == [1, 3, 3] and rows.ids.tolist() == [8, 7, 9]
    assert rows.xyxy.tolist() == [[1.5, 2, 4.5, 6], [10, 20, 40, 60], [0, 0, 5, 6]]
    assert rows.confidence.tolist() == [1, 0, 0.25] and rows.classes.tolist() == [-1, 2, -1]
    assert rows.visibility.tolist() == [-1, 0.5, -1]
    assert (rows.of(3), rows.of(2)) == (slice(1, 3), slice(1, 1))
    file.write_text(mot_line(4, 2, np.array([1, 2, 11, 22], np.float32), 0.5))
    again = read_mot(file)
    assert (again.frames.tolist(), again.ids.tolist(), again.xyxy.tolist()) == ([4], [2], [[1, 2, 11, 22]])


@pytest.mark.parametrize("line", ["1,2,3", "0,1,0,0,1,1", "1,1,0,0,-1,1", "1,1,nan,0,1,1", "1.5,1,0,0,1,1", "a,b,c,d,e,f"])
def test_a_line_that_is_none_is_named(line: str, tmp_path: Path) -> None:
    (tmp_path / "gt.txt").write_text(f"1,1,0,0,1,1\n{line}\n")
    with pytest.raises(DatasetError, match=r"line 2: .*expected frame"):
        read_mot(tmp_path / "gt.txt")
    with pytest.raises(DatasetError, match="cannot be read"):
        read_mot(tmp_path / "none.txt")


def test_the_eighth_column_is_a_class_in_files_of_nine(tmp_path: Path) -> None:
    (tmp_path / "gt.txt").write_text("1,1,0,0,1,1,1,4.48,5.5,0\n1,2,0,0,1,1,1,7,0.5\n")
    assert read_mot(tmp_path / "gt.txt").classes.tolist() == [-1, 7]


def test_a_result_is_read_as_it_was_written(tmp_path: Path) -> None:
    rows = MotRows.table([2, 1], [5, 6], [[1, 2, 3, 4], [5, 6, 7, 8.5]], [0.5, 1])
    write_mot(tmp_path / "out.txt", rows)
    again = read_mot(tmp_path / "out.txt")
    assert again.ids.tolist() == [6, 5] and again.frames.tolist() == [1, 2]
    assert again.xyxy.tolist() == rows.xyxy.tolist() and again.confidence.tolist() == [1, 0.5]
