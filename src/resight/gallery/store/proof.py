"""The proof of a purge: all bytes of a gallery's folder are searched for what was deleted.

SQLite overwrites what it deletes, but for copies that it made when it moved rows between pages. If the search finds a piece of
them, the files are written anew, and searched again. A child process reads them (see `resight.gallery.store.reading`).
"""

from __future__ import annotations

import itertools
import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

from resight.errors import GalleryError, StorageError
from resight.gallery.store import database
from resight.gallery.store.reading import Reader
from resight.gallery.store.traces import Found, Traces, confirm, telling_part

__all__ = ["contents_of", "databases", "prove", "rewrite"]

_SOME = 1000  # places in a file that are enough to know
_SAMPLE = 256  # sightings of a file, most of whose pieces are in many others if they are in any


def databases(folder: Path) -> list[Path]:
    """Return the paths of the gallery's own file, and of its snapshots by name."""
    return [folder / database.FILE, *sorted((folder / database.SNAPSHOTS).glob("*.sqlite"))]


def prove(folder: Path, connection: sqlite3.Connection, ids: list[str], contents: set[bytes]) -> list[Path]:
    """Search all files of the folder for contents and ids, and write the galleries anew if any is found; return the files."""
    _rewrite_indexes(folder, connection)
    traces, names = Traces({*contents, *(id.encode() for id in ids)}), "".join(ids).encode()
    traces.forget_common(_survivors(folder, _SAMPLE))

    def pieces(file: Path, found: Found) -> set[bytes]:
        """Return the traces among what was found. Files that are not SQLite's may name ids: an audit log does."""
        return {piece for piece in traces.pieces(found) if _is_own(folder, file) or piece not in names}

    sampled, rewritten = True, False
    while found := _search(folder, traces, pieces):
        much = any(len(some) == _SOME for some in found.values())
        if much and sampled:  # many others are alike
            traces.forget(_survivors(folder))
            sampled = False
            continue
        all_pieces = {piece for file, some in found.items() for one in some for piece in pieces(file, one)}
        traces.drop(all_pieces - confirm(all_pieces, _survivors(folder)))
        left = [str(file) for file, some in found.items() if any(pieces(file, one) for one in some)]
        if left and rewritten:
            raise GalleryError(
                f"pieces of what was deleted are left in {', '.join(left)}; delete what is not the gallery's own, and run it again"
            )
        if left:
            rewrite(folder, connection)
            rewritten = True
        elif not much:
            break
    return _files(folder)


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.is_file())


def _is_own(folder: Path, file: Path) -> bool:
    """Tell if SQLite made a file: a gallery, a snapshot, or the journal of one."""
    return any(file.parent == path.parent and file.name.startswith(path.name) for path in databases(folder))


def _search(folder: Path, traces: Traces, pieces: Callable[[Path, Found], set[bytes]]) -> dict[Path, list[Found]]:
    """Return what is left in each file, or much of it."""
    files, found = _files(folder), {}
    try:
        with Reader() as reader:
            for file in files:
                left = (one for one in traces.left(reader.chunks(file)) if pieces(file, one))
                if some := list(itertools.islice(left, _SOME)):
                    found[file] = some
                if len(some) == _SOME:  # enough; the reader stops within this file
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


def _survivors(folder: Path, most: int | None = None) -> Iterator[bytes]:
    """Read the vectors, pixels and ids of all sightings that are left, or of some, in the gallery and its snapshots."""
    for path in databases(folder):
        with database.opened(path, journal="WAL" if path.parent == folder else "DELETE") as connection:
            condition, parameters = "", ()
            if most is not None:
                first, last = connection.execute(
                    "SELECT (SELECT min(number) FROM sighting), (SELECT max(number) FROM sighting)"
                ).fetchone()
                condition = "WHERE number IN (SELECT value FROM json_each(?))"
                parameters = (json.dumps(list(range(first, last + 1, (last - first) // most + 1)) if last else []),)
            yield from _blobs(connection, condition, *parameters)
            yield from (id.encode() for (id,) in connection.execute(f"SELECT id FROM sighting {condition}", parameters))


def _blobs(connection: sqlite3.Connection, condition: str = "", *parameters: str) -> Iterator[bytes]:
    for (jpeg,) in connection.execute(f"SELECT jpeg FROM thumbnail {condition}", parameters):
        yield telling_part(jpeg)
    yield from (content for (content,) in connection.execute(f"SELECT embedding FROM vector {condition}", parameters))
