"""A gallery in a PostgreSQL database with the extension pgvector, for many machines at once.

The server proposes the nearest, from all vectors or from an HNSW index (see `resight.gallery.store.postgres_search`). Tables are in
the schema ``resight``: one gallery in one database.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any

import numpy as np
import psycopg
from numpy.typing import NDArray

from resight.configuration import configure
from resight.datasets.names import nfc
from resight.errors import GalleryError
from resight.gallery.settings import Settings, future_from
from resight.gallery.sighting import EVERYTHING, Record, Sighting, Where, to_microseconds
from resight.gallery.store.interface import Camera, Removal, Summary, check_queries, check_text, check_version
from resight.gallery.store.postgres_index import find_index_damage
from resight.gallery.store.postgres_purge import ERASURE, purge
from resight.gallery.store.postgres_rows import (
    CHUNK,
    checked_record,
    condition_of,
    count_sightings,
    describe_camera,
    find_damage,
    get_sightings,
    insert_sightings,
)
from resight.gallery.store.postgres_schema import OLDEST, TALLY, VERSION, connect, create, migrate, translated
from resight.gallery.store.postgres_search import check_distance, search_exactly, search_index
from resight.gallery.store.rows import COLUMNS, KEY, LATE, Row, add_up, row_crc, row_of
from resight.progress import Progress, silent

__all__ = ["PostgresStore"]


class PostgresStore:
    """A `Store` in a database.

    Parameters
    ----------
    location : str
        ``postgresql://USER:PASSWORD@HOST/DATABASE``, where `PostgresStore.create` made a gallery.
    """

    def __init__(self, location: str) -> None:
        self._location = location
        self._connection = connect(location)
        self._lock = threading.RLock()
        try:
            settings = self.kept("settings")
            check_version("the gallery in this database", self.kept("version"), VERSION, OLDEST)
            self.settings = configure(Settings, settings, source="the gallery's settings")
            check_distance(self.settings.distance)
        except BaseException:
            self.close()
            raise

    @classmethod
    def create(cls, location: str, settings: Settings, sightings: Iterable[Sequence[Sighting]] = ()) -> PostgresStore:
        """Make a gallery in a database, empty or with sightings that are given in parts; whole or not at all.

        Raises `GalleryError` if there is one, or pgvector is missing.
        """
        check_distance(settings.distance)

        def fill(connection: psycopg.Connection) -> None:
            for some in sightings:
                insert_sightings(connection, some, settings.dimension)

        create(location, settings, fill)
        return cls(location)

    def __len__(self) -> int:
        with self._use() as connection:
            return int(connection.execute("SELECT coalesce(sum(count), 0) FROM resight.tally").fetchone()[0])  # type: ignore[index]

    def add(self, sightings: Sequence[Sighting]) -> int:
        """See `Store`."""
        with self._use() as connection, connection.transaction():
            return insert_sightings(connection, sightings, self.settings.dimension)

    def everything(self) -> Iterator[list[Sighting]]:
        """Read all sightings in the order of their enrolment, in parts, as they are at one moment."""
        after, query = 0, "SELECT number, id FROM resight.sighting WHERE number > %s ORDER BY number LIMIT %s"
        with self._use() as connection, connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            while rows := connection.execute(query, (after, CHUNK)).fetchall():
                after = rows[-1][0]
                yield list(get_sightings(connection, [id for _, id in rows]).values())

    def present(self, ids: Iterable[str]) -> set[str]:
        """See `Store`."""
        with self._use() as connection:
            return {id for (id,) in connection.execute("SELECT id FROM resight.sighting WHERE id = ANY(%s)", (list(ids),))}

    def get(self, ids: Iterable[str]) -> dict[str, Sighting]:
        """See `Store`."""
        with self._use() as connection:
            return get_sightings(connection, list(ids))

    def records(self, where: Where = EVERYTHING) -> list[Record]:
        """See `Store`."""
        condition, parameters = condition_of(where)
        with self._use() as connection:
            rows = connection.execute(
                f"SELECT {COLUMNS}, crc FROM resight.sighting{condition} ORDER BY number".encode(), parameters
            )
            return [checked_record(row) for row in rows]

    def page(self, where: Where, limit: int, after: Record | None = None) -> list[Record]:
        """See `Store`."""
        condition, parameters = condition_of(where)
        if after is not None:
            condition += f"{' AND' if condition else ' WHERE'} ({KEY}, id) > (%s, %s)"
            parameters += [LATE if after.time is None else to_microseconds(after.time), after.id]
        with self._use() as connection:
            rows = connection.execute(
                f"SELECT {COLUMNS}, crc FROM resight.sighting{condition} ORDER BY {KEY}, id LIMIT %s".encode(),
                [*parameters, limit],
            )
            return [checked_record(row) for row in rows]

    def summary(self, cameras: frozenset[str] | None, older_than: datetime | None, newer_than: datetime) -> Summary:
        """See `Store`."""
        with self._use() as connection, connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            counts, identities, unlabelled = add_up(connection.execute(TALLY.encode()), cameras)
            seen = {camera: describe_camera(connection, camera, number) for camera, number in counts.items()}
            future = count_sightings(connection, Where(cameras=cameras, newer_than=newer_than))
            old = None if older_than is None else Where(cameras=cameras, older_than=older_than)
            expired = 0 if old is None else count_sightings(connection, old)
        return Summary(cameras=seen, identities=identities, unlabelled=unlabelled, expired=expired, future=future)

    def cameras(self) -> dict[str, Camera]:
        """See `Store`."""
        return self.summary(None, None, future_from()).cameras

    def search(
        self, vectors: NDArray[np.float32], k: int, where: Where = EVERYTHING
    ) -> tuple[NDArray[np.str_], NDArray[np.float32]]:
        """See `Store`."""
        queries = check_queries(vectors, k, self.settings.dimension)
        search = search_index if self.settings.hnsw else search_exactly
        with self._use() as connection, connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            each = [search(connection, query, k, where, self.settings) for query in queries]
        return (
            np.array([ids for ids, _ in each], "U32").reshape(len(queries), -1),
            np.array([distances for _, distances in each], np.float32).reshape(len(queries), -1),
        )

    def label(self, ids: Iterable[str], identity: str, was: Mapping[str, str] | None = None) -> int:
        """See `Store`."""
        check_text("identity", identity)
        identity = nfc(identity)
        with self._use() as connection, connection.transaction():
            rows = connection.execute(
                f"SELECT {COLUMNS}, crc FROM resight.sighting WHERE id = ANY(%s) FOR UPDATE".encode(), (list(ids),)
            ).fetchall()
            found = [record for record in map(checked_record, rows) if was is None or record.identity == was.get(record.id)]
            for record in found:
                row: Row = (*row_of(record)[:6], identity)
                connection.execute(
                    "UPDATE resight.sighting SET identity = %s, crc = %s WHERE id = %s", (identity, row_crc(row), record.id)
                )
        return len(found)

    def names(self) -> tuple[set[str], set[str]]:
        """See `Store`."""
        with self._use() as connection:
            rows = connection.execute(f"SELECT camera, identity FROM ({TALLY}) counted".encode()).fetchall()
        return {camera for camera, _ in rows}, {identity for _, identity in rows}

    def copies(self, where: Where) -> set[str]:
        """See `Store`; of the sightings that a purge deleted which has not ended."""
        return set(self.kept(ERASURE) or ())

    def remove(self, where: Where, *, progress: Progress = silent) -> Removal:
        """See `Store` and `resight.gallery.store.postgres_purge`. The note names what the server keeps elsewhere."""
        return Removal(
            removed=purge(self._location, where, self.settings),
            note="not proved: the server's write-ahead log, replicas and backups keep what they have until they are recycled",
        )

    def kept(self, name: str) -> Any:
        """See `Store`."""
        with self._use() as connection:
            row = connection.execute("SELECT value FROM resight.kept WHERE name = %s", (name,)).fetchone()
        return None if row is None else json.loads(row[0])

    def keep(self, name: str, value: Any) -> None:
        """See `Store`."""
        statement = "INSERT INTO resight.kept VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
        with self._use() as connection:
            connection.execute(statement, (name, json.dumps(value)))

    @staticmethod
    def migrate(location: str, hnsw: int | None = None, *, progress: Progress = silent) -> tuple[int, int]:
        """Bring a gallery to the present version; see `resight.gallery.store.postgres_schema.migrate`."""
        return migrate(location, lambda connection: find_damage(connection, progress), hnsw)

    def problems(self, *, progress: Progress = silent) -> list[str]:
        """Name every damaged sighting; an empty list if there is none."""
        with self._use() as connection:
            return find_damage(connection, progress) + find_index_damage(connection, self.settings)

    def claim(self, work: str) -> bool:
        """See `Store`. Waits a moment for one that is ending."""
        with self._use() as connection, suppress(psycopg.errors.LockNotAvailable), connection.transaction():
            connection.execute("SET LOCAL lock_timeout = '5s'")
            connection.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", (f"resight {work}",))
            return True
        return False

    def close(self) -> None:
        """See `Store`."""
        self._connection.close()

    @contextmanager
    def _use(self) -> Iterator[psycopg.Connection]:
        with self._lock, translated():
            if self._connection.broken:  # the server was started again
                self._connection = connect(self._location)
            elif self._connection.closed:
                raise GalleryError("the gallery is closed; open it again by Gallery.open")
            yield self._connection
