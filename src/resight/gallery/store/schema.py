"""The tables of a gallery's SQLite file, and a new, empty one."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path
from typing import Any

from resight.errors import GalleryError, StorageError
from resight.files import create_private, sync_folder
from resight.gallery.store import reserve
from resight.gallery.store.database import APPLICATION, LOCK, VERSION, check_outside, translated
from resight.gallery.store.stored import new_revision, write_kept

__all__ = ["STEPS", "create", "make_file"]

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
CREATE INDEX by_tracklet ON sighting (tracklet);
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


STEPS = {2: ("CREATE INDEX by_tracklet ON sighting (tracklet)",)}
"""Statements that lead from a version of the tables to the next; see `resight.gallery.store.migrate`."""


def create(path: Path, settings: dict[str, Any]) -> None:
    """Make an empty gallery, whole or not at all.

    Raises `GalleryError` if there is one, `ConfigurationError` if another one's folder is around it, and `StorageError`.
    """
    if path.exists():
        raise GalleryError(f"{path.parent} is a gallery already; add to it, or choose another folder")
    check_outside(path.parent)
    partial = path.with_name(f".{path.name}.partial")
    with translated(path):
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            partial.unlink(missing_ok=True)
            # Faces are nobody else's business, also in a folder that others may enter; SQLite makes its other files as private.
            make_file(partial, settings)
            with contextlib.suppress(FileExistsError):
                create_private(path.with_name(LOCK))
            os.replace(partial, path)
            sync_folder(path.parent)
            reserve.keep(path.parent)
        except OSError as error:
            raise StorageError(f"cannot write {path}: {error.strerror or error}; choose another folder") from error


def make_file(path: Path, settings: dict[str, Any]) -> None:
    """Make the file of an empty gallery, which nobody else may read. Raises `OSError`, also if it is there."""
    create_private(path)
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.executescript(_SCHEMA)
        connection.execute("INSERT INTO state VALUES (1, 0, ?)", (new_revision(),))
        write_kept(connection, "settings", settings)
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
    finally:
        connection.close()
