"""Whatever lies in a folder or table: there = used + left out, and what is there is what a plain count finds."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datasets.entries import BYTES, ENTRIES, build, entries_of
from resight.datasets import open_dataset
from resight.datasets.accounting import Accounting
from resight.datasets.image_list import find_images
from resight.datasets.tree import Tree
from resight.errors import DatasetError
from resight.gallery import find_crops


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
