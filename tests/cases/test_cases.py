"""Inputs that once gave a wrong answer with exit code 0, each with its right answer."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from cases import drawings
from resight.cli import main

Capture = pytest.CaptureFixture[str]


def run(*arguments: object) -> None:
    assert main([str(argument) for argument in arguments]) == 0


def result(folder: Path, *arguments: object) -> dict[str, Any]:
    """What `--json` of a command holds; its accounting adds up."""
    file = folder / "result.json"
    run(*arguments, "--json", file)
    values: dict[str, Any] = json.loads(file.read_text())
    if "files" in values:
        files = values["files"]
        assert files["there"] == files["used"] + sum(files["left_out"].values()) and files["used"] > 0
    return values


def counts(folder: Path, data: Path, *options: object) -> dict[str, Any]:
    return result(folder, "dataset", "inspect", data, *options)


def rows(table: Path) -> list[dict[str, str]]:
    with table.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_camera_names_with_underscores(tmp_path: Path, capsys: Capture) -> None:
    drawings.cameras_with_underscores(tmp_path / "D")
    found = counts(tmp_path, tmp_path / "D")
    assert (found["total"]["cameras"], found["query"]["images"], found["gallery"]["images"]) == (3, 10, 8)
    assert "front_door, front_yard, hall" in capsys.readouterr().err
    scores = result(tmp_path, "evaluate", "--data", tmp_path / "D")
    assert (scores["queries"], scores["gallery"]) == (10, 8)
    cut = counts(tmp_path, tmp_path / "D", "--name-pattern", "{identity}/{camera}_{*}_{*}")
    assert cut["total"]["cameras"] == 1


@pytest.mark.parametrize("notes", [False, True])
def test_a_csv_in_a_folder(tmp_path: Path, capsys: Capture, notes: bool) -> None:
    data = tmp_path / "D"
    drawings.four_people(data)
    if notes:
        (data / "notes.csv").write_text("date,remark\n2026-03-01,camera moved\n")
    else:
        run("extract", "--images", data, "--out", data / "vectors")
        before = (data / "vectors.npy").stat().st_mtime_ns
        assert result(tmp_path, "extract", "--images", data, "--out", data / "vectors")["vectors"] == 16
        assert (data / "vectors.npy").stat().st_mtime_ns == before
    found = counts(tmp_path, data)
    assert (found["total"]["identities"], found["total"]["images"]) == (4, 16)
    scores = result(tmp_path, "evaluate", "--data", data, *(["--layout", "folder"] if notes else []))
    assert scores["files"]["left_out"]["ending not read: .csv"] == 1
    run("gallery", "create", tmp_path / "G", "--retention", "30d")
    assert result(tmp_path, "gallery", "add", tmp_path / "G", data)["added"] == 16


@pytest.mark.parametrize("names", [("train", "query", "gallery"), ("image_train", "image_query", "image_test")])
def test_flat_folders_called_train_query_gallery(tmp_path: Path, names: tuple[str, str, str]) -> None:
    drawings.divided(tmp_path / "D", *names)
    found = counts(tmp_path, tmp_path / "D")
    assert (found["train"]["identities"], found["query"]["images"], found["gallery"]["images"]) == (8, 6, 12)
    scores = result(tmp_path, "evaluate", "--data", tmp_path / "D")
    assert (scores["rank1"], scores["map"]) == (100, 100)


def test_hidden_folders(tmp_path: Path) -> None:
    drawings.hidden(tmp_path / "D")
    drawings.hidden_flat(tmp_path / "D-flat")
    found = counts(tmp_path, tmp_path / "D")
    total = found["total"]
    assert (total["identities"], total["cameras"], total["images"], found["unreadable"]) == (4, 2, 16, [])
    assert found["files"] == {"there": 28, "used": 16, "left_out": {"hidden or of the system": 12}}
    assert result(tmp_path, "evaluate", "--data", tmp_path / "D")["files"]["left_out"]["hidden or of the system"] == 12
    assert result(tmp_path, "extract", "--images", tmp_path / "D-flat", "--out", tmp_path / "v")["vectors"] == 3
    run("gallery", "create", tmp_path / "G", "--retention", "30d")
    assert result(tmp_path, "gallery", "add", tmp_path / "G", tmp_path / "D-flat")["added"] == 3


def test_junk_in_a_table(tmp_path: Path, capsys: Capture) -> None:
    drawings.junk(tmp_path / "D")
    for arguments in ((tmp_path / "D", "--layout", "market1501"), (tmp_path / "D" / "list.csv",)):
        scores = result(tmp_path, "evaluate", "--data", *arguments)
        assert (scores["rank1"], scores["map"], scores["gallery"]) == (100, 100, 16)
    assert "8 rows have identity -1 and are junk" in capsys.readouterr().err
    run("extract", "--images", tmp_path / "D", "--out", tmp_path / "v")
    assert result(tmp_path, "evaluate", "--data", tmp_path / "v.csv")["map"] == 100


def test_labels_that_come_later(tmp_path: Path, capsys: Capture) -> None:
    labels = drawings.labels_later(tmp_path / "D")
    run("gallery", "create", tmp_path / "G", "--retention", "30d")
    run("gallery", "add", tmp_path / "G", tmp_path / "D")
    done = result(tmp_path, "gallery", "add", tmp_path / "G", labels)
    assert (done["added"], done["present"], done["labelled"]) == (0, 3, 3)
    assert "3 labelled" in capsys.readouterr().out
    assert result(tmp_path, "gallery", "stats", tmp_path / "G")["identities"] == 3
    assert result(tmp_path, "gallery", "add", tmp_path / "G", labels)["labelled"] == 0


@pytest.mark.parametrize(("kind", "name"), [("msmt17", "msmt17"), ("layumi", "divided"), ("mars", "mars")])
def test_nested_layouts(tmp_path: Path, kind: str, name: str) -> None:
    drawings.nested(tmp_path / "D", kind)
    found = counts(tmp_path, tmp_path / "D")
    assert found["name"] == name
    assert (found["train"]["identities"], found["train"]["cameras"]) == (6, 2)
    assert (found["query"]["identities"], found["gallery"]["identities"], found["unmatched_queries"]) == (6, 6, 0)
    part = tmp_path / "D" / ("bbox_train" if kind == "mars" else "train")
    alone = counts(tmp_path, part)  # a folder for each person, named as in the data set
    assert (alone["total"]["identities"], alone["total"]["cameras"]) == (6, 2)


@pytest.mark.parametrize("table", ["list.csv", "nocamera.csv"])
def test_one_camera(tmp_path: Path, capsys: Capture, table: str) -> None:
    drawings.one_camera(tmp_path / "D")
    found = counts(tmp_path, tmp_path / "D" / table)
    total = found["total"]
    assert (total["identities"], total["cameras"], total["images"]) == (8, int(table == "list.csv"), 32)
    scores = result(tmp_path, "evaluate", "--data", tmp_path / "D" / table)
    assert (scores["rank1"], scores["queries"], scores["protocol"]) == (100, 4, "all but itself")
    assert "easier than the usual protocol" in capsys.readouterr().err
    calibrated = ("--rate", "0.9", "--possible-rate", "0.95", "--confidence", "0.6", "--out", tmp_path / "c.json")
    run("calibrate", "--data", tmp_path / "D" / table, *calibrated)
    assert "easier than the usual protocol" in capsys.readouterr().err
    recipe = ("--epochs", "1", "--batch-size", "8", "--height", "64", "--width", "32", "--held-out", "0.25")
    run("train", "--data", tmp_path / "D" / table, "--out", tmp_path / "run", *recipe)


def test_a_name_in_another_normal_form(tmp_path: Path, capsys: Capture) -> None:
    drawings.decomposed_name(tmp_path / "D")
    run("gallery", "create", tmp_path / "G", "--retention", "30d")
    run("gallery", "add", tmp_path / "G", tmp_path / "D" / "list.csv")
    assert main(["gallery", "purge", str(tmp_path / "G"), "--identity", "Nobody", "--yes"]) == 2
    said = capsys.readouterr()
    assert "Nobody" in said.err and "proved" not in said.out
    run("gallery", "purge", tmp_path / "G", "--identity", "José Muñoz", "--yes")
    assert "2 sightings deleted" in capsys.readouterr().out
    assert result(tmp_path, "gallery", "stats", tmp_path / "G")["count"] == 0


def test_a_numbered_run_of_crops(tmp_path: Path) -> None:
    drawings.numbered_run(tmp_path / "D")
    assert result(tmp_path, "extract", "--images", tmp_path / "D", "--out", tmp_path / "v")["vectors"] == 50
    assert {(row["identity"], row["camera"]) for row in rows(tmp_path / "v.csv")} == {("-1", "-1")}
    run("gallery", "create", tmp_path / "G", "--retention", "30d")
    assert result(tmp_path, "gallery", "add", tmp_path / "G", tmp_path / "D")["added"] == 50
    assert result(tmp_path, "gallery", "stats", tmp_path / "G")["identities"] == 0


def test_identities_are_text(tmp_path: Path) -> None:
    drawings.text_identities(tmp_path / "D")
    run("extract", "--images", tmp_path / "D" / "list.csv", "--out", tmp_path / "v")
    written = rows(tmp_path / "v.csv")
    assert [(row["identity"], row["camera"]) for row in written] == [
        (row["identity"], row["camera"]) for row in rows(tmp_path / "D" / "list.csv")
    ]
    assert len(written) == 8
    assert result(tmp_path, "evaluate", "--data", tmp_path / "v.csv")["queries"] > 0
    run("gallery", "create", tmp_path / "G", "--retention", "30d")
    assert result(tmp_path, "gallery", "add", tmp_path / "G", tmp_path / "v.csv")["added"] == 8
    assert result(tmp_path, "gallery", "stats", tmp_path / "G")["identities"] == 4


def test_a_tracklet_does_not_fill_the_list(tmp_path: Path) -> None:
    drawings.tracklets(tmp_path / "D")
    run("gallery", "create", tmp_path / "G", "--retention", "unlimited")
    run("gallery", "add", tmp_path / "G", tmp_path / "D" / "list.csv")
    asked = ("gallery", "search", tmp_path / "G", tmp_path / "D" / "a00.jpg", "-k", "10")
    found = result(tmp_path, *asked, "--one-per", "tracklet")["matches"]
    assert [match["tracklet"] for match in found][:2] == ["t1", "t9"]
    assert [match["rank"] for match in found] == [1, 2, 3, 4, 5, 6]
    assert {match["camera"] for match in result(tmp_path, *asked, "--one-per", "camera")["matches"]} == {"hall", "door"}
    elsewhere = result(tmp_path, *asked, "--not-camera", "hall")["matches"]
    assert elsewhere[0]["tracklet"] == "t9" and len(elsewhere) == 5
    assert main([*map(str, asked), "--not-camera", "hall", "--not-camera", "door"]) == 2


def test_names_by_id_tracklet_and_table(tmp_path: Path) -> None:
    drawings.tracklets(tmp_path / "D")
    gallery = tmp_path / "G"
    run("gallery", "create", gallery, "--retention", "unlimited")
    run("gallery", "add", gallery, tmp_path / "D" / "list.csv")
    asked = ("gallery", "search", gallery, tmp_path / "D" / "same.jpg", "-k", "1")
    match = result(tmp_path, *asked)["matches"][0]
    assert result(tmp_path, "gallery", "label", gallery, "--tracklet", "t1", "--identity", "Zoë")["labelled"] == 25
    assert result(tmp_path, "gallery", "label", gallery, "--id", match["id"], "--identity", "Zoe")["labelled"] == 1
    assert main(["gallery", "label", str(gallery), "--tracklet", "t77", "--identity", "x"]) == 2
    assert main(["gallery", "rename", str(gallery), "Zoe", "Zoë"]) == 2
    assert result(tmp_path, "gallery", "merge", gallery, "Zoe", "Zoe\u0308")["labelled"] == 1
    assert result(tmp_path, "gallery", "rename", gallery, "Zoë", "Anna")["labelled"] == 26
    assert main(["gallery", "merge", str(gallery), "Zoë", "Anna"]) == 2
    (tmp_path / "names.csv").write_text("path,identity\nD/b2.jpg,Bob\nD/b3.jpg,Cid\nD/new.jpg,Dan\n")
    assert result(tmp_path, "gallery", "label", gallery, tmp_path / "names.csv")["labelled"] == 2
    assert result(tmp_path, "gallery", "stats", gallery)["identities"] == 3


def test_other_endings(tmp_path: Path, capsys: Capture) -> None:
    drawings.other_endings(tmp_path / "D")
    (tmp_path / "D" / "map.ppm").write_bytes(b"P6 2 1 255\n" + bytes(6))
    found = counts(tmp_path, tmp_path / "D")
    assert (found["total"]["identities"], found["total"]["images"]) == (4, 16)
    assert found["files"] == {"there": 17, "used": 16, "left_out": {"ending not read: .ppm": 1}}
    assert result(tmp_path, "extract", "--images", tmp_path / "D", "--out", tmp_path / "v")["files"] == found["files"]
    for name in ("cid/hall_0.jfif", "dan/hall_0.tif"):
        run("extract", "--images", tmp_path / "D" / name, "--out", tmp_path / name[:3])
    assert main(["extract", "--images", str(tmp_path / "D" / "map.ppm"), "--out", str(tmp_path / "x")]) == 2
    assert "not an image of a format that is read" in capsys.readouterr().err


def test_several_data_sets_at_once(tmp_path: Path) -> None:
    drawings.divided(tmp_path / "A", "train", "query", "gallery")
    drawings.divided(tmp_path / "B", "image_train", "image_query", "image_test")
    found = counts(tmp_path, tmp_path / "A", tmp_path / "B")
    assert (found["total"]["identities"], found["total"]["cameras"], found["files"]["used"]) == (28, 4, 100)
    scores = result(tmp_path, "evaluate", "--data", tmp_path / "A", "--data", tmp_path / "B")
    assert (scores["queries"], scores["gallery"], scores["dataset"]) == (12, 24, "divided+divided")
