"""Whatever lies in a folder or table: there = used + left out, and what is there is what a plain count finds."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cases.drawings import put
from resight.cli import main
from resight.datasets import open_dataset
from resight.datasets.accounting import Accounting
from resight.datasets.image_list import find_images
from resight.datasets.tree import Tree
from resight.errors import DatasetError, ResightError
from resight.gallery import find_crops

FOLDERS = st.sampled_from(
    [
        "",
        "ann",
        "bob",
        "Zoë",
        "cam1",
        "cam2",
        "train",
        "query",
        "gallery",
        "bounding_box_test",
        ".git",
        "@eaDir",
        "0001",
        "-1",
        "ann/deep",
    ]
)
NAMES = st.sampled_from(
    [
        "0001_c1s1_1",
        "0002_c2s1_1",
        "hall_1",
        "door_1",
        "front_door_2",
        "x",
        "0001001",
        ".hidden",
        "._x",
        "Thumbs",
        "person_0001",
        "1@2",
    ]
)
ENDINGS = st.sampled_from([".jpg", ".JPG", ".png", ".jfif", ".tif", ".txt", ".csv", ".db", "", ".heic"])
KINDS = st.sampled_from(["image", "empty", "text", "link", "dead link", "loop"])
ENTRIES = st.lists(st.tuples(FOLDERS, NAMES, ENDINGS, KINDS), min_size=1, max_size=25)

IMAGE = tempfile.mkdtemp(prefix="resight-accounting-")
put(Path(IMAGE) / "one.jpg", 1)
BYTES = (Path(IMAGE) / "one.jpg").read_bytes()
shutil.rmtree(IMAGE)


def build(root: Path, entries: list[tuple[str, str, str, str]]) -> None:
    for number, (folder, name, ending, kind) in enumerate(entries):
        path = root / folder / f"{name}{ending}"
        path.parent.mkdir(parents=True, exist_ok=True)
        if os.path.lexists(path):
            continue
        if kind == "link":
            (root.parent / f"outside-{number}.jpg").write_bytes(BYTES)
            path.symlink_to(root.parent / f"outside-{number}.jpg")
        elif kind == "dead link":
            path.symlink_to("nowhere")
        elif kind == "loop":
            path.symlink_to(root, target_is_directory=True)
        else:
            path.write_bytes({"image": BYTES, "empty": b"", "text": b"hello\n"}[kind])


def entries_of(root: Path) -> int:
    """All files and links to files, counted without the library; links to folders lead back into the folder here."""
    return sum(
        not (os.path.islink(path) and os.path.isdir(path))
        for folder, _, files in os.walk(root)
        for path in [os.path.join(folder, name) for name in files]
    )


def check(accounting: Accounting, count: int) -> None:
    assert accounting.there == accounting.used + sum(accounting.left_out.values()) == count
    assert accounting.used >= 0 and all(number >= 0 for number in accounting.left_out.values())
    assert accounting.to_dict()["there"] == count and f"{count} there" in str(accounting)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(ENTRIES)
def test_folders(entries: list[tuple[str, str, str, str]]) -> None:
    with tempfile.TemporaryDirectory() as parent:
        root = Path(parent) / "D"
        root.mkdir()
        build(root, entries)
        count = entries_of(root)
        tree = Tree.read(root)
        check(tree.account(len(tree.images), {}), count)
        readers: list[Callable[[], Any]] = [
            lambda: open_dataset(root),
            lambda: find_images(root),
            lambda: find_crops(root),
            lambda: find_crops(root, named=True),
        ]
        for read in readers:
            try:
                found = read()
            except DatasetError as error:
                assert str(error)
                continue
            check(found.accounting, count)
            assert found.accounting.used > 0
            if hasattr(found, "paths"):
                assert len(found.paths) == found.accounting.used == len(set(found.paths))


CELLS = st.sampled_from(["ann", "bob", "1", "01", "", "-1", "0", "Zoë"])
ROWS = st.lists(st.tuples(st.integers(0, 7), CELLS, CELLS, st.sampled_from(["train", "query", "gallery"])), min_size=1, max_size=15)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    ROWS, st.booleans(), st.sampled_from(",;\t"), st.sampled_from(["\n", "\r\n"]), st.sampled_from(["utf-8", "utf-8-sig", "utf-16"])
)
def test_tables(rows: list[tuple[int, str, str, str]], divided: bool, mark: str, end: str, encoding: str) -> None:
    with tempfile.TemporaryDirectory() as parent:
        root = Path(parent)
        for number in range(6):  # two of eight are missing
            (root / f"{number}.jpg").write_bytes(BYTES)
        header = ["path", "identity", "camera"] + (["split"] if divided else [])
        lines = [header, *([f"{number}.jpg", *cells][: len(header)] for number, *cells in rows)]
        (root / "people.csv").write_bytes((end.join(map(mark.join, lines)) + end).encode(encoding))
        for read in (open_dataset, find_images, find_crops):
            try:
                found: Any = read(root / "people.csv")
            except DatasetError as error:
                assert str(error)
                continue
            check(found.accounting, len(rows))
            if hasattr(found, "splits"):
                parts = (found.train, found.query, found.gallery)
                assert sum(map(len, parts)) == found.accounting.used
                assert np.all(found.train.identities > 0) and np.all(found.query.identities > 0)


@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))
@given(ENTRIES)
def test_verbs(entries: list[tuple[str, str, str, str]]) -> None:
    with tempfile.TemporaryDirectory() as parent:
        root = Path(parent) / "D"
        root.mkdir()
        build(root, entries)
        for number, name in enumerate(("p1", "p2", "p3", "p4")):  # so that most folders can be divided
            for camera in ("q", "r"):
                put(root / name / f"{camera}_1.jpg", number)
        count = entries_of(root)
        result, gallery = Path(parent) / "result.json", Path(parent) / "G"
        assert main(["gallery", "create", str(gallery), "--retention", "30d"]) == 0
        for verb in (
            ["dataset", "inspect", str(root)],
            ["evaluate", "--data", str(root)],
            ["evaluate", "--data", str(root), "--skip-unreadable", "--same-camera", "--model", "student-fastest"],
            ["fit", "--data", str(root), "--skip-unreadable", "--model", "student-fastest", "--out", str(Path(parent) / "f")],
            ["calibrate", "--data", str(root), "--out", str(Path(parent) / "c.json")],
            ["extract", "--images", str(root), "--out", str(Path(parent) / "v")],
            ["gallery", "add", str(gallery), str(root)],
        ):
            result.unlink(missing_ok=True)
            try:
                code = main([*verb, "--json", str(result)])
            except ResightError as error:
                raise AssertionError("a mistake of the user's is one line and exit code 2") from error
            assert code in (0, 2)
            if code == 0:
                files = json.loads(result.read_text())["files"]
                assert files["there"] == files["used"] + sum(files["left_out"].values()) == count


def test_unreadable_images_are_refused_by_name_or_left_out_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root, result = tmp_path / "D", tmp_path / "result.json"
    for number in range(8):
        for camera in ("q", "r"):
            put(root / f"p{number}" / f"{camera}_1.jpg", number)
    for number in range(8):
        (root / f"p{number}" / "q_2.jpg").write_bytes(BYTES[: len(BYTES) // 2])
    evaluate = ["evaluate", "--data", str(root), "--model", "student-fastest", "--json", str(result)]
    assert main(evaluate) == 2
    assert "q_2.jpg: the JPEG file ends too early" in (said := capsys.readouterr().err) and "--skip-unreadable" in said
    assert main([*evaluate, "--skip-unreadable"]) == 0
    said = capsys.readouterr()
    assert said.err.count("it is left out") == 8
    files = json.loads(result.read_text())["files"]
    assert files["there"] == 24 and files["left_out"]["unreadable"] == 8
    assert files["used"] == 16 - files["left_out"]["not in query or gallery"]
    assert main([*evaluate, "--skip-unreadable", "--same-camera"]) == 0
    assert "easier than the usual protocol" in capsys.readouterr().err
    assert json.loads(result.read_text())["protocol"] == "all but itself"


def test_a_search_accounts_for_its_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gallery, result, image = str(tmp_path / "G"), tmp_path / "result.json", tmp_path / "one.jpg"
    put(image, 1)
    assert main(["gallery", "create", gallery, "--retention", "30d"]) == 0
    assert main(["gallery", "search", gallery, str(image), str(image), "--json", str(result)]) == 0
    assert json.loads(result.read_text())["files"] == {"there": 2, "used": 2, "left_out": {}}
    assert "files: 2 there, 2 used, 0 left out" in capsys.readouterr().out
