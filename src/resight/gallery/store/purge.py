"""Deleting sightings from a gallery's folder, snapshots and all, and proving that nothing of them is left in its files.

SQLite overwrites what it deletes, but for copies that it made when it moved rows between pages. So the bytes of all files are
searched afterwards for what was deleted; if a piece is found, the files are written anew, and searched again. A child process reads
them (see `resight.gallery.store.reading`).

A purge is safe against `kill -9`. The deletion and the list of what is deleted are one transaction; from then on no search finds
it. The list stays until all copies are gone, and whoever purges, takes or restores a snapshot next finishes first.
"""

from __future__ import annotations

import itertools
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from resight.errors import GalleryDamagedError, GalleryError, StorageError
from resight.gallery.sighting import Where
from resight.gallery.store import database
from resight.gallery.store.interface import Removal
from resight.gallery.store.reading import Reader
from resight.gallery.store.traces import Traces, telling_part
from resight.progress import Progress, silent

__all__ = ["PARTIAL", "copies", "databases", "finish", "purge"]

PARTIAL = ".*.partial*"
"""Pattern of the names of files that are being written."""

_BATCH = 1000  # sightings that are searched for at a time: some 4 MB of bytes
_SOME = 1000  # pieces of a file that are enough to know
_UNPROVED = ""  # stands in the list of what is deleted until the search of the bytes has ended


def purge(folder: Path, where: Where, *, progress: Progress = silent) -> Removal:
    """Delete sightings from a gallery and from its snapshots, and prove it.

    Parameters
    ----------
    folder : Path
    where : Where
        Asked of the gallery and of each snapshot, which may know other identities; what is deleted from the gallery is deleted from
        every snapshot in any case.
    progress : Progress

    Returns
    -------
    Removal

    Raises
    ------
    GalleryError
        If a snapshot is damaged, or bytes are left.
    StorageError
        If a file cannot be written; then what was deleted stays deleted, and the next purge finishes this one.
    """
    path = folder / database.FILE
    with database.opened(path) as connection, database.alone(folder):
        finish(folder, connection)
        ids = _matching(connection, path, where)
        removed, copies, files = 0, 0, databases(folder)
        for start in range(0, max(len(ids), 1), _BATCH):
            batch = ids[start : start + _BATCH]
            contents = _contents(connection, batch)
            with database.transaction(connection, write=True):
                removed += database.delete(connection, batch)
                connection.executemany("INSERT OR IGNORE INTO erasure VALUES (?)", [(id,) for id in [*batch, _UNPROVED]])
            copies += _purge_snapshots(folder, batch, where if start == 0 else None, contents)
            files = _prove(folder, connection, batch, contents)
            progress("purging", min(start + _BATCH, len(ids)), len(ids))
    return Removal(
        removed=removed,
        removed_from_snapshots=copies,
        files=len(files),
        bytes=database.bytes_of(files),
        proved=True,
        note="copies of the folder made by others, and backups of the disk, are not reached",
    )


def copies(folder: Path, where: Where) -> set[str]:
    """Ids that a purge would reach in snapshots, and those that an interrupted one has left.

    Raises
    ------
    GalleryDamagedError
        If a snapshot is damaged.
    """
    live, *others = databases(folder)
    with database.opened(live) as connection:
        ids = set(_pending(connection))
    for path in others:
        with database.opened(path, journal="DELETE") as connection:
            ids.update(_matching(connection, path, where))
    return ids


def finish(folder: Path, connection: sqlite3.Connection) -> None:
    """Finish a purge that was interrupted, if there is one, as whoever is `alone` with a gallery begins.

    What it deleted is not known any more, so all files are written anew.
    """
    if pending := _pending(connection):
        ids = [id for id in pending if id != _UNPROVED]
        _purge_snapshots(folder, ids, None, set())
        _rewrite(folder, connection)
        _forget(connection, folder, pending)


def _pending(connection: sqlite3.Connection) -> list[str]:
    """What was deleted by a purge that has not ended."""
    return [id for (id,) in connection.execute("SELECT id FROM erasure")]


def databases(folder: Path) -> list[Path]:
    """The gallery's own file, and its snapshots by name."""
    return [folder / database.FILE, *sorted((folder / database.SNAPSHOTS).glob("*.sqlite"))]


def _purge_snapshots(folder: Path, ids: list[str], where: Where | None, contents: set[bytes]) -> int:
    """Delete from all snapshots what has one of the ids, or is meant by `where`; its contents are added to `contents`."""
    for file in [*folder.rglob(PARTIAL), *_orphans(folder)]:  # what killed processes left
        file.unlink(missing_ok=True)
    deleted = 0
    for path in databases(folder)[1:]:
        try:
            with database.opened(path, journal="DELETE") as connection:
                meant = sorted({*ids, *(_matching(connection, path, where) if where else ())})
                contents |= _contents(connection, meant)
                with database.transaction(connection, write=True):
                    deleted += database.delete(connection, meant)
                    # Something is written in any case: then SQLite removes the journal that a killed process left, with old pages.
                    database.write_state(connection, 0, renew=True)
        except GalleryDamagedError as error:
            raise GalleryError(
                f"{path} is damaged, and nothing can be purged from it; delete it, then run the purge again"
            ) from error
    return deleted


def _orphans(folder: Path) -> list[Path]:
    """Journals of snapshots that somebody deleted."""
    files = (folder / database.SNAPSHOTS).glob("*.sqlite-*")
    return [file for file in files if not file.with_name(file.name.rpartition("-")[0]).exists()]


def _prove(folder: Path, connection: sqlite3.Connection, ids: list[str], contents: set[bytes]) -> list[Path]:
    """Search all files of the folder for contents and ids, and write the galleries anew if any is found; what was searched."""
    _forget(connection, folder, ids)
    traces, names = Traces({*contents, *(id.encode() for id in ids)}), "".join(ids).encode()
    if found := _search(folder, traces, names, some=1):
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
            _rewrite(folder, connection)
            rewritten = True
        found = _search(folder, traces, names)
    _forget(connection, folder, [_UNPROVED])
    return _files(folder)


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.is_file())


def _search(folder: Path, traces: Traces, names: bytes, *, some: int = _SOME) -> dict[Path, set[bytes]]:
    """Return some of the pieces that are left in files; an audit log in the folder may name ids that are gone."""
    files = _files(folder)
    own = {file for path in databases(folder) for file in path.parent.glob(f"{path.name}*")}
    found = {}
    try:
        for file in files:
            with Reader() as reader:  # which ends with the first pieces
                left = traces.left(reader.chunks(file))
                if pieces := set(itertools.islice((piece for piece in left if file in own or piece not in names), some)):
                    found[file] = pieces
        return found
    except OSError as error:
        what = error.filename or files[0].parent
        raise StorageError(f"cannot read {what}: {error.strerror or error}; make it readable, then run it again") from error


def _forget(connection: sqlite3.Connection, folder: Path, ids: list[str]) -> None:
    """Take ids off the list of what is deleted, and leave nothing in the log."""
    with database.transaction(connection, write=True):
        connection.execute("DELETE FROM erasure WHERE id IN (SELECT value FROM json_each(?))", (json.dumps(ids),))
    database.truncate_log(connection, folder / database.FILE)


def _rewrite(folder: Path, connection: sqlite3.Connection) -> None:
    connection.execute("VACUUM")
    database.truncate_log(connection, folder / database.FILE)
    for path in databases(folder)[1:]:
        with database.opened(path, journal="DELETE") as snapshot:
            snapshot.execute("VACUUM")


def _matching(connection: sqlite3.Connection, path: Path, where: Where) -> list[str]:
    if where == Where(ids=where.ids) and where.ids is not None:  # what is damaged can be deleted, too
        asked = json.dumps(sorted(where.ids))
        return [
            id for (id,) in connection.execute("SELECT id FROM sighting WHERE id IN (SELECT value FROM json_each(?))", (asked,))
        ]
    with database.transaction(connection):
        return [record.id for record in database.read_records(connection, path) if where.holds(record)]


def _contents(connection: sqlite3.Connection, ids: list[str]) -> set[bytes]:
    """Vectors and pixels of sightings, as they are stored."""
    return set(
        _blobs(
            connection,
            "WHERE number IN (SELECT number FROM sighting WHERE id IN (SELECT value FROM json_each(?)))",
            json.dumps(ids),
        )
    )


def _survivors(folder: Path) -> Iterator[bytes]:
    """Vectors, pixels and ids of all that is left, in the gallery and its snapshots."""
    for path in databases(folder):
        with database.opened(path, journal="WAL" if path.parent == folder else "DELETE") as connection:
            yield from (id.encode() for (id,) in connection.execute("SELECT id FROM sighting"))
            yield from _blobs(connection)


def _blobs(connection: sqlite3.Connection, condition: str = "", *parameters: str) -> Iterator[bytes]:
    yield from (content for (content,) in connection.execute(f"SELECT embedding FROM vector {condition}", parameters))
    for (jpeg,) in connection.execute(f"SELECT jpeg FROM thumbnail {condition}", parameters):
        yield telling_part(jpeg)
