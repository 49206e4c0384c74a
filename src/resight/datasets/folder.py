"""A folder of one's own: `identity/camera_anything.jpg`, or a CSV that says who is where."""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from resight.datasets.records import DISTRACTOR, Dataset, Records, Split, image_files
from resight.datasets.splits import query_rows
from resight.errors import DatasetError

__all__ = ["find_csv", "load"]

_PARTS = ("train", "query", "gallery")


@dataclass(frozen=True)
class _Row:
    """One image, before names become numbers."""

    path: Path
    identity: str  # empty: nobody's, a distractor
    camera: str
    part: str = ""


def load(root: str | Path, *, seed: int = 0) -> Dataset:
    """Read a folder of one's own.

    Either one folder for each person, its name any text, holding images whose names begin with the camera and an underscore:
    ``anna/entrance_0001.jpg``. Or a CSV with the columns ``path``, ``identity``, ``camera`` and, if the division is given,
    ``split`` (train, query or gallery); paths are relative to the CSV and stay in its folder. A gallery row of a given division may
    leave the identity empty: nobody that the queries ask for.

    Without a given division half of the people, by a seeded hash of their names, train; of the others one image by each camera
    asks and the rest is the gallery, as in Market-1501 (`resight.datasets.splits.query_rows`).

    Parameters
    ----------
    root : str or Path
        The folder, or the CSV itself.
    seed : int
        Of the division; unused if the CSV gives one.

    Returns
    -------
    Dataset
        With one split. Identities and cameras are numbered from 1 in the sorted order of their names.

    Raises
    ------
    DatasetError
        If nothing is found, a row is wrong, a path leaves the folder, or no query has a match by another camera.
    """
    root = Path(root)
    table = root if root.suffix.lower() == ".csv" else find_csv(root)
    rows, unnamed = (_read_csv(table), 0) if table else _read_folders(root)
    warnings = [f"{unnamed} image files left out: their names do not begin with a camera and an underscore"] if unnamed else []
    people = sorted({row.identity for row in rows} - {""})
    identities = {"": DISTRACTOR} | {name: number for number, name in enumerate(people, 1)}
    cameras = {name: number for number, name in enumerate(sorted({row.camera for row in rows}), 1)}
    everything = Records.from_rows((row.path, identities[row.identity], cameras[row.camera]) for row in rows)
    if any(row.part for row in rows):
        parts = np.array([row.part for row in rows])
        split = Split(*(everything.select(parts == part) for part in _PARTS))
        both = np.intersect1d(split.train.identities, split.query.identities)
        if len(both):
            warnings.append(f"{len(both)} people are in both train and query: scores will flatter what was trained on them")
    else:
        split, alone = _divide(everything, people, seed)
        if alone:
            warnings.append(f"{alone} people of the test half were seen by one camera only: they are in the gallery and cannot ask")
    if not len(split.query) or not len(split.gallery):
        raise DatasetError(f"{root}: {len(split.query)} queries and {len(split.gallery)} gallery images; expected some of each")
    return Dataset("folder", root, (split,), tuple(warnings))


def find_csv(root: Path) -> Path | None:
    """The one CSV directly in a folder; None if there is none. Raises `DatasetError` if there are several."""
    tables = sorted(root.glob("*.csv")) if root.is_dir() else []
    if len(tables) > 1:
        raise DatasetError(f"{root}: {len(tables)} CSV files ({', '.join(t.name for t in tables[:3])}); name the one that is meant")
    return tables[0] if tables else None


def _divide(everything: Records, names: list[str], seed: int) -> tuple[Split, int]:
    """Halve the people by a hash of their names, so that a newcomer moves few others; also, how many cannot ask."""
    views = {number: len(set(everything.cameras[everything.identities == number])) for number in range(1, len(names) + 1)}
    order = sorted(views, key=lambda number: hashlib.sha256(f"{seed}\0{names[number - 1]}".encode()).digest())
    train: list[int] = []
    # Halved apart, or a small folder might leave nobody who can ask.
    for group in ([n for n in order if views[n] > 1], [n for n in order if views[n] == 1]):
        train += group[: len(group) // 2]
    if not any(n > 1 for n in views.values()):
        raise DatasetError(f"none of the {len(names)} people was seen by two cameras, so no query can have a match")
    if not train:
        raise DatasetError(f"{len(names)} people cannot be halved into training and test; expected two seen by two cameras")
    trains = np.isin(everything.identities, train)
    test = everything.select(~trains)
    asks = query_rows(test, seed=seed)
    alone = sum(1 for n, seen in views.items() if seen == 1 and n not in train)
    return Split(everything.select(trains), test.select(asks), test.select(~asks)), alone


def _read_folders(root: Path) -> tuple[list[_Row], int]:
    """Images in `root/identity/camera_anything.jpg`; also, how many have no camera in their names."""
    rows = []
    unnamed = 0
    for folder in sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else ():
        for path in image_files(folder):
            camera, underscore, _ = path.name.partition("_")
            if camera and underscore:
                rows.append(_Row(path, folder.name, camera))
            else:
                unnamed += 1
    if not rows:
        raise DatasetError(
            f"{root}: no images here; expected one folder for each person, holding images named like entrance_0001.jpg"
        )
    return rows, unnamed


def _read_csv(table: Path) -> list[_Row]:
    """Rows of the CSV, each checked."""
    try:
        with table.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream)
            header = [name.strip().lower() for name in next(reader, [])]
            lines = [(reader.line_num, [cell.strip() for cell in line]) for line in reader if line]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{table}: cannot be read as a CSV in UTF-8: {error}") from error
    missing = [name for name in ("path", "identity", "camera") if name not in header]
    if missing:
        raise DatasetError(f"{table}: no column {', '.join(missing)}; expected path, identity, camera and perhaps split")
    if not lines:
        raise DatasetError(f"{table}: no rows")
    inside = table.parent.resolve()
    rows = []
    for number, cells in lines:
        if len(cells) != len(header):
            raise DatasetError(f"{table}, line {number}: {len(cells)} values; expected {len(header)}")
        row = dict(zip(header, cells, strict=True))
        part = row.get("split", "")
        if "split" in header and part not in _PARTS:
            raise DatasetError(f"{table}, line {number}: split is {part!r}; expected {', '.join(_PARTS)} in every row")
        if not row["camera"] or (not row["identity"] and part != "gallery"):
            raise DatasetError(f"{table}, line {number}: identity or camera is empty; only a gallery row may have no identity")
        try:
            path = (inside / row["path"]).resolve()
            if not path.is_relative_to(inside):
                raise DatasetError(f"{table}, line {number}: {row['path']} is outside the CSV's folder; only images in it are read")
            if not path.is_file():
                raise DatasetError(f"{table}, line {number}: {row['path']}: no such file in {inside}")
        except (OSError, ValueError) as error:  # a name too long, a NUL in it
            raise DatasetError(f"{table}, line {number}: the path cannot be used: {error}") from error
        rows.append(_Row(path, row["identity"], row["camera"], part))
    return rows
