"""Galleries as older versions of Resight made them: their tables, word by word, filled from a gallery of today."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from resight.configuration import to_dict
from resight.gallery import Gallery, Settings, Sighting, upkeep
from resight.gallery.store import database

SQLITE_2 = """
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

POSTGRES_3 = """
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
    embedding vector({dimension}) NOT NULL,
    embedding_crc bigint NOT NULL,
    thumbnail bytea NOT NULL,
    thumbnail_crc bigint NOT NULL
);
CREATE INDEX ON resight.sighting (coalesce(time, 9223372036854775807), id);
CREATE INDEX ON resight.sighting (camera, coalesce(time, 9223372036854775807), id);
CREATE INDEX ON resight.sighting (identity, coalesce(time, 9223372036854775807), id);
CREATE INDEX ON resight.sighting (least(time, enrolled));
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
"""


def age_file(path: Path) -> None:
    """Replace a gallery's file by one of version 2 with the same rows."""
    old = path.with_name("old")
    connection = sqlite3.connect(old, isolation_level=None)
    connection.executescript(SQLITE_2)
    connection.execute("ATTACH ? AS new", (str(path),))
    for table in ("kept", "state", "sighting", "vector", "thumbnail", "erasure"):  # triggers fill the tally
        connection.execute(f"INSERT INTO {table} SELECT * FROM new.{table}")
    connection.execute("DETACH new")
    connection.execute(f"PRAGMA application_id = {database.APPLICATION}")
    connection.execute("PRAGMA user_version = 2")
    connection.close()
    for end in ("-wal", "-shm"):
        path.with_name(path.name + end).unlink(missing_ok=True)
    old.replace(path)


def make_old(location: str, settings: Settings, sightings: Sequence[Sighting], snapshots: Sequence[str] = ()) -> None:
    """Make a gallery of the version that this test froze: 2 in a folder, 3 in a database."""
    if not location.startswith("postgres"):
        with Gallery.create(location, settings) as gallery:
            gallery.add(sightings[: len(sightings) // 2])
            for name in snapshots:
                upkeep.take_snapshot(gallery.folder, name)
            gallery.add(sightings)
        for path in [Path(location) / database.FILE, *(Path(location) / "snapshots").glob("*.sqlite")]:
            age_file(path)
        return
    import psycopg

    from resight.gallery.store.postgres_schema import VERSION

    with psycopg.connect(location, autocommit=True) as connection:
        connection.execute("SET client_min_messages = error")
        connection.execute(POSTGRES_3.format(dimension=settings.dimension).encode())
        for name, value in (("settings", to_dict(settings)), ("version", VERSION)):
            connection.execute("INSERT INTO resight.kept VALUES (%s, %s)", (name, json.dumps(value)))
        with Gallery.open(location) as gallery:
            gallery.add(sightings)
        connection.execute("UPDATE resight.kept SET value = '3' WHERE name = 'version'")


def version_of(path: Path) -> int:
    """Version of a gallery's file."""
    connection = sqlite3.connect(path)
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    connection.close()
    return int(version)
