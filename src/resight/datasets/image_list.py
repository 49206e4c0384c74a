"""Images that a user means: a data set, a folder, a table, a list of files, or one image."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from resight.datasets import DATASETS, check_layout
from resight.datasets.accounting import DUPLICATE, Accounting
from resight.datasets.folder import read_rows
from resight.datasets.layout import recognise
from resight.datasets.names import Style, find_style
from resight.datasets.records import DISTRACTOR, JUNK, Records
from resight.datasets.rows import PERSON, Row, records_of
from resight.datasets.tables import Table, find_table, folder_of, has_header, no_text, path_in, read_table, read_text
from resight.datasets.tree import IMAGE_SUFFIXES, Tree, count_several, is_image
from resight.errors import DatasetError
from resight.images import FORMATS, is_url

__all__ = ["find_images"]

_BINARY = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
"""Control characters, which any other kind of file has soon, and no file name."""

_NOT_ASKED = "of the data set, neither query nor gallery of its first division"


def find_images(root: str | Path, *, layout: str = "auto", name_pattern: str = "") -> Records:
    """The images that a user means by a folder, a list or one image.

    Parameters
    ----------
    root : str or Path
        A data set in a known layout: its queries and then its gallery are taken (of the first division); of a folder of one's own,
        all of its images. Any other folder: all images in it and below it, of unknown identity and camera (-1), unless nearly all
        lie in one folder with names in the style of a published data set. An image: itself. A table, or
        Parquet: see `resight.datasets.tables.read_table`. Any other file: one path a line, relative to its folder. None of the
        files of a list is looked for yet. A URL of any of these, but layouts are not recognised by URL.
    layout : str
        A key of `resight.datasets.DATASETS`; ``"auto"`` recognises it.
    name_pattern : str
        Pattern of names in a folder; see `resight.datasets.names.parse_pattern`.

    Returns
    -------
    Records
        With `accounting` and `notes`.

    Raises
    ------
    DatasetError
        If there is no such folder, list or layout, no image in it, or a line of it is wrong.
    """
    check_layout(layout, name_pattern)
    if is_url(root):
        return _of_url(str(root), layout, name_pattern)
    root = Path(root)
    if root.suffix == ".parquet" and root.exists():
        return _of_table(read_table(root))
    if root.is_file():
        if is_image(root):
            return replace(records_of([Row(str(root))]), accounting=Accounting(1, several=count_several([str(root)])))
        if root.suffix.lower() in (".csv", ".tsv") or has_header(root):
            return _of_table(read_table(root))
        return _of_lines(root)
    tree = Tree.read(root)
    if not tree.images:
        raise DatasetError(f"{root}: no image in this folder or below it ({FORMATS}); {tree.account(0, {})}")
    try:
        name = "folder" if name_pattern else layout
        if name == "auto":
            name, tree = recognise(tree, DATASETS)
        if name == "folder":
            if not name_pattern and (table := find_table(tree.root)) is not None:
                return _of_table(read_table(table, inside=tree.root, must_exist=True))
            rows, left_out, notes = read_rows(tree, name_pattern, without_camera=True)
            return replace(records_of(rows), accounting=tree.account(len(rows), left_out), notes=tuple(notes))
        dataset = DATASETS[name].load(tree)
    except DatasetError as error:
        if layout != "auto" or name_pattern or find_table(tree.root) is not None:  # labels are not dropped
            raise
        return _unlabelled(tree, str(error))
    parts = [dataset.query, dataset.gallery]
    records = Records.concatenate([dataset.train, *parts] if DATASETS[name].whole else parts)
    accounting = dataset.accounting.without(_NOT_ASKED, dataset.accounting.used - len(records))
    return replace(records, accounting=accounting, notes=dataset.warnings, layout=name)


def _of_url(url: str, layout: str, name_pattern: str) -> Records:
    if layout != "auto":
        raise DatasetError(f"{url}: layouts are not read by URL; give --name-pattern, a table, or a copy of the folder")
    tree = Tree.of_url(url)
    suffix = os.path.splitext(url.rstrip("/"))[1].lower()
    if tree is None and suffix in IMAGE_SUFFIXES:
        return replace(records_of([Row(url)]), accounting=Accounting(1))
    if suffix in (".csv", ".tsv", ".parquet") or (tree is None and has_header(url)):
        return _of_table(read_table(url))
    if tree is None:
        return _of_lines(url)
    if not tree.images:
        raise DatasetError(f"{url}: no image in this folder or below it ({FORMATS}); {tree.account(0, {})}")
    if name_pattern:
        rows, left_out, notes = read_rows(tree, name_pattern, without_camera=True)
        return replace(records_of(rows), accounting=tree.account(len(rows), left_out), notes=tuple(notes))
    return _unlabelled(tree, "layouts are not recognised by URL; give --name-pattern, or a table")


def _unlabelled(tree: Tree, why: str) -> Records:
    """All images of a folder, in the order of their names."""
    flat = all("/" not in image for image in tree.images)
    style = find_style(tree.images) if flat else None
    rows = [_row(tree, image, style) for image in tree.images]
    note = "" if flat else f"identities and cameras are unknown, because it is not a data set: {why}"
    return replace(records_of(rows), accounting=tree.account(len(rows), {}), notes=(note,) if note else ())


def _row(tree: Tree, image: str, style: Style | None) -> Row:
    label = None if style is None else style.parse(image)
    if style is None or label is None:
        return Row(tree.path(image))
    kind = JUNK if label.identity == style.junk else DISTRACTOR if label.identity == "0" else PERSON
    identity = label.identity if kind == PERSON else ""
    return Row(tree.path(image), identity, label.camera, tracklet=label.tracklet, kind=kind)


def _of_table(table: Table) -> Records:
    return replace(records_of(table.rows), accounting=table.accounting, notes=table.notes)


def _of_lines(path: Path | str) -> Records:
    try:
        data = read_text(path)
        # File names need not be UTF-8; their bytes are kept.
        text = data.decode("utf-8-sig", "surrogateescape").replace("\r\n", "\n").replace("\r", "\n")
        names = list(_lines(text, path))
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read as a list of images: {error}") from error
    remote = is_url(path)
    paths = [path_in(folder_of(path), name) if remote or is_url(name) else str(Path(path).parent / name) for name in names]
    rows = [Row(name) for name in dict.fromkeys(paths)]
    if not rows:
        raise DatasetError(f"{path}: no image is listed")
    twice = len(names) - len(rows)
    several = count_several(row.path for row in rows)
    return replace(records_of(rows), accounting=Accounting(len(rows), {DUPLICATE: twice} if twice else {}, several))


def _lines(text: str, path: Path | str) -> Iterator[str]:
    for line in text.split("\n"):
        if _BINARY.search(line):
            raise no_text(path)
        if name := line.strip("\r"):
            yield name
