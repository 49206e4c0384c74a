"""The one reader of tables: a CSV with the column ``path`` and any of identity, camera, time, tracklet, split, junk."""

from __future__ import annotations

import csv
import io
import os
import posixpath
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from resight.datasets.accounting import BY_URL, DUPLICATE, OUTSIDE, UNREADABLE, Accounting
from resight.datasets.names import camera_name, nfc
from resight.datasets.records import DISTRACTOR, JUNK
from resight.datasets.rows import PERSON, Row, alike_notes
from resight.datasets.times import TimeUnit, parse_time
from resight.datasets.tree import count_several, is_hidden
from resight.errors import ConfigurationError, DatasetError
from resight.images import FORMATS, filesystem_of, is_url, read_url

if TYPE_CHECKING:
    from pyarrow import ChunkedArray

__all__ = [
    "COLUMNS",
    "LARGEST",
    "MADE_BY_EXTRACT",
    "Table",
    "find_table",
    "folder_of",
    "has_header",
    "no_text",
    "path_in",
    "read_table",
    "read_text",
]

COLUMNS = ("path", "identity", "camera", "time", "time_s", "time_ms", "tracklet", "split", "junk")
LARGEST = 2**30
"""Bytes of a list or table."""
MADE_BY_EXTRACT = "model_sha256"
"""Column of the tables that `resight extract` writes beside vectors."""

_PARTS = ("train", "query", "gallery")
_TRUE, _FALSE = ("1", "true", "yes"), ("0", "false", "no", "")
_DELIMITERS = ",;\t"
_BEGIN = 2**16  # bytes, among which any other kind of file has a zero
_WIDE = (b"\xff\xfe", b"\xfe\xff")  # marks of UTF-16
_TIMES: dict[str, TimeUnit] = {"time": "iso", "time_s": "s", "time_ms": "ms"}


@dataclass(frozen=True)
class Table:
    """Contents of a table.

    Attributes
    ----------
    path : Path or str
    columns : tuple of str
        The header, in lower case.
    rows : tuple of Row
        In the order of the table; paths are relative to nothing any more.
    accounting : Accounting
        Accounting of the rows.
    notes : tuple of str
        Notes for a user.
    """

    path: Path | str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    accounting: Accounting
    notes: tuple[str, ...]


def read_table(table: Path | str, *, inside: Path | None = None, must_exist: bool = False) -> Table:
    """Read a table: comma, semicolon or tab; UTF-8, or UTF-16 that begins with its mark; any line ends.

    ``path`` is relative to the table, or a URL. ``identity`` and ``camera`` are names, empty if unknown. ``split`` is train,
    query or gallery. ``junk`` is 1 for images that count neither for nor against a ranking. Without that column identity -1
    means junk if all identities are whole numbers, as in Market-1501; among names it is one of them. An empty identity of a
    gallery row is a distractor. In a table of `resight extract` 0 is a distractor, too, and camera -1 unknown. Other columns
    are not read, which a note says.

    Parameters
    ----------
    table : Path or str
        A file, or its URL.
    inside : Path, optional
        Leave out rows whose file is not in this folder, links resolved. A table that the user did not name is read so.
    must_exist : bool
        Leave out rows whose file is missing.

    Returns
    -------
    Table

    Raises
    ------
    DatasetError
        If it cannot be read, has no column path, a row is wrong, or one file has two identities, cameras or splits. The line is
        named.
    """
    columns, delimiter, lines = _open(table)
    if "path" not in columns:
        raise DatasetError(f"{table}: no column path; expected a header with path and any of {', '.join(COLUMNS[1:])}")
    if twice := [name for name, count in Counter(columns).items() if count > 1 and name in COLUMNS]:
        raise DatasetError(f"{table}: the column {twice[0]} is there twice")
    numbers = MADE_BY_EXTRACT in columns or _are_numbers(columns, lines)
    rows: dict[str, Row] = {}
    left_out: Counter[str] = Counter()
    for number, cells in lines:
        if len(cells) != len(columns):
            raise DatasetError(
                f"{table}, line {number}: {len(cells)} values; expected {len(columns)}, with {delimiter!r} between them"
            )
        try:
            row = _row(dict(zip(columns, cells, strict=True)), folder_of(table), numbers=numbers)
            reason = _unusable(row.path, inside, must_exist=must_exist)
        except (ConfigurationError, DatasetError) as error:
            raise DatasetError(f"{table}, line {number}: {error}") from error
        except (OSError, ValueError) as error:  # a name that is too long, for example
            raise DatasetError(f"{table}, line {number}: the path cannot be used: {error}") from error
        key = os.path.normpath(row.path)
        if reason:
            left_out[reason] += 1
        elif key in rows:
            here, above = _told(row), _told(rows[key])
            if different := [column for column in here if here[column] != above[column]]:
                raise DatasetError(
                    f"{table}, line {number}: {cells[columns.index('path')]} has {different[0]} {here[different[0]]!r} here and "
                    f"{above[different[0]]!r} above; give a file one {different[0]}"
                )
            left_out[DUPLICATE] += 1
        else:
            rows[key] = row
    accounting = Accounting(len(rows), left_out, count_several(row.path for row in rows.values()))
    if not rows:
        raise DatasetError(f"{table}: no image is listed that can be used; {accounting}")
    return Table(table, columns, tuple(rows.values()), accounting, tuple(_notes(table, columns, list(rows.values()))))


def find_table(folder: Path, *, any_label: bool = False) -> Path | None:
    """The one table of labels directly in a folder: a CSV with the columns path and identity that extract did not write.

    With `any_label`, path and any other known column will do.

    None if there is none. Raises `DatasetError` if there are several.
    """
    if not folder.is_dir():
        return None
    tables = [
        path
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in (".csv", ".tsv") and path.is_file() and not is_hidden(path.name) and _is_labels(path, any_label)
    ]
    if len(tables) > 1:
        raise DatasetError(f"{folder}: {len(tables)} tables ({', '.join(t.name for t in tables[:3])}); name the one to read")
    return tables[0] if tables else None


def folder_of(table: Path | str) -> Path | str:
    """Return the folder, or its URL, to which the names in a list are relative."""
    return os.path.dirname(table) if is_url(table) else Path(table).parent


def has_header(path: Path | str) -> bool:
    """Tell if a file begins with a table's header: ``path`` and another known column."""
    try:
        columns = _open(path)[0]
    except DatasetError:
        return False
    return "path" in columns and len(set(columns) & set(COLUMNS)) > 1


def _is_labels(path: Path, any_label: bool) -> bool:
    try:
        columns = _open(path)[0]
    except DatasetError:
        return False
    known = set(columns) & set(COLUMNS)
    enough = "path" in known and (len(known) > 1 if any_label else "identity" in known)
    return enough and MADE_BY_EXTRACT not in columns


def _open(table: Path | str) -> tuple[tuple[str, ...], str, list[tuple[int, list[str]]]]:
    """Header, delimiter, and the other lines with their numbers."""
    if str(table).rstrip("/").endswith(".parquet"):
        return _open_parquet(table)
    try:
        data = read_text(table)
        wide = data.startswith(_WIDE)
        # File names need not be UTF-8: their bytes are kept.
        text = data.decode("utf-16") if wide else data.decode("utf-8-sig", "surrogateescape")
        first = next(iter(text.lstrip("\r\n").splitlines()), "")
        delimiter = max(_DELIMITERS, key=lambda mark: (_has_path(first, mark), first.count(mark)))
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        lines = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader if any(cell.strip() for cell in cells)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{table}: cannot be read as a table: {error}") from error
    if not lines:
        return (), delimiter, []
    return tuple(name.lower() for name in lines[0][1]), delimiter, lines[1:]


def no_text(file: Path | str) -> DatasetError:
    """The error of a file that is neither an image nor text."""
    return DatasetError(
        f"{file}: not an image of a format that is read ({FORMATS}), and not a text file with one path a line; name "
        "a folder, a list or a data set"
    )


def read_text(file: Path | str) -> bytes:
    """Content of a list or table. Raises `DatasetError` if it is too large or no text, and `OSError` if it cannot be read."""
    if is_url(file):
        return read_url(str(file), LARGEST)
    with Path(file).open("rb") as stream:
        begin = stream.read(_BEGIN)
        if b"\0" in begin and not begin.startswith(_WIDE):
            raise no_text(file)
        if os.fstat(stream.fileno()).st_size > LARGEST:
            raise DatasetError(f"{file}: has more than {LARGEST} bytes; give it in parts")
        return begin + stream.read()


def _open_parquet(table: Path | str) -> tuple[tuple[str, ...], str, list[tuple[int, list[str]]]]:
    """The known columns of a Parquet file, or of a folder of them, like the lines of a table."""
    import pyarrow
    from pyarrow import dataset

    try:
        storage, place = filesystem_of(str(table)) if is_url(table) else (None, table)
        files = dataset.dataset(place, format="parquet", filesystem=storage)
        columns = [name for name in files.schema.names if name.lower() in (*COLUMNS, MADE_BY_EXTRACT)]
        values = [[_text(value) for value in _in_microseconds(column).to_pylist()] for column in files.to_table(columns).columns]
    except (OSError, pyarrow.ArrowException) as error:
        raise DatasetError(f"{table}: cannot be read as Parquet ({error}); write it again, or give a CSV table") from error
    return (
        tuple(name.lower() for name in columns),
        "",
        [(row, list(cells)) for row, cells in enumerate(zip(*values, strict=True), 1)],
    )


def _in_microseconds(column: ChunkedArray) -> ChunkedArray:
    """Times as exact as Python's; others as they are."""
    import pyarrow

    if not pyarrow.types.is_timestamp(column.type):
        return column
    return column.cast(pyarrow.timestamp("us", column.type.tz), safe=False)


def _text(value: object) -> str:
    return "" if value is None else value.isoformat() if isinstance(value, datetime) else str(value)


def _has_path(header: str, delimiter: str) -> bool:
    return "path" in [cell.strip(' "').lower() for cell in header.split(delimiter)]


def _row(cells: Mapping[str, str], folder: Path | str, *, numbers: bool) -> Row:
    for name in COLUMNS[1:]:
        if any(letter == "\0" or "\ud800" <= letter <= "\udfff" for letter in cells.get(name, "")):
            raise DatasetError(f"{name} is {cells[name]!r}, not text in UTF-8; save the table as UTF-8")
    if not cells["path"] or "\0" in cells["path"]:
        raise DatasetError("no path")
    part, junk = cells.get("split", "").lower(), cells.get("junk", "").lower()
    if part and part not in _PARTS:
        raise DatasetError(f"split is {cells['split']!r}; expected {', '.join(_PARTS)}")
    if junk not in _TRUE + _FALSE:
        raise DatasetError(f"junk is {cells['junk']!r}; expected 1 or 0")
    identity, camera, extracted = nfc(cells.get("identity", "")), camera_name(cells.get("camera", "")), MADE_BY_EXTRACT in cells
    kind = PERSON
    if junk in _TRUE or (numbers and "junk" not in cells and identity == "-1"):
        kind = JUNK
    elif (extracted and "junk" not in cells and identity == "0") or (not identity and part == "gallery"):
        kind = DISTRACTOR
    return Row(
        path_in(folder, cells["path"]),
        identity if kind == PERSON else "",
        "" if extracted and camera == "-1" else camera,
        _time(cells),
        nfc(cells.get("tracklet", "")),
        part,
        kind,
    )


def _told(row: Row) -> dict[str, str]:
    """Values in which all rows of one file must agree, by column."""
    return {"identity": row.identity, "camera": row.camera, "split": row.part, "junk": str(int(row.kind == JUNK))}


def path_in(folder: Path | str, name: str) -> str:
    """Return the path or URL of a file that a list in `folder` names. Raises `ConfigurationError` for a URL with a key."""
    if is_url(name):
        filesystem_of(name)  # which refuses keys
        return name
    if is_url(folder) and not os.path.isabs(name):
        scheme, _, rest = str(folder).partition("://")
        return f"{scheme}://{posixpath.normpath(f'{rest}/{name}')}"
    path = os.path.join(folder, name)
    if "\\" in name and not os.path.exists(path):  # written on Windows
        return os.path.join(folder, name.replace("\\", "/"))
    return path


def _time(cells: Mapping[str, str]) -> datetime | None:
    found = [(cells[name], unit) for name, unit in _TIMES.items() if cells.get(name)]
    if len(found) > 1:
        raise DatasetError("there is more than one time; expected one of time, time_s, time_ms")
    return parse_time(*found[0]) if found else None


def _are_numbers(columns: tuple[str, ...], lines: list[tuple[int, list[str]]]) -> bool:
    """Tell if all identities are whole numbers."""
    if "identity" not in columns:
        return False
    place = columns.index("identity")
    return all(re.fullmatch("-1|[0-9]*", cells[place]) for _, cells in lines if len(cells) > place)


def _unusable(path: str, inside: Path | None, *, must_exist: bool) -> str:
    if inside is not None and not Path(path).resolve().is_relative_to(inside.resolve()):
        return OUTSIDE
    if must_exist and is_url(path):
        return BY_URL
    return f"{UNREADABLE}: no such file" if must_exist and not Path(path).is_file() else ""


def _notes(table: Path | str, columns: tuple[str, ...], rows: list[Row]) -> Iterator[str]:
    if other := [name for name in columns if name not in (*COLUMNS, MADE_BY_EXTRACT)]:
        yield f"{table}: columns not read: {', '.join(other)}; known are {', '.join(COLUMNS)}"
    yield from alike_notes(rows)
    if MADE_BY_EXTRACT in columns:
        return
    if "junk" not in columns and (junk := sum(row.kind == JUNK for row in rows)):
        yield f"{junk} rows have identity -1 and are junk, as in Market-1501; a column junk with 1 and 0 says it in another way"
    for name, way in (("-1", "say junk in a column junk"), ("0", "leave the identity of a distractor empty")):
        if count := sum(row.identity == name for row in rows):
            yield f"{count} rows have identity {name}, who is a person here; {way}"
