"""The proof of a purge: all bytes of a gallery's folder are searched for what was deleted.

SQLite overwrites what it deletes, except copies that it made when it moved rows between pages. Most of these are in the indexes,
which are written anew. If the search finds a piece all the same, and no sighting that is left holds it, the files are written anew,
and searched again. A child process reads them (see `resight.gallery.store.reading`).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

from resight.errors import StorageError
from resight.gallery.store import database, reserve
from resight.gallery.store.reading import Reader
from resight.gallery.store.traces import Found, Traces, confirm, telling_part

__all__ = ["contents_of", "databases", "files_of", "own_files", "prove", "rewrite", "strangers"]

_SOME = 1000  # pieces that are enough to know
_SAMPLE = 256  # sightings that tell what most have in common


def databases(folder: Path) -> list[Path]:
    """Return the paths of the gallery's own file, and of its snapshots by name."""
    return [folder / database.FILE, *sorted((folder / database.SNAPSHOTS).glob("*.sqlite"))]


def files_of(folder: Path) -> list[Path]:
    """Return the paths of all files in a gallery's folder, sorted."""
    return sorted(file for file in folder.rglob("*") if file.is_file())


def own_files(folder: Path) -> set[Path]:
    """Return the paths that SQLite writes: the gallery's own file, its snapshots, and the logs beside them."""
    return {path.with_name(path.name + end) for path in databases(folder) for end in ("", "-wal", "-shm", "-journal")}


def strangers(folder: Path) -> list[Path]:
    """Return the files in a gallery's folder that writing the gallery anew does not reach, such as an audit log."""
    ours = own_files(folder) | {folder / name for name in (reserve.FILE, database.LOCK, f"{database.LOCK}-journal")}
    return [file for file in files_of(folder) if file not in ours and database.bytes_of([file])]


def prove(folder: Path, connection: sqlite3.Connection, ids: list[str], contents: set[bytes]) -> list[Path]:
    """Search all files of the folder for contents and ids, and write the galleries anew if any is found.

    Returns
    -------
    list of Path
        Files in which pieces are left all the same; without one, it is proved that nothing is.
    """
    _rewrite_indexes(folder, connection)
    traces, names = Traces({*contents, *(id.encode() for id in ids)}), "".join(ids).encode()
    traces.forget_common(_survivors(folder, _SAMPLE))

    def pieces(file: Path, found: Found) -> set[bytes]:
        """Return the traces among what was found. Files that are not SQLite's may name ids: an audit log does."""
        return {piece for piece in traces.pieces(found) if file in own or piece not in names}

    own, sampled, rewritten = own_files(folder), True, False
    while found := _enough(_search(folder, traces, pieces)):
        much = sum(len(one.starts) for _, one in found) >= _SOME
        if much and sampled:  # others have much in common with a few
            traces.forget(_survivors(folder))
            sampled = False
            continue
        asked = set().union(*(pieces(*one) for one in found))
        traces.drop(asked - confirm(asked, _survivors(folder)))
        left = sorted({one[0] for one in found if pieces(*one)})
        if left and rewritten:
            traces.forget(_survivors(folder))  # as much as was not confirmed
            return sorted({*left, *(file for file, _ in _search(folder, traces, pieces))})
        if left:
            rewrite(folder, connection)
            rewritten = True
        elif not much:
            break
    return []


def _enough(found: Iterator[tuple[Path, Found]]) -> list[tuple[Path, Found]]:
    """Return what was found, or the first of it if there is much."""
    some, count = [], 0
    for file, one in found:
        some.append((file, one))
        count += len(one.starts)
        if count >= _SOME:
            break
    return some


def _search(folder: Path, traces: Traces, pieces: Callable[[Path, Found], set[bytes]]) -> Iterator[tuple[Path, Found]]:
    """Find what is left in the files."""
    files = files_of(folder)
    try:
        with Reader() as reader:
            for file in files:
                yield from ((file, one) for one in traces.left(reader.chunks(file)) if pieces(file, one))
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
    paths = databases(folder)
    for path in paths:
        with database.opened(path, journal="WAL" if path.parent == folder else "DELETE") as connection:
            condition, parameters = "", list[str]()
            if most is not None:
                ends = "SELECT (SELECT min(number) FROM sighting), (SELECT max(number) FROM sighting)"
                first, last = (end or 0 for end in connection.execute(ends).fetchone())
                condition = "WHERE number IN (SELECT value FROM json_each(?))"
                parameters.append(json.dumps(list(range(first, last + 1, len(paths) * (last - first) // most + 1))))
            yield from _blobs(connection, condition, *parameters)
            yield from (id.encode() for (id,) in connection.execute(f"SELECT id FROM sighting {condition}", parameters))


def _blobs(connection: sqlite3.Connection, condition: str = "", *parameters: str) -> Iterator[bytes]:
    for (jpeg,) in connection.execute(f"SELECT jpeg FROM thumbnail {condition}", parameters):
        yield telling_part(jpeg)
    yield from (content for (content,) in connection.execute(f"SELECT embedding FROM vector {condition}", parameters))
