"""Which crops a user means."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from gallery.fakes import make_image
from resight.errors import DatasetError
from resight.gallery import Crop, find_crops


def write(folder: Path, *names: str) -> None:
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(make_image(number))


def test_a_data_set_in_a_known_layout(tiny: Path) -> None:
    crops = find_crops(tiny)
    names = {Path(crop.source).name: crop for crop in crops}
    assert {Path(crop.source).parent.name for crop in crops} == {"query", "bounding_box_test"}
    for name, crop in names.items():
        assert crop.camera == name.partition("_c")[2][0]
        assert crop.identity == ("" if name.startswith(("0000", "-1")) else str(int(name[:4])))
        assert crop.time is None


def test_a_plain_folder_and_one_image(tmp_path: Path) -> None:
    write(tmp_path, "b.png", "a.JPG", "deep/er/c.webp")
    (tmp_path / "notes.txt.bak").write_text("no image")
    assert find_crops(tmp_path) == [Crop(source=str(tmp_path / name)) for name in ("a.JPG", "b.png", "deep/er/c.webp")]
    assert find_crops(tmp_path / "b.png") == [Crop(source=str(tmp_path / "b.png"))]


def test_names_of_people_and_cameras(tmp_path: Path) -> None:
    write(tmp_path, "anna/entrance_1.png", "anna/hall_2_3.png", "bo/garage_1.png")
    assert [(crop.identity, crop.camera) for crop in find_crops(tmp_path, named=True)] == [
        ("anna", "entrance"),
        ("anna", "hall_2"),
        ("bo", "garage"),
    ]
    write(tmp_path, "bo/nameless.png")
    assert [(crop.identity, crop.camera) for crop in find_crops(tmp_path, named=True)][-1] == ("bo", "")


def test_people_of_two_folders_are_not_mixed_up(tmp_path: Path) -> None:
    # As a data set each folder would number its people and cameras from 1.
    for folder, people, cameras in (("a", ["anna", "bo"], ["hall", "yard"]), ("b", ["carol", "dave"], ["attic", "cellar"])):
        write(tmp_path / folder, *(f"{person}/{camera}_1.png" for person in people for camera in cameras))
    for folder in ("a", "b"):
        assert {(crop.identity, crop.camera) for crop in find_crops(tmp_path / folder)} == {("", "")}
    assert {crop.identity for folder in ("a", "b") for crop in find_crops(tmp_path / folder, named=True)} == {
        "anna",
        "bo",
        "carol",
        "dave",
    }
    (tmp_path / "a" / "list.csv").write_text("path,identity,camera\nanna/hall_1.png,anna,hall\nanna/yard_1.png,anna,yard\n")
    assert [(crop.identity, crop.camera) for crop in find_crops(tmp_path / "a")] == [("anna", "hall"), ("anna", "yard")]


def test_lists(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("a.png\n\ndeep/b.png\n/elsewhere/c.png\n")
    assert [crop.source for crop in find_crops(tmp_path / "list.txt")] == [
        str(tmp_path / "a.png"),
        str(tmp_path / "deep/b.png"),
        "/elsewhere/c.png",
    ]
    (tmp_path / "list.csv").write_text(
        '\ufeffpath,Camera, time,tracklet,identity,split\na.png,hall,2026-03-01T12:00:00+01:00,7,Zoë,query\n\n"b, c.png",,,,,\n',
        encoding="utf-8",
    )
    seen = datetime(2026, 3, 1, 11, tzinfo=UTC)
    assert find_crops(tmp_path / "list.csv") == [
        Crop(source=str(tmp_path / "a.png"), camera="hall", time=seen, tracklet="7", identity="Zoë"),
        Crop(source=str(tmp_path / "b, c.png")),
    ]


def test_a_file_name_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_bytes(b"path,camera\n\xff\xfe.png,hall\n")
    (crop,) = find_crops(tmp_path / "list.csv")
    assert crop.source.encode("utf-8", "surrogateescape").endswith(b"\xff\xfe.png")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("camera\nhall\n", "no column path"),
        ("path,camera\na.png\n", "line 2: 1 values; expected 2"),
        ("path,time\na.png,\nb.png,noon\n", "line 3: 'noon' is not a time"),
        ("", "no column path"),
        ("path,camera\n,hall\n", "line 2: no path"),
    ],
)
def test_wrong_lists(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(DatasetError, match=message):
        find_crops(tmp_path / "list.csv")


def test_nothing_there(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing", tmp_path / "missing.csv", tmp_path / "missing.png"):
        for named in (False, True):
            with pytest.raises(DatasetError):
                find_crops(path, named=named)
