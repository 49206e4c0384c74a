"""A folder of one's own: one folder for each person, or a table that says who is where, or names by a pattern."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from resight.datasets.accounting import NO_LABEL, Accounting
from resight.datasets.divide import divide, given_split
from resight.datasets.layout import Layout
from resight.datasets.names import NEARLY, camera_name, nfc, parse_pattern, split_of
from resight.datasets.people import Found, check_folders, refuse_parts, rows_by_folders
from resight.datasets.records import JUNK, Dataset, Split
from resight.datasets.rows import PERSON, Row, alike_notes, records_of
from resight.datasets.tables import Table, find_table, read_table
from resight.datasets.tree import Tree
from resight.errors import DatasetError

__all__ = ["LAYOUT", "dataset_of", "fit", "load", "read_rows", "table_of"]


def fit(tree: Tree) -> float:
    """1 if there is a table of labels; else the share of the images that lie in a folder directly in the root.

    Raises `DatasetError` if such folders are called train, query, gallery and the like: they are not people.
    """
    if find_table(tree.root) is not None:
        return 1.0
    refuse_parts(tree)
    depths = [image.count("/") == 1 for image in tree.images]
    share = sum(depths) / max(len(depths), 1)
    if share >= NEARLY:
        check_folders(tree)
    return share


def load(root: str | Path | Tree, *, seed: int = 0, pattern: str = "") -> Dataset:
    """Read a folder of one's own.

    Either one folder for each person, its name any text, holding images whose names begin with the camera:
    ``anna/front_door_0001.jpg`` (see `resight.datasets.names.camera_of`). Or a table; see `resight.datasets.tables.read_table`. If
    the table gives a division by its column split, that is used.

    Without a given division half of the people, by a seeded hash of their names, train; of the others one image by each camera
    asks and the rest is the gallery, as in Market-1501 (`resight.datasets.divide.divide`).

    Parameters
    ----------
    root : str, Path or Tree
        The folder, or the table itself.
    seed : int
        Seed of the division; not used if the table gives one.
    pattern : str
        Pattern of image names, such as ``{identity}/{camera}_{*}``; see `resight.datasets.names.parse_pattern`.

    Returns
    -------
    Dataset
        With one split.

    Raises
    ------
    DatasetError
        If nothing is found, a row is wrong, one file has two identities, or no query can have a match.
    """
    if not isinstance(root, Tree) and Path(root).is_file():
        return _from_table(Path(root), table_of(Path(root)), seed)
    tree = Tree.read(root)
    if not pattern and (table := find_table(tree.root)) is not None:
        return _from_table(tree.root, table_of(table, found_in=tree.root), seed)
    rows, left_out, notes = read_rows(tree, pattern)
    return dataset_of("folder", tree, rows, left_out, notes, seed)


def table_of(table: Path, *, found_in: Path | None = None) -> Table:
    """Read a table of labels; one that was found in a folder, and not named by the user, reaches no file outside of it."""
    return read_table(table, inside=found_in, must_exist=True)


def read_rows(tree: Tree, pattern: str = "", *, without_camera: bool = False) -> Found:
    """Who is on the images of a folder, by a pattern, or by one folder for each person.

    Images whose name does not say the camera are left out if others say it, unless `without_camera`.

    Raises
    ------
    DatasetError
        If no name fits, one file has two identities, or the cameras cannot be told.
    """
    rows, left_out, notes = _by_pattern(tree, pattern) if pattern else rows_by_folders(tree, without_camera)
    if not rows:
        expected = (
            f"names that fit {pattern}" if pattern else "one folder for each person, holding images named like entrance_0001.jpg"
        )
        raise DatasetError(f"{tree.place}: no images here that can be used: {tree.summary()}; expected {expected}")
    who = {row.path: row.identity for row in rows}
    for link, target in tree.twins:
        folder = nfc(link.partition("/")[0])
        if not pattern and tree.path(target) in who and who[tree.path(target)] != folder:
            raise DatasetError(
                f"{tree.place}: {link} is a link to {target}, of {who[tree.path(target)]!r}, not of {folder!r}; one file has "
                "one identity"
            )
    return rows, left_out, [*notes, *alike_notes(rows)]


def dataset_of(name: str, tree: Tree, rows: Sequence[Row], left_out: dict[str, int], notes: list[str], seed: int) -> Dataset:
    """A data set of rows: as divided as they are, or else in halves."""
    split, more, kept = _split(tree.root, rows, seed)
    reasons = Counter(left_out) + Counter({NO_LABEL: len(rows) - kept})
    warnings = [*notes, *more]
    if unnamed := reasons[NO_LABEL]:
        warnings.insert(0, f"{unnamed} image files left out: their names do not say identity and camera")
    return Dataset(name, tree.root, (split,), tuple(warnings), tree.account(kept, reasons))


def _from_table(root: Path, table: Table, seed: int) -> Dataset:
    split, notes, kept = _split(table.path, table.rows, seed)
    accounting: Accounting = table.accounting
    if len(table.rows) > kept:
        accounting = accounting.without(NO_LABEL, len(table.rows) - kept)
    return Dataset("folder", root, (split,), (*table.notes, *notes), accounting)


def _split(root: Path | str, rows: Sequence[Row], seed: int) -> tuple[Split, list[str], int]:
    """The division of rows, what a user should know, and how many of them are used: those that say enough."""
    divided = any(row.part for row in rows)
    if divided:
        kept = [row for row in rows if row.part and (row.part == "gallery" or (row.kind == PERSON and row.identity))]
    else:
        kept = [row for row in rows if row.kind == JUNK or row.identity]
    everything = records_of(kept)
    try:
        if divided:
            chosen = (everything.select([p == part for p in everything.parts]) for part in ("train", "query", "gallery"))
            return *given_split(*chosen), len(kept)
        return *divide(everything, seed=seed), len(kept)
    except DatasetError as error:
        raise DatasetError(f"{root}: {error}") from error


def _by_pattern(tree: Tree, pattern: str) -> Found:
    expression = parse_pattern(pattern)
    rows = []
    for image in tree.images:
        match = expression.fullmatch(nfc(os.path.splitext(image)[0]))
        if match is not None:
            named = match.groupdict(default="")
            part = named.get("split", "")
            if part and not split_of(part):
                raise DatasetError(f"{tree.path(image)}: {part!r} is no split; expected train, query, gallery or test in its place")
            rows.append(
                Row(
                    tree.path(image),
                    nfc(named.get("identity", "")),
                    camera_name(named.get("camera", "")),
                    tracklet=nfc(named.get("tracklet", "")),
                    part=split_of(part) if part else "",
                )
            )
    return rows, {f"{NO_LABEL}: the name does not fit {pattern}": len(tree.images) - len(rows)}, []


LAYOUT = Layout(about="one folder for each person with images named like entrance_0001.jpg", fit=fit, load=load, whole=True)
