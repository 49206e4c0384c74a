"""What a newcomer has to touch: one new object and one line in one dict, and everything works with it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cases.drawings import put
from resight.cli import main
from resight.datasets import DATASETS, Dataset
from resight.datasets.divide import divide
from resight.datasets.layout import Layout
from resight.datasets.rows import Row, records_of
from resight.datasets.tree import Tree


def test_a_data_set_layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A layout of one folder for each day, with names like ann@door.1.jpg, through inspect and evaluate."""

    def fit(tree: Tree) -> float:
        return sum("@" in image for image in tree.images) / max(len(tree.images), 1)

    def load(root: str | Path | Tree, *, seed: int = 0) -> Dataset:
        tree = Tree.read(root)
        rows = []
        for image in tree.images:
            identity, at, camera = image.rpartition("/")[2].partition("@")
            if at:
                rows.append(Row(tree.path(image), identity, camera.partition(".")[0]))
        split, notes = divide(records_of(rows), seed=seed)
        return Dataset("days", tree.root, (split,), tuple(notes), tree.account(len(rows), {}))

    for number, name in enumerate(("ann", "bob", "cid", "dan")):
        for camera, place in enumerate(("hall", "door")):
            put(tmp_path / "D" / "monday" / f"{name}@{place}.1.jpg", number, camera)
            put(tmp_path / "D" / "tuesday" / f"{name}@{place}.2.jpg", number, camera, 1)
    (tmp_path / "D" / "notes.txt").write_text("rain")
    lines = {"days": Layout(about="days with names like ann@door.1.jpg", fit=fit, load=load), **DATASETS}
    monkeypatch.setattr("resight.datasets.DATASETS", lines)
    file = tmp_path / "found.json"
    assert main(["dataset", "inspect", str(tmp_path / "D"), "--json", str(file)]) == 0
    found = json.loads(file.read_text())
    assert (found["name"], found["total"]["identities"], found["total"]["cameras"]) == ("days", 4, 2)
    assert found["files"] == {"there": 17, "used": 16, "left_out": {"ending not read: .txt": 1}}
    assert main(["evaluate", "--data", str(tmp_path / "D"), "--layout", "days", "--json", str(file)]) == 0
    assert json.loads(file.read_text())["dataset"] == "days"
