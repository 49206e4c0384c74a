"""A gallery in one folder: SQLite is the record of truth, and an exact index in memory follows it."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resight.configuration import configure, to_dict
from resight.datasets.names import nfc
from resight.errors import ConfigurationError, GalleryError, StorageError
from resight.files import locked
from resight.gallery.search.index import SearchIndex
from resight.gallery.settings import Settings
from resight.gallery.sighting import EVERYTHING, Record, Sighting, Where
from resight.gallery.store import database, listing, proof, purge, schema, stored
from resight.gallery.store.interface import Camera, Removal, Summary, check_queries, check_sightings, check_text
from resight.gallery.store.precision import decode_vectors, encode_vectors
from resight.memory import overwrite_freed_memory
from resight.progress import Progress, silent

__all__ = ["SqliteStore"]

_CHUNK = 8192  # rows that are read or written at a time


class SqliteStore:
    """A `Store` in a folder.

    What one process adds or removes, the others see at their next call: SQLite tells each of them that something changed, and it
    reads what is new. So do processes that may only read.

    Parameters
    ----------
    folder : Path
        Made by `SqliteStore.create`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / database.FILE
        self._reader = database.connect(self.path)
        self._reading, self._writing = threading.RLock(), threading.RLock()  # who needs both takes the second one first
        self._writer: sqlite3.Connection | None = None
        self._claims, self._claimed, self._closed = ExitStack(), set[str](), False
        self._files: database.Files = None, None
        try:
            with self._read() as connection:
                settings = stored.read_kept(connection, self.path, "settings")
            self.settings = configure(Settings, settings or {}, source=str(self.path))
            self._files = database.files_of(self.path)  # reading from it has made the log, too
        except (ConfigurationError, TypeError) as error:
            self.close()
            raise database.damaged(self.path, f"its settings cannot be used ({error})") from error
        except BaseException:
            self.close()
            raise
        self._memory = SearchIndex(self.settings.dimension, self.settings.distance)
        self._seen: tuple[int, int] | None = None  # SQLite's data version, and the revision
        self._last = 0  # the highest number in memory

    @classmethod
    def create(cls, folder: Path, settings: Settings) -> SqliteStore:
        """Make an empty gallery in a folder. Raises `GalleryError` if there is one, `ConfigurationError` and `StorageError`."""
        if settings.hnsw:
            raise ConfigurationError("a gallery in a folder is searched exactly; leave --hnsw out, or name a database")
        schema.create(folder / database.FILE, to_dict(settings))
        return cls(folder)

    def __len__(self) -> int:
        with self._read() as connection:
            return stored.read_state(connection)[0]

    def add(self, sightings: Sequence[Sighting]) -> int:
        """See `Store`."""
        vectors = check_sightings(sightings, self.settings.dimension)
        encoded = encode_vectors(vectors, self.settings.precision)
        with self._write() as connection:
            added = sum(stored.insert(connection, *pair) for pair in zip(sightings, encoded, strict=True))
            stored.write_state(connection, added)
        return added

    def present(self, ids: Iterable[str]) -> set[str]:
        """See `Store`."""
        with self._read() as connection:
            asked = json.dumps(list(ids))
            rows = connection.execute("SELECT id FROM sighting WHERE id IN (SELECT value FROM json_each(?))", (asked,))
            return {id for (id,) in rows}

    def get(self, ids: Iterable[str]) -> dict[str, Sighting]:
        """See `Store`."""
        with self._read() as connection, database.transaction(connection):
            return stored.read_sightings(connection, self.path, ids, self.settings)

    def records(self, where: Where = EVERYTHING) -> list[Record]:
        """See `Store`."""
        if where.ids is not None:
            with self._read() as connection, database.transaction(connection):
                return list(filter(where.holds, stored.find_records(connection, self.path, where.ids)))
        if where.tracklets is not None:
            with self._read() as connection, database.transaction(connection):
                return list(filter(where.holds, stored.find_tracklets(connection, self.path, where.tracklets)))
        connection = database.connect(self.path)  # of its own, so that nobody waits for it
        try:
            with database.translated(self.path), database.transaction(connection):
                return list(filter(where.holds, stored.read_records(connection, self.path)))
        finally:
            connection.close()

    def page(self, where: Where, limit: int, after: Record | None = None) -> list[Record]:
        """See `Store`."""
        with self._read() as connection, database.transaction(connection):
            return listing.find_page(connection, self.path, where, limit, after)

    def summary(self, cameras: frozenset[str] | None, older_than: datetime | None, newer_than: datetime) -> Summary:
        """See `Store`."""
        with self._read() as connection, database.transaction(connection):
            seen, identities, unlabelled = listing.summarise(connection, self.path, cameras)
            future = listing.find_new(connection, cameras, newer_than)
        expired = purge.expired(self.folder, cameras, older_than) if older_than is not None else set()
        return Summary(cameras=seen, identities=identities, unlabelled=unlabelled, expired=len(expired), future=len(future))

    def cameras(self) -> dict[str, Camera]:
        """See `Store`."""
        with self._read() as connection:
            self._refresh(connection)
        return self._memory.cameras()

    def search(
        self, vectors: NDArray[np.float32], k: int, where: Where = EVERYTHING
    ) -> tuple[NDArray[np.str_], NDArray[np.float32]]:
        """See `Store`."""
        queries = check_queries(vectors, k, self.settings.dimension)
        among = None
        if where != Where(cameras=where.cameras, since=where.since, until=where.until):
            among = {record.id for record in self.records(where)}
        with self._read() as connection:
            self._refresh(connection)
        return self._memory.search(queries, k, where, among)

    def label(self, ids: Iterable[str], identity: str, was: Mapping[str, str] | None = None) -> int:
        """See `Store`."""
        check_text("identity", identity)
        with self._write() as connection:
            found = stored.read_sightings(connection, self.path, ids, self.settings)
            if was is not None:
                found = {id: sighting for id, sighting in found.items() if sighting.identity == was.get(id)}
            for sighting in found.values():
                stored.write_identity(connection, replace(sighting, identity=nfc(identity)))
        return len(found)

    def names(self) -> tuple[set[str], set[str]]:
        """See `Store`."""
        with self._read() as connection:
            rows = connection.execute("SELECT camera, identity FROM tally").fetchall()
        for path in proof.databases(self.folder)[1:]:
            with database.opened(path, journal="DELETE") as snapshot:
                rows += snapshot.execute("SELECT camera, identity FROM tally").fetchall()
        return {camera for camera, _ in rows}, {identity for _, identity in rows}

    def copies(self, where: Where) -> set[str]:
        """See `Store`."""
        return purge.copies(self.folder, where)

    def remove(self, where: Where, *, progress: Progress = silent) -> Removal:
        """See `Store`; from the file and from all snapshots, which is then proved (see `resight.gallery.store.purge`)."""
        removal = purge.purge(self.folder, where, progress=progress)
        with self._read() as connection:  # nothing of it stays in memory until the next search
            if self._seen is not None:
                self._refresh(connection)
        self._reconnect()
        return removal

    def _reconnect(self) -> None:
        """Connect anew, because what SQLite keeps for each connection may hold parts of what was deleted."""
        overwrite_freed_memory()  # of which the new connection is made
        with self._writing, self._reading, database.translated(self.path):
            old = self._reader, self._writer
            self._reader, self._writer, self._seen = database.connect(self.path), None, self._seen and (-1, self._seen[1])
            stored.read_state(self._reader)  # which keeps the log in use while the old ones are closed
            for connection in filter(None, old):
                connection.close()

    def claim(self, work: str) -> bool:
        """See `Store`."""
        with self._writing:
            if work not in self._claimed:
                lock = self.folder / f"{work}.lock"
                try:
                    self._claims.enter_context(locked(lock, private=True))
                except BlockingIOError:
                    return False
                except OSError as error:
                    raise StorageError(f"cannot write {lock}: {error.strerror or error}; make the folder writable") from error
                self._claimed.add(work)
        return True

    def kept(self, name: str) -> Any:
        """See `Store`."""
        with self._read() as connection:
            return stored.read_kept(connection, self.path, name)

    def keep(self, name: str, value: Any) -> None:
        """See `Store`."""
        with self._write() as connection:
            stored.write_kept(connection, name, value)

    def close(self) -> None:
        """See `Store`."""
        self._closed = True
        for connection in filter(None, (self._reader, self._writer)):
            connection.close()
        self._claimed.clear()
        self._claims.close()

    @contextmanager
    def _read(self) -> Iterator[sqlite3.Connection]:
        with self._reading, database.translated(self.path):
            self._check_open()
            if database.outdated(self.path, self._files):
                self._reader.close()
                self._reader = database.connect(self.path)
                stored.read_state(self._reader)  # which finds the log
                self._files = database.files_of(self.path)
                self._seen = None if self._seen is None else (-1, self._seen[1])
            database.check_unmoved(self.path, self._files)
            yield self._reader

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        with self._writing, database.translated(self.path):
            self._check_open()
            if self._writer is None:
                self._writer = database.connect(self.path)
            with database.transaction(self._writer, write=True):
                database.check_unmoved(self.path, self._files)
                yield self._writer

    def _check_open(self) -> None:
        if self._closed:
            raise GalleryError("the gallery is closed; open it again by Gallery.open")

    def _refresh(self, connection: sqlite3.Connection) -> None:
        """Bring the memory up to the file, if that has changed."""
        (version,) = connection.execute("PRAGMA data_version").fetchone()
        if self._seen is not None and self._seen[0] == version:
            return
        with database.transaction(connection):
            count, revision = stored.read_state(connection)
            condition, parameter = " WHERE number > ?", str(self._last)
            if self._seen is not None and self._seen[1] != revision:
                numbers = dict(connection.execute("SELECT id, number FROM sighting").fetchall())
                # One with a higher number is new here, also if memory has its id: it was purged, and added again.
                self._memory.remove_all_but({id for id, number in numbers.items() if number <= self._last})
                self._last = max(numbers.values(), default=0)
                missing = numbers.keys() - self._memory.ids()
                condition = " WHERE number IN (SELECT value FROM json_each(?))"
                parameter = json.dumps([numbers[id] for id in missing])
            self._load(connection, condition, parameter, count - len(self._memory))
            if len(self._memory) != count:
                raise database.damaged(self.path, f"it holds {len(self._memory)} sightings and should hold {count}")
        self._seen = version, revision

    def _load(self, connection: sqlite3.Connection, condition: str, parameter: str, count: int) -> None:
        """Take rows into memory, each checked; `count` is how many to expect."""
        rows = connection.execute(stored.WHOLE.format("", condition) + " ORDER BY number", (parameter,))
        ids: list[str] = []
        cameras: list[str] = []
        times: list[int | None] = []
        vectors = np.empty((max(count, 0), self.settings.dimension), np.float32)
        while several := rows.fetchmany(_CHUNK):
            for row in several:
                stored.check_row(row[:7], row[7], self.path)
                stored.check_blob("vector", row[0], row[8], row[9], self.path)
            if len(ids) + len(several) > len(vectors):
                break  # the count is wrong, which our caller says
            decoded = decode_vectors([row[8] for row in several], self.settings.precision, self.settings.dimension)
            vectors[len(ids) : len(ids) + len(several)] = decoded
            ids += [row[0] for row in several]
            cameras += [row[1] for row in several]
            times += [row[2] for row in several]
        if len(set(ids)) < len(ids):
            raise database.damaged(self.path, "a sighting is there twice")
        (last,) = connection.execute("SELECT max(number) FROM sighting").fetchone()
        self._last = max(self._last, last or 0)
        self._memory.add(ids, cameras, times, vectors[: len(ids)])
