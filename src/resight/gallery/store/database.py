"""The SQLite file of a gallery: its schema, its checksums, and SQLite's errors in our words."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import sqlite3
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

from resight.errors import GalleryDamagedError, GalleryError, StorageError
from resight.files import create_private, sync_folder
from resight.gallery.sighting import Record, Sighting
from resight.gallery.store import reserve
from resight.gallery.store.interface import check_version
from resight.gallery.store.rows import COLUMNS, Row, blob_crc, record_of, row_crc, row_of

__all__ = [
    "FILE",
    "LOCK",
    "SNAPSHOTS",
    "Files",
    "alone",
    "bytes_of",
    "check_ids",
    "check_row",
    "check_unmoved",
    "connect",
    "create",
    "damaged",
    "delete",
    "files_of",
    "find_records",
    "insert",
    "log_of",
    "missing",
    "moved",
    "opened",
    "outdated",
    "read_kept",
    "read_records",
    "read_state",
    "transaction",
    "translated",
    "truncate_log",
    "write_identity",
    "write_kept",
    "write_state",
]

FILE, SNAPSHOTS = "gallery.sqlite", "snapshots"
"""In a gallery's folder: the record of truth, and the folder of its copies."""

LOCK = "gallery.lock"
"""Beside it; holds nothing. See `alone`."""

Files = tuple[os.stat_result | None, os.stat_result | None]

_APPLICATION, _VERSION = 0x52534754, 2
_PATIENCE = 60.0  # seconds to wait while another process writes

# Searches, purges and checks read whole tables: a damaged row does not match its checksum, and a missing row not the count. Only
# lists and statistics use the indexes and the tally; `verify` finds damage of those. `revision` changes with everything but
# additions. `erasure` lists what is deleted while copies of it may be left (see `resight.gallery.store.purge`).
_SCHEMA = """
CREATE TABLE kept (name TEXT PRIMARY KEY, value TEXT NOT NULL, crc INTEGER NOT NULL) STRICT;
CREATE TABLE state (one INTEGER PRIMARY KEY CHECK (one = 1), count INTEGER NOT NULL, revision INTEGER NOT NULL) STRICT;
CREATE TABLE sighting (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    camera TEXT NOT NULL,
    time INTEGER,
    enrolled INTEGER NOT NULL,
    source TEXT NOT NULL,
    tracklet TEXT NOT NULL,
    identity TEXT NOT NULL,
    crc INTEGER NOT NULL
) STRICT;
CREATE TABLE vector (
    number INTEGER PRIMARY KEY REFERENCES sighting ON DELETE CASCADE, embedding BLOB NOT NULL, crc INTEGER NOT NULL
) STRICT;
CREATE TABLE thumbnail (
    number INTEGER PRIMARY KEY REFERENCES sighting ON DELETE CASCADE, jpeg BLOB NOT NULL, crc INTEGER NOT NULL
) STRICT;
CREATE TABLE erasure (id TEXT PRIMARY KEY) STRICT;
CREATE INDEX by_time ON sighting (coalesce(time, 9223372036854775807), id);
CREATE INDEX by_camera ON sighting (camera, coalesce(time, 9223372036854775807), id);
CREATE INDEX by_identity ON sighting (identity, coalesce(time, 9223372036854775807), id);
CREATE INDEX by_age ON sighting (min(coalesce(time, enrolled), enrolled));
CREATE TABLE tally (
    camera TEXT NOT NULL, identity TEXT NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (camera, identity)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER tally_added AFTER INSERT ON sighting BEGIN
    INSERT INTO tally VALUES (new.camera, new.identity, 1) ON CONFLICT (camera, identity) DO UPDATE SET count = count + 1;
END;
CREATE TRIGGER tally_removed AFTER DELETE ON sighting BEGIN
    UPDATE tally SET count = count - 1 WHERE camera = old.camera AND identity = old.identity;
    DELETE FROM tally WHERE camera = old.camera AND identity = old.identity AND count = 0;
END;
CREATE TRIGGER tally_labelled AFTER UPDATE OF camera, identity ON sighting BEGIN
    UPDATE tally SET count = count - 1 WHERE camera = old.camera AND identity = old.identity;
    DELETE FROM tally WHERE camera = old.camera AND identity = old.identity AND count = 0;
    INSERT INTO tally VALUES (new.camera, new.identity, 1) ON CONFLICT (camera, identity) DO UPDATE SET count = count + 1;
END;
"""


@contextlib.contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn SQLite's errors about a file into `StorageError` and `GalleryDamagedError`."""
    try:
        yield
    except UnicodeDecodeError as error:  # of a name in a damaged schema
        raise damaged(path, "its structure cannot be read") from error
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "")
        if name.startswith(("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_READONLY", "SQLITE_CANTOPEN")):
            message = f"cannot write {path}: {error}; free space or make it writable, then run it again"
            raise StorageError(message) from error
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            raise StorageError(f"{path} is in use by another process; run it again") from error
        if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_ERROR", "SQLITE_MISMATCH")) or "decode" in str(error):
            raise damaged(path, str(error)) from error
        raise


def damaged(path: Path, what: str) -> GalleryDamagedError:
    """The error for a damaged file."""
    return GalleryDamagedError(f"{path} is damaged: {what}; see `resight gallery verify`, then restore a snapshot")


def missing(folder: Path) -> GalleryError:
    """The error for a folder without a gallery."""
    return GalleryError(f"{folder}: no gallery here; make one with `resight gallery create`")


def create(path: Path, settings: dict[str, Any]) -> None:
    """Make an empty gallery, whole or not at all. Raises `GalleryError` if there is one, and `StorageError`."""
    if path.exists():
        raise GalleryError(f"{path.parent} is a gallery already; add to it, or choose another folder")
    partial = path.with_name(f".{path.name}.partial")
    with translated(path):
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            partial.unlink(missing_ok=True)
            # Faces are nobody else's business, also in a folder that others may enter; SQLite makes its other files as private.
            create_private(partial)
            connection = sqlite3.connect(partial, isolation_level=None)
            try:
                connection.executescript(_SCHEMA)
                connection.execute("INSERT INTO state VALUES (1, 0, ?)", (_revision(),))
                write_kept(connection, "settings", settings)
                connection.execute(f"PRAGMA application_id = {_APPLICATION}")
                connection.execute(f"PRAGMA user_version = {_VERSION}")
            finally:
                connection.close()
            with contextlib.suppress(FileExistsError):
                create_private(path.with_name(LOCK))
            os.replace(partial, path)
            sync_folder(path.parent)
            reserve.keep(path.parent)
        except OSError as error:
            raise StorageError(f"cannot write {path}: {error.strerror or error}; choose another folder") from error


def log_of(path: Path) -> Path:
    """The write-ahead log of a gallery's file."""
    return path.with_name(f"{path.name}-wal")


def connect(path: Path, *, journal: str = "WAL") -> sqlite3.Connection:
    """Open a gallery's file; if it or its folder cannot be written, only for reading.

    If nobody writes at this moment, such a reader sees the gallery as it is now and stays so, see `outdated`.

    Parameters
    ----------
    path : Path
    journal : str
        ``"WAL"``, or ``"DELETE"`` for a file that nobody else has open, such as a snapshot.

    Raises
    ------
    GalleryError
        If there is none, if it is no gallery, or of a newer version.
    GalleryDamagedError, StorageError
    """
    if not path.is_file():
        raise missing(path.parent)
    writable = os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)
    mode = "mode=rw" if writable else "mode=ro"
    if not writable and not log_of(path).exists():
        mode += "&immutable=1"  # without it, SQLite wants to write a file beside it
    with translated(path):
        connection = sqlite3.connect(
            f"{path.resolve().as_uri()}?{mode}", uri=True, timeout=_PATIENCE, isolation_level=None, check_same_thread=False
        )
        try:
            application, version = (
                connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
            )
            if application != _APPLICATION:
                raise damaged(path, "its header is not that of a gallery")
            check_version(path, version, _VERSION)
            if writable:
                connection.execute(f"PRAGMA journal_mode = {journal}")
            for setting in ("synchronous = FULL", "foreign_keys = ON", "secure_delete = ON"):
                connection.execute(f"PRAGMA {setting}")
        except BaseException:
            connection.close()
            raise
    return connection


def files_of(path: Path) -> Files:
    """The two files that a connection has open: the gallery's file and its log. SQLite keeps both as long as it is open."""
    return _status(path), _status(log_of(path))


def outdated(path: Path, opened: Files) -> bool:
    """Return whether a gallery that was opened only for reading, while nobody wrote, was written to since."""
    (file, log), now = opened, files_of(path)
    if file is None or log is not None:
        return False
    same = now[0] is not None and (file.st_ino, file.st_size, file.st_mtime_ns) == (
        now[0].st_ino,
        now[0].st_size,
        now[0].st_mtime_ns,
    )
    return not same or now[1] is not None


def moved(path: Path, opened: Files) -> list[str]:
    """One problem if somebody removed or replaced a file that a connection has open, which loses what it writes; else empty."""
    pairs = zip(opened, files_of(path), strict=True)
    if all(then is None or (now is not None and os.path.samestat(then, now)) for then, now in pairs):
        return []
    return [f"{path} or its log was removed or replaced while it was open; restart the program that has it open"]


def check_unmoved(path: Path, opened: Files) -> None:
    """Raises `StorageError` if there is such a problem."""
    if problems := moved(path, opened):
        raise StorageError(problems[0])


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def bytes_of(files: Iterable[Path]) -> int:
    """Bytes of all those files that are still there."""
    return sum(status.st_size for status in map(_status, files) if status is not None)


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Purges, snapshots and restorations exclude each other; a killed process lets go. Raises `StorageError` after a minute."""
    lock = folder / LOCK
    with contextlib.ExitStack() as stack:
        with translated(lock):
            connection = sqlite3.connect(lock, timeout=_PATIENCE, isolation_level=None)
            stack.callback(connection.close)
            connection.execute("BEGIN EXCLUSIVE")
        yield


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection, *, write: bool = False) -> Iterator[None]:
    """All or nothing, seen at one moment; on the disk when it ends."""
    connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def truncate_log(connection: sqlite3.Connection, path: Path) -> None:
    """Move everything into the file itself, and leave nothing in the write-ahead log. Raises `StorageError` if others read on."""
    if connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
        raise StorageError(f"another process keeps {path} from being cleaned up; stop it and run it again")


def insert(connection: sqlite3.Connection, sighting: Sighting, embedding: bytes) -> bool:
    """Add one sighting, its vector as stored; False if it is there already."""
    row = row_of(sighting)
    cursor = connection.execute(
        f"INSERT INTO sighting ({COLUMNS}, crc) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING", (*row, row_crc(row))
    )
    if not cursor.rowcount:
        return False
    for table, content in (("vector", embedding), ("thumbnail", sighting.thumbnail)):
        values = (cursor.lastrowid, content, blob_crc(sighting.id, content))
        connection.execute(f"INSERT INTO {table} VALUES (?, ?, ?)", values)
    return True


def delete(connection: sqlite3.Connection, ids: list[str]) -> int:
    """Delete sightings with their vectors and thumbnails, and tell whoever has them in memory; how many there were."""
    cursor = connection.execute("DELETE FROM sighting WHERE id IN (SELECT value FROM json_each(?))", (json.dumps(ids),))
    if cursor.rowcount:
        write_state(connection, -cursor.rowcount, renew=True)
    return cursor.rowcount


def read_state(connection: sqlite3.Connection) -> tuple[int, int]:
    """How many sightings there are, and the revision."""
    count, revision = connection.execute("SELECT count, revision FROM state").fetchone() or (-1, -1)
    return count, revision


def write_state(connection: sqlite3.Connection, more: int, *, renew: bool = False) -> None:
    """Count so many more sightings; with `renew`, tell everybody that there is more to it than additions."""
    connection.execute("UPDATE state SET count = count + ?", (more,))
    if renew:
        connection.execute("UPDATE state SET revision = ?", (_revision(),))


def read_records(connection: sqlite3.Connection, path: Path) -> Iterator[Record]:
    """All records in the order of their enrolment, checked; within a `transaction`. Raises `GalleryDamagedError`."""
    found = 0
    for record in _records(connection, path, ""):
        found += 1
        yield record
    count, _ = read_state(connection)
    if found != count:
        raise damaged(path, f"it holds {found} sightings and should hold {count}")


def find_records(connection: sqlite3.Connection, path: Path, ids: Iterable[str]) -> list[Record]:
    """Those of some ids, in the order of their enrolment, checked. Raises `GalleryDamagedError`."""
    asked = set(ids)
    found = list(_records(connection, path, "WHERE id IN (SELECT value FROM json_each(?))", json.dumps(list(asked))))
    check_ids(connection, path, asked - {record.id for record in found})
    return found


def check_ids(connection: sqlite3.Connection, path: Path, missing: Collection[str]) -> None:
    """Raises `GalleryDamagedError` if ids were not found because the index of ids leaves them out."""
    everywhere = "SELECT id FROM sighting NOT INDEXED WHERE id IN (SELECT value FROM json_each(?))"
    if missing and connection.execute(everywhere, (json.dumps(list(missing)),)).fetchone():
        raise damaged(path, "its index of ids leaves sightings out")


def _records(connection: sqlite3.Connection, path: Path, condition: str, *parameters: str) -> Iterator[Record]:
    for *row, crc in connection.execute(f"SELECT {COLUMNS}, crc FROM sighting {condition} ORDER BY number", parameters):
        check_row(tuple(row), crc, path)
        yield record_of(tuple(row))


def check_row(row: Row, crc: int, path: Path) -> None:
    """Raises `GalleryDamagedError` if a sighting's row does not fit its checksum."""
    if row_crc(row) != crc:
        raise damaged(path, f"the record of sighting {row[0]} does not fit its checksum")


def write_identity(connection: sqlite3.Connection, record: Record) -> None:
    """Change the identity of a sighting to the record's."""
    values = (record.identity, row_crc(row_of(record)), record.id)
    connection.execute("UPDATE sighting SET identity = ?, crc = ? WHERE id = ?", values)


def write_kept(connection: sqlite3.Connection, name: str, value: Any) -> None:
    """Keep a JSON value under a name."""
    text = json.dumps(value, allow_nan=False)
    connection.execute("INSERT OR REPLACE INTO kept VALUES (?, ?, ?)", (name, text, blob_crc(name, text.encode())))


def read_kept(connection: sqlite3.Connection, path: Path, name: str) -> Any:
    """The JSON value under a name; None if there is none. Raises `GalleryDamagedError`."""
    row = connection.execute("SELECT value, crc FROM kept WHERE name = ?", (name,)).fetchone()
    if row is None:
        return None
    if not isinstance(row[0], str) or blob_crc(name, row[0].encode()) != row[1]:
        raise damaged(path, f"{name!r} does not fit its checksum")
    return json.loads(row[0])


def _revision() -> int:
    return secrets.randbits(62)


@contextlib.contextmanager
def opened(path: Path, journal: str = "WAL") -> Iterator[sqlite3.Connection]:
    """A connection for the length of a block; what SQLite raises inside becomes a `GalleryError`, see `translated`."""
    with translated(path):
        connection = connect(path, journal=journal)
        try:
            yield connection
        finally:
            connection.close()
