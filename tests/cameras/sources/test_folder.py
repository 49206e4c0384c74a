"""Folders of frames."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import pytest

from cameras.films import frame, write_folder
from resight.cameras.sources import open_source
from resight.errors import ConfigurationError, VideoError


def test_a_sequence_of_motchallenge(tmp_path: Path) -> None:
    pictures = [frame(n) for n in range(12)]
    write_folder(tmp_path / "a", pictures, rate=5)
    source = open_source("hall", str(tmp_path / "a"), start=datetime(2026, 3, 1, tzinfo=UTC))
    frames = list(source.frames())
    assert [each.index for each in frames] == list(range(12)) and source.dated
    assert [round(each.time - frames[0].time, 3) for each in frames[:3]] == [0, 0.2, 0.4]
    np.testing.assert_array_equal(frames[11].pixels, pictures[11])


def test_numbers_are_not_letters_and_gaps_stay(tmp_path: Path) -> None:
    write_folder(tmp_path / "a", [frame(n) for n in range(12)])
    folder = tmp_path / "a" / "img1"
    for path in sorted(folder.iterdir()):
        path.rename(folder / f"shot-{int(path.stem)}.png")  # 10 comes after 9
    (folder / "shot-4.png").unlink()
    (folder / "shot-5.png").write_bytes(b"no picture")
    source = open_source("hall", str(folder), rate=2)
    frames = list(source.frames())
    assert [each.index for each in frames] == [0, 1, 2, *range(5, 12)]
    assert frames[3].time == 2.5 and not source.dated
    assert (source.counts.frames, source.counts.broken) == (10, 1)


def test_names_that_are_times_are_in_order_and_the_first_picture_is_at_the_start(tmp_path: Path) -> None:
    start = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
    minutes = [f"2026-03-01_12-{minute}-{second:02}" for minute, second in ((30, 58), (30, 59), (31, 0), (31, 1), (32, 0))]
    for folder, names, indices in (
        ("times", minutes, [0, 1, 2, 3, 4]),
        ("part", ["090000", "090001", "090004"], [89999, 90000, 90003]),  # MOT text counts from 1
        ("digits", ["20260301123000", "20260301123001"], [20260301122999, 20260301123000]),
    ):
        (tmp_path / folder).mkdir()
        for number, name in enumerate(names):
            cv2.imwrite(str(tmp_path / folder / f"{name}.png"), np.full((8, 8, 3), number, np.uint8))
        source = open_source("hall", str(tmp_path / folder), start=start, rate=2)
        frames = list(source.frames())
        assert [int(each.pixels[0, 0, 0]) for each in frames] == list(range(len(names)))
        assert [each.index for each in frames] == indices
        assert [each.time - start.timestamp() for each in frames] == [(index - indices[0]) / 2 for index in indices]
        source.every = 2
        assert next(iter(source.frames())).index == indices[0]
    for rate in (-1.0, float("nan")):
        with pytest.raises(ConfigurationError, match=r"hall: a rate of .* expected more than 0"):
            open_source("hall", str(tmp_path / "part"), rate=rate)


def test_what_is_no_folder_of_frames(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(VideoError, match="no pictures"):
        open_source("hall", str(tmp_path / "empty"))
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "1.jpg").write_bytes(b"")
    with pytest.raises(VideoError, match=r"none of 1 pictures can be read; the last: 1.jpg: the file is empty"):
        list(open_source("hall", str(tmp_path / "bad")).frames())
    for text in ("", "[Sequence]\nframeRate=nan\n", "[Sequence]\nimDir=../bad\nframeRate=5\n", "\xff"):
        (tmp_path / "empty" / "seqinfo.ini").write_text(text, encoding="latin-1")
        with pytest.raises(VideoError, match=r"seqinfo.ini: .*expected \[Sequence\]"):
            open_source("hall", str(tmp_path / "empty"))
