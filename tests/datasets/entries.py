"""Folders made up of files of many kinds, for property tests."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from hypothesis import strategies as st

from cases.drawings import put

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
