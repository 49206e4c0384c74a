"""A folder of one's own, and a CSV."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from datasets.layouts import write_folder, write_images
from resight.datasets import Dataset, folder, open_dataset
from resight.datasets.names import camera_of
from resight.datasets.records import DISTRACTOR, JUNK
from resight.errors import DatasetError


def names(paths: tuple[str, ...]) -> set[str]:
    return {Path(path).parent.name for path in paths}


def everything(dataset: Dataset) -> list[tuple[str, int, int]]:
    rows = []
    for part in (dataset.train, dataset.query, dataset.gallery):
        rows += list(zip(part.paths, part.identities.tolist(), part.cameras.tolist(), strict=True))
    return sorted(rows)


def test_people_and_cameras_are_numbered_in_the_order_of_their_names(tmp_path: Path) -> None:
    write_folder(tmp_path)
    dataset = open_dataset(tmp_path)
    assert dataset.name == "folder" and len(dataset.splits) == 1
    people = sorted(["anna", "ben", "chloé", "0", "-1", "frank", "zoe"])
    rows = everything(dataset)
    assert len(rows) == 6 * 6 + 2
    for path, identity, camera in rows:
        assert people[identity - 1] == Path(path).parent.name
        assert ["door", "gate"][camera - 1] == Path(path).name.split("_")[0]


def test_the_division_is_half_of_the_people_and_asks_as_market_does(tmp_path: Path) -> None:
    write_folder(tmp_path)
    dataset = open_dataset(tmp_path)
    train, test = names(dataset.train.paths), names(dataset.query.paths)
    assert len(train) == 3 and len(test) == 3 and not train & test
    assert "zoe" not in train | test and "zoe" in names(dataset.gallery.paths)
    assert len(dataset.query) == 3 * 2 and len(dataset.gallery) == 3 * 4 + 2
    assert dataset.warnings == ("1 people of the test half were seen by one camera only: they are in the gallery and cannot ask",)


def test_the_division_depends_on_names_and_seed_only(tmp_path: Path) -> None:
    write_folder(tmp_path / "a")
    write_folder(tmp_path / "b")
    halves = {seed: names(open_dataset(tmp_path / "a", seed=seed).train.paths) for seed in range(6)}
    assert halves[0] == names(open_dataset(tmp_path / "b").train.paths)
    assert len({frozenset(half) for half in halves.values()}) > 1


def test_names_that_are_not_text_divide_too(tmp_path: Path) -> None:
    people = [os.fsdecode(person) for person in (b"ann", b"b\xe9a", b"cyd", b"d\xe9e")]
    write_images(tmp_path, [f"{person}/{camera}_1.png" for person in people for camera in "ab"])
    dataset = open_dataset(tmp_path)
    assert len(dataset.train.people()) == len(dataset.query.people()) == 2


def test_a_newcomer_moves_at_most_one_other_person(tmp_path: Path) -> None:
    for number in range(20):
        write_images(tmp_path, [f"person{number}/{camera}_{i}.png" for camera in "ab" for i in range(2)])
    before = names(open_dataset(tmp_path).train.paths)
    write_images(tmp_path, [f"newcomer/{camera}_{i}.png" for camera in "ab" for i in range(2)])
    after = names(open_dataset(tmp_path).train.paths) - {"newcomer"}
    assert len(before - after) <= 1 and len(after - before) <= 1


def test_names_without_a_camera_are_left_out(tmp_path: Path) -> None:
    write_folder(tmp_path)
    write_images(tmp_path, ["anna/portrait.png", "anna/_1.png"])
    dataset = open_dataset(tmp_path)
    assert dataset.warnings[0].startswith("2 image files left out")
    assert len(everything(dataset)) == 38


def test_a_folder_that_cannot_be_divided(tmp_path: Path) -> None:
    write_images(tmp_path, ["anna/a_1.png", "ben/a_1.png"])
    with pytest.raises(DatasetError, match="none of the 2 people has two images"):
        open_dataset(tmp_path)
    write_images(tmp_path, ["cid/b_1.png"])
    with pytest.raises(DatasetError, match="none of the 3 people was seen by two cameras"):
        open_dataset(tmp_path)
    (tmp_path / "cid" / "b_1.png").unlink()
    (tmp_path / "cid").rmdir()
    write_images(tmp_path, ["anna/b_1.png"])
    with pytest.raises(DatasetError, match="2 people cannot be halved"):
        open_dataset(tmp_path)
    write_images(tmp_path, ["ben/b_1.png"])
    dataset = open_dataset(tmp_path)
    assert (len(dataset.train), len(dataset.query), len(dataset.gallery)) == (2, 1, 1)


def write_csv(root: Path, text: str, name: str = "people.csv") -> Path:
    root.mkdir(exist_ok=True)
    (root / name).write_text(text, encoding="utf-8")
    return root / name


def test_a_csv_with_its_own_division(tmp_path: Path) -> None:
    write_images(tmp_path, [f"images/{n}.png" for n in range(6)])
    table = write_csv(
        tmp_path,
        "\ufeffsplit,Path, identity ,camera,note\n"
        "train,images/0.png,anna,door,\n"
        'train,images/1.png,anna,gate,"a, b"\n'
        "query,images/2.png,ben,door,x\n"
        "\n"
        "gallery,images/3.png,ben,gate,\n"
        "gallery,images/4.png,,gate,nobody\n"
        "gallery,./images/../images/5.png,ben,door,\n",
    )
    for root in (tmp_path, table):
        dataset = open_dataset(root)
        assert dataset.name == "folder"
        assert [note.partition(": ")[2] for note in dataset.warnings] == [
            "columns not read: note; known are path, identity, camera, time, time_s, time_ms, tracklet, split, junk"
        ]
        assert dataset.train.identities.tolist() == [1, 1] and dataset.train.cameras.tolist() == [1, 2]
        assert dataset.query.identities.tolist() == [2]
        assert dataset.gallery.identities.tolist() == [2, 0, 2] and dataset.gallery.cameras.tolist() == [2, 2, 1]
        assert all(Path(path).is_file() for path in dataset.gallery.paths)


def test_a_csv_without_a_division_is_divided_like_folders(tmp_path: Path) -> None:
    write_folder(tmp_path / "people")
    rows = [
        f"people/{p.parent.name}/{p.name},{p.parent.name},{p.name.split('_')[0]}" for p in sorted((tmp_path / "people").glob("*/*"))
    ]
    table = write_csv(tmp_path, "path,identity,camera\n" + "\n".join(rows) + "\n")
    by_csv, by_folders = folder.load(table, seed=4), folder.load(tmp_path / "people", seed=4)
    assert sorted(by_csv.train.paths) == sorted(by_folders.train.paths)
    assert len(by_csv.query) == len(by_folders.query) and by_csv.warnings[-1:] == by_folders.warnings[-1:]
    assert [warning[:40] for warning in by_csv.warnings[:-1]] == [
        "6 rows have identity -1, who is a person",
        "6 rows have identity 0, who is a person ",
    ]


def test_people_on_both_sides_are_warned_of(tmp_path: Path) -> None:
    write_images(tmp_path, [f"{n}.png" for n in range(3)])
    write_csv(tmp_path, "path,identity,camera,split\n0.png,a,1,train\n1.png,a,1,query\n2.png,a,2,gallery\n")
    assert open_dataset(tmp_path).warnings == (
        "1 people are in both train and query: scores will flatter what was trained on them",
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no column path"),
        ("path,identity,camera\n", "no image is listed that can be used; files: 0 there"),
        ("path,camera\n0.png,1\n", "none of the 0 people"),
        ("path,identity,camera\n0.png,a\n", "line 2: 2 values; expected 3"),
        ("path,identity,camera\n0.png,,1\n", "none of the 0 people"),
        ("path,identity,camera\n0.png,a,\n", "none of the 1 people has two images"),
        ("path,identity,camera,split\n0.png,a,1,test\n", "line 2: split is 'test'; expected train, query, gallery"),
        ("path,identity,camera\n9.png,a,1\n", "1 unreadable: no such file"),
        ("path,identity,camera\n0.png,a,1\n./0.png,b,1\n", "line 3: ./0.png has identity 'b' here and 'a' above"),
        ("path,identity,camera\n0.png,a,1\n0.png,a,2\n", "line 3: 0.png has camera '2' here and '1' above; give a file one camera"),
        ("path,identity,split\n0.png,a,train\n0.png,a,query\n", "line 3: 0.png has split 'query' here and 'train' above"),
        ("path,identity,camera,junk\n0.png,a,1,perhaps\n", "line 2: junk is 'perhaps'"),
        ("path,identity,camera,time\n0.png,a,1,1772352000\n", "line 2: '1772352000' is not a time; expected ISO 8601"),
        ("path,path\n0.png,a\n", "the column path is there twice"),
        (f"path,identity,camera\n{'x' * 5000}.png,a,1\n", "(?i)line 2: the path cannot be used|no such file"),
        ("path,identity,camera,split\n0.png,a,1,train\n", "0 queries and 0 gallery images"),
        (f"path,identity,camera\n{'x' * 200_000},a,1\n", "cannot be read as a table"),
    ],
)
def test_a_wrong_csv_says_where_and_why(tmp_path: Path, text: str, reason: str) -> None:
    write_images(tmp_path, ["data/0.png", "data/1.png"])
    table = write_csv(tmp_path / "data", text)
    with pytest.raises(DatasetError, match=reason):
        folder.load(table)


@pytest.mark.parametrize("path", ["../secret.png", "link/secret.png", "ABSOLUTE"])
def test_a_table_that_was_found_reaches_no_other_folder(tmp_path: Path, path: str) -> None:
    write_images(tmp_path, ["secret.png", "data/0.png", "data/1.png"])
    os.symlink(tmp_path, tmp_path / "data" / "link")
    path = path.replace("ABSOLUTE", str(tmp_path / "secret.png"))
    table = write_csv(tmp_path / "data", f"path,identity,camera,split\n0.png,a,1,query\n1.png,a,2,gallery\n{path},b,2,gallery\n")
    found = open_dataset(tmp_path / "data")
    assert found.accounting.to_dict() == {"there": 3, "used": 2, "left_out": {"outside the table's folder": 1}}
    assert len(open_dataset(table).gallery) == 2  # the user named it


@pytest.mark.parametrize("folders", [("cam1", "cam2"), ("query/anna", "gallery/anna")])
def test_a_table_says_more_than_the_names_of_folders(tmp_path: Path, folders: tuple[str, str]) -> None:
    """Beside a pipe, which is never opened: nobody writes to it."""
    names = [f"{place}/{person}_{number}.png" for place in folders for person in ("anna", "ben") for number in range(2)]
    write_images(tmp_path, names)
    rows = [f"{name},P{number // 2 % 2},{'hall' if number % 4 < 2 else ''}" for number, name in enumerate(names)]
    text = "\n".join(f"{row},{'query' if number % 2 else 'gallery'}" for number, row in enumerate(rows))
    write_csv(tmp_path, f"path,identity,camera,split\n{text}\n")
    os.mkfifo(tmp_path / "labels.csv")
    found = open_dataset(tmp_path)
    assert set(found.query.identity_names()) == {"P0", "P1"} and set(found.query.camera_names()) == {"hall", ""}
    assert found.name == "folder" and "4 images are by no known camera" in found.warnings[-1]


def test_absolute_paths_inside_are_fine(tmp_path: Path) -> None:
    write_images(tmp_path, [f"{n}.png" for n in range(2)])
    write_csv(tmp_path, f"path,identity,camera,split\n{tmp_path / '0.png'},a,1,query\n1.png,a,2,gallery\n")
    assert len(open_dataset(tmp_path).query) == 1


def test_a_csv_in_another_encoding_or_two_of_them(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("path,identity,camera\n0.png,Zoë,1\n".encode("latin-1"))
    with pytest.raises(DatasetError, match=r"line 2: identity is .*not text in UTF-8; save the table as UTF-8"):
        open_dataset(tmp_path)
    (tmp_path / "b.csv").write_text("path,identity\n0.png,a\n")
    with pytest.raises(DatasetError, match=r"2 tables \(a\.csv, b\.csv\); name the one"):
        open_dataset(tmp_path)


@pytest.mark.parametrize("mark", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_tables_of_all_kinds(tmp_path: Path, mark: str, end: str, encoding: str) -> None:
    write_images(tmp_path, ["0.png", "1.png"])
    lines = [
        ["path", "identity", "camera", "split"],
        ["0.png", 'Zoë; the 1st, "A"', "1", "query"],
        ["1.png", 'Zoë; the 1st, "A"', "2", "gallery"],
    ]
    text = end.join(mark.join('"' + cell.replace('"', '""') + '"' for cell in line) for line in lines)
    (tmp_path / "people.csv").write_bytes(text.encode(encoding))
    found = open_dataset(tmp_path)
    assert set(found.query.identity_names() + found.gallery.identity_names()) == {'Zoë; the 1st, "A"'}


def test_numbers_written_in_several_ways_are_warned_of(tmp_path: Path) -> None:
    write_images(tmp_path, [f"{n}.png" for n in range(4)])
    rows = ["0.png,1,1,query", "1.png,1,2,gallery", "2.png,01,2,gallery", "3.png,1.0,2,gallery"]
    write_csv(tmp_path, "path,identity,camera,split\n" + "\n".join(rows) + "\n")
    found = open_dataset(tmp_path)
    assert any("identities '01', '1', '1.0' are different names" in warning for warning in found.warnings)
    assert len(found.gallery.people()) == 3


def test_folders_that_are_parts_are_never_people(tmp_path: Path) -> None:
    write_images(tmp_path, [f"{part}/{name}.png" for part in ("train", "val") for name in ("a_1", "b_1")])
    for layout in ("auto", "folder"):
        with pytest.raises(DatasetError, match="train, val are parts of a data set, not people"):
            open_dataset(tmp_path, layout=layout)


def test_a_link_under_another_name(tmp_path: Path) -> None:
    write_folder(tmp_path)
    os.symlink(tmp_path / "anna", tmp_path / "anna" / "again")  # a loop ends
    os.symlink("door_0.png", tmp_path / "anna" / "door_9.png")
    found = open_dataset(tmp_path).accounting
    assert (found.used, found.left_out) == (38, {"duplicate": 1})
    os.symlink(tmp_path / "anna" / "door_0.png", tmp_path / "ben" / "door_9.png")
    with pytest.raises(DatasetError, match="of 'anna', not of 'ben'; one file has one identity"):
        open_dataset(tmp_path)


@pytest.mark.parametrize("folder", ["{identity}", "cam{camera}"])
def test_junk_and_distractors_in_the_style_of_market_are_no_people(folder: str, tmp_path: Path) -> None:
    for identity in ("-1", "0000", "0002", "0007", "0009", "0011"):
        for camera in (1, 2):
            path = tmp_path / folder.format(identity=identity, camera=camera) / f"{identity}_c{camera}s1_000451_03.jpg"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(b"")
    dataset = open_dataset(tmp_path)
    names = {name.lstrip("0") for part in (dataset.train, dataset.query) for name in part.identity_names()}
    assert names == {"2", "7", "9", "11"}
    assert {JUNK, DISTRACTOR} <= {*dataset.gallery.identities.tolist()}


def test_a_part_that_is_none_is_refused(tmp_path: Path) -> None:
    for part in ("train", "evaluation"):
        (tmp_path / part / "anna").mkdir(parents=True)
        (tmp_path / part / "anna" / "door_1.jpg").write_bytes(b"")
    with pytest.raises(DatasetError, match="'evaluation' is no split; expected train, query, gallery or test in its place"):
        open_dataset(tmp_path, name_pattern="{split}/{identity}/{camera}_{*}")


def test_names_by_a_pattern(tmp_path: Path) -> None:
    write_images(tmp_path, [f"2026/{camera}-{who}/x_{n}.png" for camera in "pq" for who in ("ann", "bo", "cy") for n in range(2)])
    write_images(tmp_path, ["2026/other/x.png"])
    found = open_dataset(tmp_path, name_pattern="{*}/{camera}-{identity}/{*}")
    records = found.gallery
    assert set(records.camera_names()) == {"p", "q"} and set(records.identity_names()) <= {"ann", "bo", "cy"}
    assert (found.accounting.used, found.accounting.there) == (12, 13)


@pytest.mark.parametrize(
    ("name", "camera"),
    [
        ("front_door_0001.jpg", "front_door"),
        ("cam_01_0003.jpg", "cam_01"),
        ("entrance_20260301_120000.jpg", "entrance"),
        ("hall_1.png", "hall"),
        ("0001_0002.png", "0001"),
        ("portrait.png", ""),
        ("_1.png", ""),
    ],
)
def test_the_camera_in_a_name(name: str, camera: str) -> None:
    assert camera_of(name) == camera


def test_folders_that_may_be_cameras_are_asked_about(tmp_path: Path) -> None:
    write_images(
        tmp_path, [f"{place}/{name}_{n}.png" for place in ("hall", "door") for name in ("ann", "bob", "cid", "dan") for n in "12"]
    )
    with pytest.raises(DatasetError, match=r"2 folders \(door, hall, .*\), and names that begin in 4 ways"):
        open_dataset(tmp_path)
    assert open_dataset(tmp_path, layout="folder").train.identity_names()[0] in ("door", "hall")
    found = open_dataset(tmp_path, name_pattern="{camera}/{identity}_{*}")
    assert set(found.gallery.camera_names()) == {"hall", "door"} and len(found.query) == 4


def test_a_folder_in_a_folder(tmp_path: Path) -> None:
    write_folder(tmp_path / "my people")
    assert open_dataset(tmp_path).train.paths == open_dataset(tmp_path / "my people").train.paths


@pytest.mark.parametrize(
    ("column", "text"), [("time", "2026-03-01T09:30:00+01:00"), ("time_s", "1772353800"), ("time_ms", "1772353800000")]
)
def test_times_say_their_unit_in_the_header(tmp_path: Path, column: str, text: str) -> None:
    write_images(tmp_path, ["0.png", "sub/1.png"])
    table = write_csv(tmp_path, f"path,identity,camera,split,{column}\n0.png,a,1,query,{text}\nsub\\1.png,a,2,gallery,\n")
    found = folder.load(table)
    assert found.query.times == (datetime(2026, 3, 1, 8, 30, tzinfo=UTC),) and found.gallery.times == (None,)
