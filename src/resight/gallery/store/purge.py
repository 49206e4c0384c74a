"""Deletes sightings from a gallery's folder, snapshots included, and proves that nothing of them is left in its files.

A purge is safe against `kill -9`. The deletion and the list of what is deleted are one transaction; from then on no search finds
it. The list stays until all copies are gone. The next purge, snapshot or restoration finishes an interrupted purge first. If pieces
are left in files that are not the gallery's own, the names of these files stay on the list, and every purge names them until the
files are gone.

A full disk does not stop a deletion (see `resight.gallery.store.reserve`). It may stop the proof, which is then left to the next
purge.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from resight.errors import GalleryDamagedError, GalleryError, StorageError
from resight.gallery.sighting import Where
from resight.gallery.store import database, listing, proof, reserve, stored
from resight.gallery.store.interface import Removal
from resight.gallery.store.proof import databases
from resight.progress import Progress, silent

__all__ = ["PARTIAL", "check_links", "copies", "expired", "finish", "links", "note", "noted", "purge"]

PARTIAL = ".*.partial*"
"""Pattern of the names of files that are being written."""

_BATCH = 1000  # sightings that are searched for at a time: some 4 MB of bytes
_UNPROVED = ""  # is in the list of what is deleted until all bytes have been searched


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
        If a snapshot is damaged, there is a link in the folder, or pieces of what this purge or an earlier one deleted are left in
        a file.
    StorageError
        If a file cannot be written, even so little at a time; or if all is deleted, but there is no space to write the files anew,
        or a program reads on. What is deleted stays deleted, and the next purge finishes this one.
    """
    path = folder / database.FILE
    check_links(folder)
    removed, copies, late = 0, 0, ""
    with _space(folder), database.opened(path) as connection, database.alone(folder):
        ids, unfinished = _matching(connection, path, where), bool(_pending(connection))
        blind = proof.strangers(folder) if unfinished else []
        progress("purging", 0, len(ids))
        for start in range(0, max(len(ids), 1), _BATCH):
            batch = ids[start : start + _BATCH]
            contents = proof.contents_of(connection, batch)
            removed += _delete(connection, batch, listed=True)
            try:
                copies += _purge_snapshots(folder, batch, where if start == 0 else None, contents)
                if unfinished and not late:
                    finish(folder, connection, {*batch, _UNPROVED})
                    unfinished = False
                if not late:
                    _prove(folder, connection, batch, contents)
            except StorageError as error:  # go on: the rest can still be deleted
                late = late or str(error)
                with suppress(StorageError), database.translated(path):
                    database.truncate_log(connection, path)  # it may take up all space
            progress("purging", min(start + _BATCH, len(ids)), len(ids))
        left = [] if late else _still_there(folder, connection)
        files = proof.files_of(folder)
    if late:
        raise StorageError(f"{removed} sightings are deleted, but not all of their traces; {late}")
    if left:
        raise _left(left)
    told = "the audit log keeps ids and names; copies of the folder made by others, and backups of the disk, are not reached"
    if blind:
        names = ", ".join(str(file) for file in blind)
        told = f"an interrupted purge is finished, but {names} could not be searched for what it deleted; {told}"
    return Removal(
        removed=removed,
        removed_from_snapshots=copies,
        files=len(files),
        bytes=database.bytes_of(files),
        proved=not blind,
        note=told,
    )


def links(folder: Path) -> list[str]:
    """Name the links in a gallery's folder, which nothing follows: a purge must not miss what is behind them."""
    found = sorted(file for file in folder.rglob("*") if file.is_symlink())
    return [f"{file} is a link, which a purge does not follow; put the file in its place" for file in found]


def check_links(folder: Path) -> None:
    """Raise `GalleryError` if there is a link in a gallery's folder."""
    if found := links(folder):
        raise GalleryError(f"{found[0]}, then run it again")


def copies(folder: Path, where: Where) -> set[str]:
    """Return ids that a purge would reach in snapshots, and those that an interrupted purge has left.

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


def expired(folder: Path, cameras: frozenset[str] | None, older_than: datetime) -> set[str]:
    """Return ids of expired sightings, in the gallery and its snapshots, and those that an interrupted purge has left."""
    live, *others = databases(folder)
    with database.opened(live) as connection:
        ids = listing.find_old(connection, cameras, older_than) | set(_pending(connection))
    for path in others:
        with database.opened(path, journal="DELETE") as connection:
            ids |= listing.find_old(connection, cameras, older_than)
    return ids


def finish(folder: Path, connection: sqlite3.Connection, kept: Collection[str] = ()) -> None:
    """Finish an interrupted purge, if there is one. The caller is `alone` with the gallery.

    Nobody knows any more what it deleted, so all files are written anew. A purge that goes on names by `kept` what must stay on
    the list.
    """
    if pending := _pending(connection):
        ids = [id for id in pending if id != _UNPROVED]
        _purge_snapshots(folder, ids, None, set())
        with database.translated(folder / database.FILE):
            proof.rewrite(folder, connection)
            _forget(connection, folder, [id for id in pending if id not in kept])


def _pending(connection: sqlite3.Connection) -> list[str]:
    """Return the ids that a purge deleted which has not ended."""
    return [id for (id,) in connection.execute("SELECT id FROM erasure") if not id.startswith('"')]


def noted(connection: sqlite3.Connection) -> list[str]:
    """Return the files in which a purge found pieces that it cannot delete, as JSON texts; relative to the gallery's folder."""
    return [text for (text,) in connection.execute("SELECT id FROM erasure") if text.startswith('"')]


def note(connection: sqlite3.Connection, files: list[str]) -> None:
    """Put such files on the list, in a transaction."""
    connection.executemany("INSERT OR IGNORE INTO erasure VALUES (?)", [(text,) for text in files])


def _still_there(folder: Path, connection: sqlite3.Connection) -> list[Path]:
    """Take files that are gone off the list, and return the others."""
    files = {text: folder / json.loads(text) for text in noted(connection)}
    if gone := [text for text, file in files.items() if not file.exists()]:
        _forget(connection, folder, gone)
    return sorted(file for text, file in files.items() if text not in gone)


def _left(files: list[Path]) -> GalleryError:
    names = ", ".join(map(str, files))
    return GalleryError(f"pieces of what was deleted are left in {names}; delete what is not the gallery's own, and run it again")


def _purge_snapshots(folder: Path, ids: list[str], where: Where | None, contents: set[bytes]) -> int:
    """Delete sightings by ids and by filter from all snapshots, and add what they held to `contents`; return their number."""
    for file in [*folder.rglob(PARTIAL), *_orphans(folder)]:  # what killed processes left
        file.unlink(missing_ok=True)
    deleted = 0
    for path in databases(folder)[1:]:
        try:
            with database.opened(path, journal="DELETE") as connection:
                meant = sorted({*ids, *(_matching(connection, path, where) if where else ())})
                contents |= proof.contents_of(connection, meant)
                deleted += _delete(connection, meant, listed=False)
        except GalleryDamagedError as error:
            raise GalleryError(
                f"{path} is damaged, and nothing can be purged from it; delete it, then run the purge again"
            ) from error
    return deleted


def _delete(connection: sqlite3.Connection, ids: list[str], *, listed: bool) -> int:
    """Delete sightings from one file, and return their number. If there is no space to log so much, halve it and try again.

    Something is written in any case. Then SQLite removes the journal with old pages that a killed process left beside a snapshot.
    """
    try:
        with database.transaction(connection, write=True):
            if listed:
                connection.executemany("INSERT OR IGNORE INTO erasure VALUES (?)", [(id,) for id in [*ids, _UNPROVED]])
            else:
                stored.write_state(connection, 0, renew=True)
            return stored.delete(connection, ids)
    except sqlite3.Error as error:
        if len(ids) < 2 or not reserve.is_full(error):
            raise
    half = len(ids) // 2
    deleted = 0
    for some in (ids[:half], ids[half:]):
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        deleted += _delete(connection, some, listed=listed)
    return deleted


def _prove(folder: Path, connection: sqlite3.Connection, ids: list[str], contents: set[bytes]) -> None:
    """Search all files for contents and ids. On the list of what is deleted, foreign files that hold any take the ids' place."""
    with database.translated(folder / database.FILE):
        _forget(connection, folder, ids)
        left = proof.prove(folder, connection, ids, contents)
        foreign = [file for file in left if file not in proof.own_files(folder)]
        with database.transaction(connection, write=True):
            note(connection, [json.dumps(str(file.relative_to(folder))) for file in foreign])
        if len(foreign) < len(left):
            raise _left(left)
        _forget(connection, folder, [_UNPROVED])


@contextmanager
def _space(folder: Path) -> Iterator[None]:
    """Free the reserve for the length of a block."""
    reserve.release(folder)
    try:
        yield
    finally:
        reserve.keep(folder)


def _orphans(folder: Path) -> list[Path]:
    """Return journals of snapshots that somebody deleted."""
    files = (folder / database.SNAPSHOTS).glob("*.sqlite-*")
    return [file for file in files if not file.with_name(file.name.rpartition("-")[0]).exists()]


def _forget(connection: sqlite3.Connection, folder: Path, ids: list[str]) -> None:
    """Take ids off the list of what is deleted, and leave nothing in the log."""
    with database.transaction(connection, write=True):
        connection.execute("DELETE FROM erasure WHERE id IN (SELECT value FROM json_each(?))", (json.dumps(ids),))
    database.truncate_log(connection, folder / database.FILE)


def _matching(connection: sqlite3.Connection, path: Path, where: Where) -> list[str]:
    if where == Where(ids=where.ids) and where.ids is not None:  # then damaged sightings, too
        asked = json.dumps(sorted(where.ids))
        return [
            id for (id,) in connection.execute("SELECT id FROM sighting WHERE id IN (SELECT value FROM json_each(?))", (asked,))
        ]
    with database.transaction(connection):
        return [record.id for record in stored.read_records(connection, path) if where.holds(record)]
