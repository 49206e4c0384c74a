"""Which images are meant by a folder or a list."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest
from PIL import Image

from resight.datasets import open_dataset
from resight.datasets.image_list import find_images
from resight.errors import DatasetError


def labels(path: Path) -> list[tuple[str, int, int]]:
    records = find_images(path)
    return list(zip(records.paths, records.identities.tolist(), records.cameras.tolist(), strict=True))


def test_of_a_data_set_queries_and_gallery_are_meant(tiny: Path) -> None:
    dataset = open_dataset(tiny)
    assert find_images(tiny).paths == dataset.query.paths + dataset.gallery.paths
    assert find_images(tiny).cameras.tolist() == dataset.query.cameras.tolist() + dataset.gallery.cameras.tolist()


def test_a_layout_that_does_not_exist_is_refused(tiny: Path) -> None:
    with pytest.raises(DatasetError, match="unknown layout 'market'; expected auto, drawn"):
        find_images(tiny, layout="market")
    with pytest.raises(DatasetError, match="--name-pattern belongs to the layout folder, not to market1501"):
        find_images(tiny, layout="market1501", name_pattern="{identity}")


def test_a_table_that_cannot_be_read_costs_no_labels(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "labels.csv").write_text("path,identity,camera\na.jpg,1,1\nb.jpg,1\n")
    with pytest.raises(DatasetError, match="line 3: 2 values; expected 3"):
        find_images(tmp_path)
    with pytest.raises(DatasetError, match="one image; expected the folder of a data set, or a table"):
        open_dataset(tmp_path / "a.jpg")


def test_one_image_is_itself(tiny: Path) -> None:
    image = next((tiny / "query").glob("*.jpg"))
    assert labels(image) == [(str(image), -1, -1)]


def test_one_folder_of_market1501_keeps_its_labels(tiny: Path) -> None:
    gallery = open_dataset(tiny).gallery
    found = find_images(tiny / "bounding_box_test")
    assert (found.paths, found.identities.tolist()) == (gallery.paths, gallery.identities.tolist())


def test_of_a_folder_of_ones_own_everybody_is_meant(tiny: Path, tmp_path: Path) -> None:
    images = sorted((tiny / "query").glob("*.jpg"))[:6]
    for number, path in enumerate(images):
        for camera in ("door", "hall"):
            target = tmp_path / f"person{number}" / f"{camera}_1.jpg"
            target.parent.mkdir(exist_ok=True)
            shutil.copy(path, target)
    assert sorted(find_images(tmp_path).paths) == sorted(map(str, tmp_path.rglob("*.jpg")))


def test_of_any_other_folder_all_images_are_meant(tmp_path: Path) -> None:
    for name in ("b/x.PNG", "a.jpg", "b/c/y.webp", "notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    assert labels(tmp_path) == [(str(tmp_path / name), -1, -1) for name in ("a.jpg", "b/c/y.webp", "b/x.PNG")]


def test_a_text_file_lists_paths_relative_to_itself(tmp_path: Path) -> None:
    listed = tmp_path / "list.txt"
    listed.write_bytes("a b.jpg\r\n\n../c,d.png\n/e/é.jpg\n".encode())
    assert [path for path, *_ in labels(listed)] == [str(tmp_path / "a b.jpg"), str(tmp_path / "../c,d.png"), "/e/é.jpg"]
    assert labels(listed)[0][1:] == (-1, -1)


def test_a_csv_may_have_labels(tmp_path: Path) -> None:
    table = tmp_path / "list.csv"
    table.write_text('\ufeffIdentity, Path ,note,camera\n7,a.jpg,x,2\n,b.jpg,,\n-1,"c,\n.jpg",,3\n', encoding="utf-8")
    assert labels(table) == [
        (str(tmp_path / "a.jpg"), 7, 2),
        (str(tmp_path / "b.jpg"), -1, -1),
        (str(tmp_path / "c,\n.jpg"), -1, 3),
    ]
    table.write_text("path\na.jpg\n")
    assert labels(table) == [(str(tmp_path / "a.jpg"), -1, -1)]


@pytest.mark.skipif(sys.platform == "win32" or sys.platform == "darwin", reason="file names are text on this system")
def test_file_names_need_not_be_text(tmp_path: Path) -> None:
    name = b"caf\xe9.jpg"
    (tmp_path / os.fsdecode(name)).write_bytes(b"")
    assert [os.fsencode(path) for path in find_images(tmp_path).paths] == [os.fsencode(tmp_path) + b"/" + name]
    (tmp_path / "list.txt").write_bytes(name + b"\n")
    assert [os.fsencode(path) for path in find_images(tmp_path / "list.txt").paths] == [os.fsencode(tmp_path) + b"/" + name]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("list.csv", "file,identity\na.jpg,1\n", "no column path"),
        ("list.csv", "", "no column path"),
        ("list.csv", "path,split\na.jpg,exam\n", "line 2: split is 'exam'; expected train, query, gallery"),
        ("list.csv", "path,identity\n,1\n", "line 2: no path"),
        ("list.csv", "path\na\0.jpg\n", "not a text file with one path a line"),
        ("list.txt", "a.jpg\nb\0.jpg\n", "not an image of a format that is read .* and not a text file with one path a line"),
        ("list.txt", "\x1f\x7fELF\n", "not an image of a format that is read .* and not a text file with one path a line"),
        ("list.csv", "path\n", "no image is listed"),
        ("list.txt", "\n\n", "no image is listed"),
        ("list.csv", "path\n" + "a" * 200_000 + "\n", "cannot be read as a table"),
    ],
)
def test_a_wrong_list_is_refused_with_its_line(name: str, content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(DatasetError, match=rf"{name}.*{message}"):
        find_images(tmp_path / name)


@pytest.mark.parametrize("kind", ["ICO", "PDF"])
@pytest.mark.parametrize("name", ["image.txt", "image.ico", "image"])
def test_an_image_is_no_list(kind: str, name: str, tmp_path: Path) -> None:
    Image.new("RGB", (40, 80), (90, 30, 200)).save(tmp_path / name, kind)
    with pytest.raises(
        DatasetError,
        match=rf"{name}: not an image of a format that is read .* and not a text file with one path a line; name a folder",
    ):
        find_images(tmp_path / name)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF"])
@pytest.mark.parametrize("name", ["image.txt", "image.gif", "image"])
def test_an_image_is_known_by_its_content(kind: str, name: str, tmp_path: Path) -> None:
    Image.new("RGB", (40, 80), (90, 30, 200)).save(tmp_path / name, kind)
    assert labels(tmp_path / name) == labels(tmp_path) == [(str(tmp_path / name), -1, -1)]


def test_names_are_kept_and_numbers_are_theirs(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("path,identity,camera\na.jpg,anna,99999999999999999999\nb.jpg,bob,2\n")
    records = find_images(tmp_path / "list.csv")
    assert records.identity_names() == ["anna", "bob"] and records.camera_names() == ["99999999999999999999", "2"]


def test_a_film_is_refused_after_a_look_at_its_beginning(tmp_path: Path) -> None:
    film = tmp_path / "night.mp4"
    with film.open("wb") as stream:
        stream.write(b"\0\0\0\x18ftypmp42")
        stream.truncate(2**40)  # more than any memory
    with pytest.raises(DatasetError, match=r"night.mp4: not an image of a format that is read .*one path a line"):
        find_images(film)


def test_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no image in this folder or below it"):
        find_images(tmp_path)
    with pytest.raises(DatasetError, match="no such folder"):
        find_images(tmp_path / "nowhere")
