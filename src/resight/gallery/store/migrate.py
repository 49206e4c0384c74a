"""Migration of a gallery's folder from an older version of its tables.

Each file is changed in one transaction, after every byte of it was checked in its new form. The snapshots come first and the
gallery itself last: until then it is of the old version. A killed migration leaves every file in one of the two versions, and the
next one goes on with those that are left.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from resight.errors import GalleryDamagedError, StorageError
from resight.gallery.store import database, proof, purge
from resight.gallery.store.database import OLDEST, VERSION
from resight.gallery.store.schema import STEPS
from resight.gallery.store.verify import verify_connection
from resight.progress import Progress, silent

__all__ = ["migrate", "migrate_file"]


def migrate(folder: Path, *, progress: Progress = silent) -> tuple[int, int]:
    """Bring a gallery and its snapshots to the present version.

    Parameters
    ----------
    folder : Path
    progress : Progress

    Returns
    -------
    tuple of (int, int)
        Version of the gallery before, and number of files that were changed.

    Raises
    ------
    GalleryError
        If there is no gallery, or its version is newer, or too old.
    GalleryDamagedError
        If a file is damaged. It stays as it is.
    StorageError
        If another process has the gallery open, or there is no space. The file stays as it is.
    """
    live, *snapshots = proof.databases(folder)
    purge.check_links(folder)
    with database.translated(live), _alone(live) as connection, database.alone(folder):
        version = _version(connection)
        changed = 0
        for number, path in enumerate(snapshots):
            changed += migrate_file(path)
            progress("migrating", number + 1, len(snapshots) + 1)
        changed += _migrate(connection, live)
        progress("migrating", len(snapshots) + 1, len(snapshots) + 1)
    return version, changed


def migrate_file(path: Path) -> bool:
    """Bring one file that nobody else has open to the present version; return whether it was older. See `migrate`."""
    with database.translated(path):
        connection = database.connect(path, journal="DELETE", oldest=OLDEST)
        try:
            return _migrate(connection, path)
        finally:
            connection.close()


@contextlib.contextmanager
def _alone(live: Path) -> Iterator[sqlite3.Connection]:
    """Open the gallery's file for the length of a block in which no other process has it open."""
    connection = database.connect(live, oldest=OLDEST)
    try:
        connection.execute("PRAGMA busy_timeout = 2000")
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        if not _leave_log(connection):
            raise StorageError(f"another process has {live} open; stop the service and its commands, then run it again")
        with database.transaction(connection, write=True):
            connection.execute(f"PRAGMA user_version = {_version(connection)}")  # a first write, which locks all others out
        yield connection
    finally:
        connection.close()


def _leave_log(connection: sqlite3.Connection) -> bool:
    """Leave the write-ahead log, which SQLite does only if no other connection is open; return whether it did."""
    try:
        return bool(connection.execute("PRAGMA journal_mode = DELETE").fetchone()[0] == "delete")
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorname", "").startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            return False
        raise


def _migrate(connection: sqlite3.Connection, path: Path) -> bool:
    version = _version(connection)
    if version == VERSION:
        return False
    with database.transaction(connection, write=True):
        for number in range(version, VERSION):
            for statement in STEPS[number]:
                connection.execute(statement)
        if problems := verify_connection(connection, path):
            raise GalleryDamagedError(f"{problems[0]}; nothing was changed; see `resight gallery verify`")
        connection.execute(f"PRAGMA user_version = {VERSION}")
    return True


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
