"""The proof of a purge: all bytes of a gallery's folder are searched for what was deleted.

SQLite overwrites what it deletes, but for copies that it made when it moved rows between pages. If the search finds a piece of
them, the files are written anew, and searched again. A child process reads them (see `resight.gallery.store.reading`).
"""

from __future__ import annotations

import itertools
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from resight.errors import GalleryError, StorageError
from resight.gallery.store import database
from resight.gallery.store.reading import Reader
from resight.gallery.store.traces import Traces, telling_part

__all__ = ["contents_of", "databases", "prove", "rewrite"]

_SOME = 1000  # pieces of a file that are enough to know


def databases(folder: Path) -> list[Path]:
    """Return the paths of the gallery's own file, and of its snapshots by name."""
    return [folder / database.FILE, *sorted((folder / database.SNAPSHOTS).glob("*.sqlite"))]


def prove(folder: Path, connection: sqlite3.Connection, ids: list[str], contents: set[bytes]) -> list[Path]:
    """Search all files of the folder for contents and ids, and write the galleries anew if any is found; return the files."""
    traces, names = Traces({*contents, *(id.encode() for id in ids)}), "".join(ids).encode()
    if found := _search(folder, traces, names, some=1):
        _rewrite_indexes(folder, connection)
        traces.forget(_survivors(folder))
        found = _search(folder, traces, names)
    rewritten = False
    while found:
        pieces = set().union(*found.values())
        if not (left := traces.confirm(pieces, _survivors(folder))):
            traces.drop(pieces)
        elif rewritten:
            where = ", ".join(str(file) for file in sorted(found) if found[file] & left)
            raise GalleryError(
                f"pieces of what was deleted are left in {where}; delete what is not the gallery's own, and run it again"
            )
        else:
            rewrite(folder, connection)
            rewritten = True
        found = _search(folder, traces, names)
    return _files(folder)


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.is_file())


def _search(folder: Path, traces: Traces, names: bytes, *, some: int = _SOME) -> dict[Path, set[bytes]]:
    """Return some of the pieces that are left in each file. Files that are not SQLite's may name ids: an audit log does."""
    files = _files(folder)
    own = {file for path in databases(folder) for file in path.parent.glob(f"{path.name}*")}
    found = {}
    try:
        with Reader() as reader:
            for file in files:
                left = traces.left(reader.chunks(file))
                if pieces := set(itertools.islice((piece for piece in left if file in own or piece not in names), some)):
                    found[file] = pieces
                if len(pieces) == some:  # enough; the reader stops within this file
                    break
        return found
    except OSError as error:
        what = error.filename or files[0].parent
        raise StorageError(f"cannot read {what}: {error.strerror or error}; make it readable, then run it again") from error


def rewrite(folder: Path, connection: sqlite3.Connection) -> None:
    """Write the gallery and its snapshots anew, which takes as much space as the largest of them."""
    connection.execute("VACUUM")
    database.truncate_log(connection, folder / database.FILE)
    for path in databases(folder)[1:]:
        with database.opened(path, journal="DELETE") as snapshot:
            snapshot.execute("VACUUM")


def _rewrite_indexes(folder: Path, connection: sqlite3.Connection) -> None:
    """Write the indexes anew: they are small, and the most likely to hold copies, because ids come in any order."""
    connection.execute("REINDEX")
    database.truncate_log(connection, folder / database.FILE)
    for path in databases(folder)[1:]:
        with database.opened(path, journal="DELETE") as snapshot:
            snapshot.execute("REINDEX")


def contents_of(connection: sqlite3.Connection, ids: list[str]) -> set[bytes]:
    """Return the vectors and pixels of sightings, as they are stored."""
    return set(
        _blobs(
            connection,
            "WHERE number IN (SELECT number FROM sighting WHERE id IN (SELECT value FROM json_each(?)))",
            json.dumps(ids),
        )
    )


def _survivors(folder: Path) -> Iterator[bytes]:
    """Read the vectors, pixels and ids of all sightings that are left, in the gallery and its snapshots."""
    for path in databases(folder):
        with database.opened(path, journal="WAL" if path.parent == folder else "DELETE") as connection:
            yield from (id.encode() for (id,) in connection.execute("SELECT id FROM sighting"))
            yield from _blobs(connection)


def _blobs(connection: sqlite3.Connection, condition: str = "", *parameters: str) -> Iterator[bytes]:
    yield from (content for (content,) in connection.execute(f"SELECT embedding FROM vector {condition}", parameters))
    for (jpeg,) in connection.execute(f"SELECT jpeg FROM thumbnail {condition}", parameters):
        yield telling_part(jpeg)
