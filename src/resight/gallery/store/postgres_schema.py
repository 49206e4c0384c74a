"""The tables of a gallery in PostgreSQL, connections to them, and the server's errors in our words."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import psycopg
from psycopg.conninfo import conninfo_to_dict

from resight.configuration import configure, to_dict
from resight.errors import ConfigurationError, GalleryDamagedError, GalleryError, StorageError
from resight.gallery.settings import Settings
from resight.gallery.store.interface import check_version
from resight.gallery.store.postgres_index import build_index

__all__ = ["OLDEST", "TALLY", "VERSION", "connect", "create", "migrate", "translated"]

VERSION, OLDEST = 6, 3
"""Version of the tables, and the oldest that can be migrated."""

_LIVELY: dict[str, str | int] = {
    "application_name": "resight",
    "connect_timeout": 10,  # seconds, as the others but the last
    "keepalives_idle": 20,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,  # milliseconds
}
_MOST_NUMBERS = 16_000  # in a vector that pgvector stores

_AUDIT = "CREATE TABLE resight.audit (number bigint PRIMARY KEY, line text NOT NULL);"

# A vector in its row is read faster than one beside it. One of more than 1000 numbers would leave much of a page empty.
_INLINE = """
DO $$ BEGIN
    IF (SELECT atttypmod FROM pg_attribute WHERE attrelid = 'resight.sighting'::regclass AND attname = 'embedding') <= 1000 THEN
        ALTER TABLE resight.sighting ALTER COLUMN embedding SET STORAGE PLAIN;
    END IF;
END $$;
"""

_SCHEMA = f"""
CREATE EXTENSION IF NOT EXISTS vector;
CREATE SCHEMA resight;
CREATE TABLE resight.kept (name text PRIMARY KEY, value text NOT NULL);
CREATE TABLE resight.sighting (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text NOT NULL UNIQUE,
    camera text NOT NULL,
    time bigint,
    enrolled bigint NOT NULL,
    source text NOT NULL,
    tracklet text NOT NULL,
    identity text NOT NULL,
    crc bigint NOT NULL,
    embedding vector({{dimension}}) NOT NULL,
    embedding_crc bigint NOT NULL,
    thumbnail bytea NOT NULL,
    thumbnail_crc bigint NOT NULL
);
CREATE INDEX ON resight.sighting (coalesce(time, 9223372036854775807), id);
CREATE INDEX ON resight.sighting (camera, coalesce(time, 9223372036854775807), id);
CREATE INDEX ON resight.sighting (identity, coalesce(time, 9223372036854775807), id);
CREATE INDEX ON resight.sighting (least(time, enrolled));
CREATE INDEX ON resight.sighting (tracklet);
CREATE TABLE resight.tally (camera text NOT NULL, identity text NOT NULL, count bigint NOT NULL);
CREATE FUNCTION resight.settle() RETURNS void LANGUAGE sql AS $$
    WITH several AS (DELETE FROM resight.tally RETURNING *) INSERT INTO resight.tally
        SELECT camera, identity, sum(count) FROM several GROUP BY camera, identity HAVING sum(count) <> 0;
$$;
CREATE FUNCTION resight.add_up() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO resight.tally SELECT camera, identity, count(*) FROM added GROUP BY camera, identity;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        INSERT INTO resight.tally SELECT camera, identity, -count(*) FROM removed GROUP BY camera, identity;
    END IF;
    IF random() < 0.002 AND pg_try_advisory_xact_lock(5395260951170019188) THEN
        PERFORM resight.settle();
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER added AFTER INSERT ON resight.sighting
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION resight.add_up();
CREATE TRIGGER removed AFTER DELETE ON resight.sighting
    REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION resight.add_up();
CREATE TRIGGER labelled AFTER UPDATE ON resight.sighting
    REFERENCING OLD TABLE AS removed NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION resight.add_up();
{_AUDIT}
{_INLINE}
"""
# Rows of one camera and identity in `tally` add up to their number: those who enrol at once need not wait for each other. Now and
# then, one statement in 500 replaces them by their sums.
TALLY = "SELECT camera, identity, sum(count)::bigint AS count FROM resight.tally GROUP BY camera, identity HAVING sum(count) <> 0"


_STEPS = {3: "CREATE INDEX ON resight.sighting (tracklet)", 4: _AUDIT, 5: _INLINE}
"""Statements that lead from a version of the tables to the next. The next purge puts older vectors into their rows."""

_PATIENCE = 2.0  # seconds for a program that is ending: the server notices a little later

_OTHERS = """
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
    AND backend_type = 'client backend' AND (application_name = 'resight' OR query LIKE '%resight.%')
"""


def create(location: str, settings: Settings, fill: Callable[[psycopg.Connection], None] = lambda connection: None) -> None:
    """Make a gallery in a database, whole or not at all: the tables, and what `fill` puts into them.

    Raises
    ------
    ConfigurationError
        If PostgreSQL cannot store such vectors.
    GalleryError
        If there is a gallery already, or pgvector is missing.
    """
    if settings.precision != "float32":
        raise ConfigurationError(f"PostgreSQL stores float32, not {settings.precision}; leave the precision out")
    if settings.dimension > _MOST_NUMBERS:
        raise ConfigurationError(f"vectors of {settings.dimension} numbers; pgvector stores at most {_MOST_NUMBERS}")
    connection = connect(location)
    try:
        with translated(), connection.transaction():
            if connection.execute("SELECT to_regnamespace('resight')").fetchone() != (None,):
                raise GalleryError("this database has a gallery already; add to it, or name another database")
            connection.execute(_SCHEMA.format(dimension=int(settings.dimension)).encode())
            for name, value in (("settings", to_dict(settings)), ("version", VERSION)):
                connection.execute("INSERT INTO resight.kept VALUES (%s, %s)", (name, json.dumps(value)))
            fill(connection)
            if settings.hnsw:
                build_index(connection, settings)
            connection.execute("ANALYZE resight.sighting")
    finally:
        connection.close()


def migrate(location: str, check: Callable[[psycopg.Connection], list[str]], hnsw: int | None = None) -> tuple[int, int]:
    """Bring a gallery to the present version, in one transaction, which a killed process leaves undone.

    Parameters
    ----------
    location : str
    check : callable
        Names damage before anything is kept.
    hnsw : int, optional
        New value of this setting. The index is built or dropped accordingly.

    Returns
    -------
    tuple of (int, int)
        Version before, and 1 if it was older or has another setting now, or 0.

    Raises
    ------
    GalleryError
        If there is no gallery, its version is newer or too old, or others use it.
    GalleryDamagedError
        If it is damaged. Nothing is changed.
    """
    connection = connect(location)
    try:
        with translated(), connection.transaction():
            connection.execute("LOCK TABLE resight.kept IN ACCESS EXCLUSIVE MODE")  # nobody opens it meanwhile
            row = connection.execute("SELECT value FROM resight.kept WHERE name = 'version'").fetchone()
            version = None if row is None else json.loads(row[0])
            kept = connection.execute("SELECT value FROM resight.kept WHERE name = 'settings'").fetchone()
            settings = configure(Settings, json.loads(kept[0]) if kept else {}, source="the gallery's settings")
            wanted = settings if hnsw is None else replace(settings, hnsw=hnsw)
            if version == VERSION and wanted == settings:
                return VERSION, 0
            if not isinstance(version, int) or not OLDEST <= version <= VERSION:
                check_version("the gallery in this database", version, VERSION, OLDEST)
                raise GalleryError("the gallery in this database has no version; restore a backup")
            end = time.monotonic() + _PATIENCE
            while connection.execute(_OTHERS).fetchone() != (0,):
                if time.monotonic() > end:
                    raise GalleryError("other programs use the gallery in this database; stop the services, then run it again")
                time.sleep(0.1)
                connection.execute("SELECT pg_stat_clear_snapshot()")  # otherwise a transaction sees the same ones again
            for number in range(version, VERSION):
                connection.execute(_STEPS[number].encode())
            if wanted.hnsw and not settings.hnsw:
                build_index(connection, wanted)
            elif not wanted.hnsw:
                connection.execute("DROP INDEX IF EXISTS resight.nearest")
            if problems := check(connection):
                raise GalleryDamagedError(f"{problems[0]}; nothing was changed; see `resight gallery verify`")
            for name, value in (("settings", to_dict(wanted)), ("version", VERSION)):
                connection.execute("UPDATE resight.kept SET value = %s WHERE name = %s", (json.dumps(value), name))
            return version, 1
    finally:
        connection.close()


def connect(location: str) -> psycopg.Connection:
    """Connect to a database. A server that does not answer any more is noticed within a minute."""
    with translated():
        return psycopg.connect(location, autocommit=True, **_LIVELY | conninfo_to_dict(location))  # type: ignore[arg-type]


@contextmanager
def translated() -> Iterator[None]:
    """Turn the server's errors into ours, without the location, which holds a password."""
    try:
        yield
    except (psycopg.errors.DiskFull, psycopg.errors.ReadOnlySqlTransaction) as error:
        raise StorageError(f"the database cannot be written: {_line(error)}; free space, then run it again") from error
    except (psycopg.errors.InvalidSchemaName, psycopg.errors.UndefinedTable) as error:
        raise GalleryError("this database has no gallery; make one with `resight gallery create`") from error
    except psycopg.Error as error:
        raise GalleryError(f"the database says: {_line(error)}; see that it runs, has pgvector, and grants the rights") from error


def _line(error: psycopg.Error) -> str:
    return " ".join(str(error).split())
