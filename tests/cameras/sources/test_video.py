"""Video files: times, formats, rotation, and what is none."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from cameras.films import frame, street, turn, walk, write
from resight.cameras.sources import VideoSource, open_source, video
from resight.errors import ResightError, VideoError


def read(path: Path, **options: object) -> tuple[list[float], list[np.ndarray]]:
    frames = list(open_source("door", str(path), **options).frames())  # type: ignore[arg-type]
    assert [each.index for each in frames] == list(range(len(frames)))
    return [round(each.time, 3) for each in frames], [each.pixels for each in frames]


def test_times_are_those_of_the_file(tmp_path: Path) -> None:
    times = [0.0, 0.1, 0.15, 0.8, 0.85, 2.0]  # a variable rate, from a begin that is not 0
    film = write(tmp_path / "a.mkv", [frame(n) for n in range(6)], codec="ffv1", times=[5 + t for t in times])
    assert read(film)[0] == times
    start = datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert read(film, start=start)[0] == [start.timestamp() + t for t in times]


def test_a_clock_that_was_set_anew_goes_on() -> None:
    file, live = video._Clock(0.1, video._JUMP), video._Clock(0.1, 0.0)
    given = [7.0, 7.1, 7.05, 7.3, None, 2.0, 2.1]
    np.testing.assert_allclose([file(each) for each in given], [0, 0.1, 0.1, 0.3, 0.4, 0.5, 0.6])
    np.testing.assert_allclose([live(each) for each in given], [0, 0.1, 0.2, 0.45, 0.55, 0.65, 0.75])


def test_a_container_tells_when_it_was_made(tmp_path: Path) -> None:
    made = datetime(2026, 3, 1, 8, 30, tzinfo=UTC)
    film = walk(tmp_path / "a.mp4", 3, metadata={"creation_time": made.isoformat()})
    source = VideoSource("door", str(film))
    assert next(iter(source.frames())).time == made.timestamp() and source.dated
    source = VideoSource("door", str(walk(tmp_path / "b.mp4", 3)))
    assert next(iter(source.frames())).time == 0 and not source.dated


@pytest.mark.parametrize(
    ("format", "codec", "off"),
    [("yuv420p10le", "ffv1", 6), ("gray", "ffv1", 6), ("gray10le", "ffv1", 6), ("yuv444p", "ffv1", 3), ("yuvj420p", "mjpeg", 12)],
)
def test_every_format_becomes_rgb(format: str, codec: str, off: float, tmp_path: Path) -> None:
    picture = np.full((48, 64, 3), (200, 90, 40), np.uint8)
    picture[24:] = (20, 60, 180)
    if format.startswith("gray"):
        picture[:] = picture @ np.array([[0.299], [0.587], [0.114]])  # what is seen of it
    film = write(tmp_path / "a.mkv", [picture] * 2, codec=codec, format=format)
    (_, pixels), _ = read(film)[::-1]
    assert pixels[4:20].astype(float) == pytest.approx(picture[4:20], abs=off)
    assert pixels[28:44].astype(float) == pytest.approx(picture[28:44], abs=off)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_telephone_s_rotation_is_undone(degrees: int, tmp_path: Path) -> None:
    picture = street()
    picture[:30, :40] = (250, 0, 0)
    film = write(tmp_path / "a.mp4", [picture] * 3)
    turn(film, degrees)
    seen = read(film)[1][0]
    expected = np.rot90(picture, -degrees // 90)
    assert seen.shape == expected.shape
    assert np.abs(seen.astype(int) - expected).mean() < 8


def test_interlaced_pictures_have_no_combs(tmp_path: Path) -> None:
    woven = street()
    woven[::2, 40:60] = 250  # the first field sees somebody whom the second does not
    options = {"flags": "+ildct+ilme", "qmin": "1", "qmax": "2"}
    film = write(tmp_path / "a.mpg", [woven] * 4, codec="mpeg2video", rate=25, options=options)
    column = read(film)[1][0][10:100, 45:55].astype(int).mean((1, 2))
    assert np.abs(np.diff(column)).max() < 15 and column.mean() > 225


def test_what_is_no_video(tmp_path: Path) -> None:
    film = walk(tmp_path / "whole.mp4", 40)
    data = film.read_bytes()
    late = bytes(data[: data.index(b"moov") - 4]) if data.index(b"moov") > data.index(b"mdat") else None
    assert late is None  # the index comes first here, so that a file that was cut off can be read
    (tmp_path / "no-index.mp4").write_bytes(data[: data.index(b"moov") - 4] + data[data.index(b"mdat") - 4 :])
    (tmp_path / "text.mp4").write_text("no video\n" * 100)
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "list.ffconcat").write_text("ffconcat version 1.0\nfile whole.mp4\n")
    (tmp_path / "list.m3u8").write_text("#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:4,\nwhole.mp4\n#EXT-X-ENDLIST\n")
    for name, said in {
        "no-index.mp4": "not a video that can be read, or one that was cut off",
        "text.mp4": "not a video",
        "empty.mp4": "empty",
        "list.ffconcat": "not a video",
        "list.m3u8": "not a video",
    }.items():
        with pytest.raises(VideoError, match=said) as error:
            list(VideoSource("door", str(tmp_path / name)).frames())
        assert name in str(error.value) and "\n" not in str(error.value)
    with pytest.raises(VideoError, match=r"there is no file or folder .*none.mp4"):
        open_source("door", str(tmp_path / "none.mp4"))


def test_a_film_that_was_cut_off_gives_what_it_has(tmp_path: Path) -> None:
    film = walk(tmp_path / "a.mp4", 60)
    data = film.read_bytes()
    film.write_bytes(data[: data.index(b"mdat") + (len(data) - data.index(b"mdat")) // 2])
    source, seen = VideoSource("door", str(film)), []
    with pytest.raises(VideoError, match=r"ends after \d+ of 60 pictures; it was cut off"):
        seen.extend(frame.index for frame in source.frames())
        seen.extend([])
    assert source.counts.frames > 20


@pytest.mark.parametrize(("name", "codec"), [("a.mkv", "mpeg4"), ("a.webm", "libvpx"), ("a.flv", "flv")])
def test_a_film_that_counts_no_pictures_is_cut_off_if_it_is_too_short(name: str, codec: str, tmp_path: Path) -> None:
    film = walk(tmp_path / name, 60, codec=codec)
    assert len(read(film)[0]) == 60
    data = film.read_bytes()
    film.write_bytes(data[: len(data) // 2])
    with pytest.raises(VideoError, match=r"ends after [0-4] of 6 seconds; it was cut off"):
        read(film)


def test_broken_bytes_lose_only_their_pictures(tmp_path: Path) -> None:
    film = walk(tmp_path / "a.mp4", 60, options={"g": "5"})
    data = bytearray(film.read_bytes())
    start = data.index(b"mdat") + 4
    middle = (start + len(data)) // 2
    data[middle : middle + 300] = bytes(300)
    film.write_bytes(data)
    source = VideoSource("door", str(film))
    assert 50 <= len(list(source.frames())) <= 60


def test_no_larger_pictures_are_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    film = walk(tmp_path / "a.mp4", 3)
    monkeypatch.setattr(video, "MAX_PIXELS", 100 * 100)
    with pytest.raises(VideoError, match="160x120 pixels; at most 10000 are decoded"):
        list(VideoSource("door", str(film)).frames())


def test_two_readings_are_the_same(tmp_path: Path) -> None:
    film = walk(tmp_path / "a.mp4", 20)
    for one, other in zip(read(film)[1], read(film)[1], strict=True):
        np.testing.assert_array_equal(one, other)


def test_an_address_of_an_unknown_kind_is_refused() -> None:
    for address, said in {"gopher://host/x": "kind 'gopher'", "concat:a.mp4|b.mp4": "no file or folder"}.items():
        with pytest.raises(ResightError, match=said):
            open_source("door", address)
    with pytest.raises(ResightError, match="tells its own time"):
        open_source("door", "rtsp://host/x", start=datetime.now(UTC))
