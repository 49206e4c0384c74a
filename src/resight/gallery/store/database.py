"""Opening a gallery's SQLite file: connections, transactions, locks, and SQLite's errors in our words."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

from resight.errors import ConfigurationError, GalleryDamagedError, GalleryError, StorageError
from resight.gallery.store.interface import check_version

__all__ = [
    "APPLICATION",
    "FILE",
    "LOCK",
    "OLDEST",
    "SNAPSHOTS",
    "VERSION",
    "Files",
    "alone",
    "bytes_of",
    "check_outside",
    "check_unmoved",
    "connect",
    "damaged",
    "files_of",
    "log_of",
    "missing",
    "moved",
    "opened",
    "outdated",
    "transaction",
    "translated",
    "truncate_log",
]

FILE, SNAPSHOTS = "gallery.sqlite", "snapshots"
"""In a gallery's folder: the record of truth, and the folder of its copies."""

LOCK = "gallery.lock"
"""Empty file beside it, which `alone` locks."""

Files = tuple[os.stat_result | None, os.stat_result | None]

APPLICATION, VERSION, OLDEST = 0x52534754, 3, 2
"""Marks of the file, by which SQLite tells a gallery and its version; and the oldest version that can be migrated."""

_PATIENCE = 60.0  # seconds to wait while another process writes


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
    """Make the error for a damaged file."""
    return GalleryDamagedError(f"{path} is damaged: {what}; see `resight gallery verify`, then restore a snapshot")


def missing(folder: Path) -> GalleryError:
    """Make the error for a folder without a gallery."""
    return GalleryError(f"{folder}: no gallery here; make one with `resight gallery create`")


def check_outside(path: Path) -> None:
    """Raise `ConfigurationError` for a path in a gallery's folder, where a copy would make the proof of a purge false."""
    for folder in path.resolve().parents:
        if (folder / FILE).is_file():
            raise ConfigurationError(f"{path} is in the folder of the gallery {folder}, whose purges do not reach it; name another")


def log_of(path: Path) -> Path:
    """Return the path of a file's write-ahead log."""
    return path.with_name(f"{path.name}-wal")


def connect(path: Path, *, journal: str | None = "WAL", oldest: int = VERSION) -> sqlite3.Connection:
    """Open a gallery's file; only for reading, if that is asked for, or if it or its folder cannot be written.

    If nobody has it open for writing, a connection for reading goes on seeing this state. `outdated` tells when to open it again.

    Parameters
    ----------
    path : Path
    journal : str
        ``"WAL"``, or ``"DELETE"`` for a file that nobody else has open, such as a snapshot. None only reads.
    oldest : int
        Oldest version that is opened.

    Raises
    ------
    GalleryError
        If there is no gallery, or another version of Resight wrote it.
    GalleryDamagedError, StorageError
    """
    if not path.is_file():
        raise missing(path.parent)
    writable = journal is not None and os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)
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
            if application != APPLICATION:
                raise damaged(path, "its header is not that of a gallery")
            if not oldest <= version <= VERSION:
                check_version(path, version, VERSION, OLDEST)
            if writable:
                connection.execute(f"PRAGMA journal_mode = {journal}")
            for setting in ("synchronous = FULL", "foreign_keys = ON", "secure_delete = ON"):
                connection.execute(f"PRAGMA {setting}")
        except BaseException:
            connection.close()
            raise
    return connection


def files_of(path: Path) -> Files:
    """Return the states of the two files that a connection has open: the gallery's file and its log."""
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
    """Describe it if somebody removed or replaced a file that a connection has open; what it writes then is lost."""
    pairs = zip(opened, files_of(path), strict=True)
    if all(then is None or (now is not None and os.path.samestat(then, now)) for then, now in pairs):
        return []
    return [f"{path} or its log was removed or replaced while it was open; restart the program that has it open"]


def check_unmoved(path: Path, opened: Files) -> None:
    """Raise `StorageError` if somebody removed or replaced a file that a connection has open."""
    if problems := moved(path, opened):
        raise StorageError(problems[0])


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def bytes_of(files: Iterable[Path]) -> int:
    """Add up the sizes of files, in bytes; those that are gone count nothing."""
    return sum(status.st_size for status in map(_status, files) if status is not None)


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep other purges, snapshots and restorations out for the length of a block. Raises `StorageError` after a minute.

    The lock ends with its process, however that ends.
    """
    lock = folder / LOCK
    with contextlib.ExitStack() as stack:
        with translated(lock):
            connection = sqlite3.connect(lock, timeout=_PATIENCE, isolation_level=None)
            stack.callback(connection.close)
            connection.execute("BEGIN EXCLUSIVE")
        yield


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection, *, write: bool = False) -> Iterator[None]:
    """Run a block as one transaction: all or nothing of it is done, and it is on the disk when the block ends."""
    connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def truncate_log(connection: sqlite3.Connection, path: Path) -> None:
    """Move everything into the file itself, and empty the write-ahead log. Raises `StorageError` while others read from it."""
    if connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
        raise StorageError(f"another process keeps {path} from being cleaned up; stop it and run it again")


@contextlib.contextmanager
def opened(path: Path, journal: str | None = "WAL", oldest: int = VERSION) -> Iterator[sqlite3.Connection]:
    """Open a connection for the length of a block, in which SQLite's errors are `translated`."""
    with translated(path):
        connection = connect(path, journal=journal, oldest=oldest)
        try:
            yield connection
        finally:
            connection.close()
