"""Backlogs: parcels that wait on disk, the oldest first, until they are delivered. Their size is bounded."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from resight.errors import ConfigurationError, StorageError
from resight.files import create_private, locked
from resight.gallery.remote.parcel import Parcel
from resight.gallery.sighting import from_microseconds, to_microseconds

__all__ = ["Backlog", "Waiting"]

_FILE, _LOCK = "backlog.sqlite", "backlog.lock"
_VERSION = 1
_SCHEMA = f"""
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA secure_delete = ON;
CREATE TABLE IF NOT EXISTS kept (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS parcel (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, put INTEGER NOT NULL, time INTEGER,
    about TEXT NOT NULL, embedding BLOB NOT NULL, strip BLOB NOT NULL, refused INTEGER NOT NULL DEFAULT 0
) STRICT;
PRAGMA user_version = {_VERSION};
"""
_OVERHEAD = 512  # bytes of a row beside its vector and its strip
_BYTES = f"length(embedding) + length(strip) + {_OVERHEAD}"


class Waiting(NamedTuple):
    """A parcel that waits.

    Attributes
    ----------
    number : int
        Rises with every parcel.
    put : datetime
        Time since which it waits; UTC.
    parcel : Parcel
    """

    number: int
    put: datetime
    parcel: Parcel


class Backlog:
    """Parcels in a folder, which no other process uses meanwhile. Threads may share it.

    What `put` has taken is on the disk, and stays there until `remove`; a killed process loses none of it. Files are private.

    Parameters
    ----------
    folder : Path
        Made if it does not exist.
    most : int
        Bytes of all parcels together.

    Raises
    ------
    ConfigurationError
        If another process uses the folder.
    StorageError
        If it cannot be written, or another version of Resight wrote it.
    """

    def __init__(self, folder: Path, most: int) -> None:
        self.folder, self._most = folder, most
        self._path = folder / _FILE
        self._lock = threading.RLock()
        self._stack = contextlib.ExitStack()
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._stack.enter_context(locked(folder / _LOCK, private=True))
            with contextlib.suppress(FileExistsError):
                create_private(self._path)
        except BlockingIOError:
            raise ConfigurationError(f"another watcher uses the backlog {folder}; name another folder by --backlog") from None
        except OSError as error:
            raise StorageError(f"cannot write {folder}: {error.strerror or error}; name another folder by --backlog") from error
        try:
            with self._use() as connection:
                (version,) = connection.execute("PRAGMA user_version").fetchone()
                if version not in (0, _VERSION):
                    way_out = "deliver it with that one, or name another folder by --backlog"
                    raise StorageError(f"{self._path} was written by another version of Resight; {way_out}")
                connection.executescript(_SCHEMA)
                connection.execute("UPDATE parcel SET refused = 0")
                self._bytes = int(connection.execute(f"SELECT coalesce(sum({_BYTES}), 0) FROM parcel").fetchone()[0])
        except BaseException:
            self.close()
            raise

    def __len__(self) -> int:
        """Return the number of parcels that wait, without those that were refused."""
        with self._use() as connection:
            return int(connection.execute("SELECT count(*) FROM parcel WHERE refused = 0").fetchone()[0])

    def has_room(self, parcel: Parcel) -> bool:
        """Tell if a parcel fits in."""
        with self._lock:
            return self._bytes + _size(parcel) <= self._most

    def put(self, parcel: Parcel) -> None:
        """Take a parcel; one that waits already is not taken twice. Raises `StorageError`."""
        about = {name: getattr(parcel, name) for name in ("name", "camera", "source", "seconds", "model_sha256")}
        time = None if parcel.time is None else to_microseconds(parcel.time)
        row = (parcel.id, to_microseconds(datetime.now(UTC)), time, json.dumps(about))
        with self._use() as connection:
            done = connection.execute(
                "INSERT OR IGNORE INTO parcel (id, put, time, about, embedding, strip) VALUES (?, ?, ?, ?, ?, ?)",
                (*row, parcel.embedding.astype("<f4").tobytes(), parcel.strip),
            )
            self._bytes += _size(parcel) if done.rowcount else 0

    def first(self) -> Waiting | None:
        """Return the parcel that has waited longest; None if none waits."""
        with self._use() as connection:
            row = connection.execute(
                "SELECT number, put, time, about, embedding, strip FROM parcel WHERE refused = 0 ORDER BY number LIMIT 1"
            ).fetchone()
        if row is None:
            return None
        number, put, time, about, embedding, strip = row
        parcel = Parcel(
            **json.loads(about),
            time=None if time is None else from_microseconds(time),
            embedding=np.frombuffer(embedding, "<f4").astype(np.float32),
            strip=strip,
        )
        return Waiting(number, from_microseconds(put), parcel)

    def remove(self, number: int) -> None:
        """Forget a parcel, for example because it was delivered."""
        with self._use() as connection:
            size = connection.execute(f"DELETE FROM parcel WHERE number = ? RETURNING {_BYTES}", (number,)).fetchone()
            self._bytes -= size[0] if size else 0

    def set_aside(self, number: int) -> None:
        """Keep a parcel that was refused out of the way, until the backlog is opened again."""
        with self._use() as connection:
            connection.execute("UPDATE parcel SET refused = 1 WHERE number = ?", (number,))

    def drop_oldest(self) -> bool:
        """Remove the parcel that has waited longest, refused or not; return False if there is none."""
        with self._use() as connection:
            row = connection.execute("SELECT min(number) FROM parcel").fetchone()
            if row[0] is not None:
                self.remove(row[0])
            return row[0] is not None

    def keep(self, name: str, value: Any) -> None:
        """Keep a JSON value under a name."""
        with self._use() as connection:
            connection.execute("INSERT OR REPLACE INTO kept VALUES (?, ?)", (name, json.dumps(value)))

    def kept(self, name: str) -> Any:
        """Return the JSON value under a name; None if there is none."""
        with self._use() as connection:
            row = connection.execute("SELECT value FROM kept WHERE name = ?", (name,)).fetchone()
        return None if row is None else json.loads(row[0])

    def close(self) -> None:
        """Close the files."""
        with self._lock:
            self._stack.close()

    @contextlib.contextmanager
    def _use(self) -> Iterator[sqlite3.Connection]:
        """Give the connection; it is opened at the first use."""
        with self._lock:
            try:
                if not hasattr(self, "_connection"):
                    self._connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
                    self._stack.callback(self._connection.close)
                yield self._connection
            except sqlite3.Error as error:
                way_out = "free space, or name another folder by --backlog"
                raise StorageError(f"cannot use the backlog {self._path}: {error}; {way_out}") from error


def _size(parcel: Parcel) -> int:
    return parcel.embedding.nbytes + len(parcel.strip) + _OVERHEAD
