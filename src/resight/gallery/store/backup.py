"""Backups: one file that holds a whole gallery, from a folder or a database, and becomes either again in another place.

The file is that of a gallery in a folder. No purge reaches it.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from resight.configuration import to_dict
from resight.errors import ConfigurationError, GalleryDamagedError, GalleryError, StorageError
from resight.files import create_private, sync_folder
from resight.gallery.settings import Settings
from resight.gallery.sighting import Sighting
from resight.gallery.store import database, purge, reserve, schema, stored
from resight.gallery.store.database import OLDEST
from resight.gallery.store.migrate import migrate_file
from resight.gallery.store.precision import encode_vectors
from resight.gallery.store.snapshot import copied
from resight.gallery.store.sqlite import SqliteStore
from resight.gallery.store.verify import verify_file

__all__ = ["back_up_folder", "back_up_sightings", "sightings_in", "unpack", "unpacked"]

_CHUNK = 1000


def back_up_folder(folder: Path, file: Path) -> int:
    """Copy a gallery in a folder to a file, as it is at this moment; return the number of sightings.

    Raises
    ------
    ConfigurationError
        If the file exists, or would be in a gallery's folder.
    GalleryDamagedError
        If the gallery is damaged. Then there is no backup.
    StorageError
        If the file cannot be written. No part of it is left.
    """
    _check_new(file)
    purge.check_links(folder)
    with database.opened(folder / database.FILE) as connection, database.alone(folder):
        purge.finish(folder, connection)
        with copied(connection, file) as partial:
            return _keep(partial, file)


def back_up_sightings(settings: Settings, parts: Iterator[list[Sighting]], file: Path) -> int:
    """Write a gallery in a database to a file; see `back_up_folder`."""
    _check_new(file)
    partial = file.with_name(f".{file.name}.{os.getpid()}.partial")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        partial.unlink(missing_ok=True)
        schema.make_file(partial, to_dict(settings))
        with database.opened(partial, "DELETE") as connection, database.transaction(connection, write=True):
            for some in parts:
                for sighting in some:
                    (data,) = encode_vectors(sighting.embedding[None], settings.precision)
                    stored.insert(connection, sighting, data)
                stored.write_state(connection, len(some))
        return _keep(partial, file)
    except OSError as error:
        raise StorageError(f"cannot write {file}: {error.strerror or error}; free space, then run it again") from error
    finally:
        for left in partial.parent.glob(f"{partial.name}*"):
            left.unlink(missing_ok=True)


def unpack(file: Path, folder: Path) -> int:
    """Make a gallery in a folder from a backup, whole or not at all; return the number of sightings.

    Raises
    ------
    ConfigurationError
        If there is no such file, or the folder would be in that of another gallery.
    GalleryError
        If there is something in the folder.
    GalleryDamagedError
        If the backup is damaged. Then nothing is made.
    StorageError
        If the folder cannot be written. Then nothing is made either.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise GalleryError(f"{folder} is not empty; name a new folder for the gallery of a backup")
    database.check_outside(folder)
    with unpacked(file, folder.parent) as made:
        count = _count(made / database.FILE)
        try:
            create_private(made / database.LOCK)
            reserve.keep(made)
            sync_folder(made)
            os.replace(made, folder)
            sync_folder(folder.parent)
        except OSError as error:
            raise StorageError(f"cannot write {folder}: {error.strerror or error}; choose another folder") from error
    return count


@contextlib.contextmanager
def unpacked(file: Path, place: Path) -> Iterator[Path]:
    """Copy a backup into a folder in `place`, of the present version and checked. It is removed at the end of the block."""
    if not file.is_file():
        raise ConfigurationError(f"there is no backup {file}; expected a file from `resight gallery backup`")
    try:
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".resight-", suffix=".partial", dir=place, ignore_cleanup_errors=True) as made:
            folder = Path(made)
            path = folder / database.FILE
            # Only SQLite may read the file: somebody could name that of a gallery which this process has open.
            with database.opened(file, None, OLDEST) as backup, copied(backup, path) as partial:
                os.replace(partial, path)
            migrate_file(path)
            if problems := verify_file(path):
                raise GalleryDamagedError(f"the backup {file} is damaged: {problems[0].replace(str(path), str(file))}")
            # Numbers of rows begin again where the backup left off; nobody may take them for those of another gallery.
            with database.opened(path, "DELETE") as connection, database.transaction(connection, write=True):
                stored.write_state(connection, 0, renew=True)
            yield folder
    except OSError as error:
        raise StorageError(f"cannot write {place}: {error.strerror or error}; free space, then run it again") from error


def sightings_in(folder: Path) -> tuple[Settings, Iterator[list[Sighting]]]:
    """Read settings, and all sightings in the order of their enrolment, in parts; for a database, which stores float32."""
    store = SqliteStore(folder)
    ids = [record.id for record in store.records()]

    def parts() -> Iterator[list[Sighting]]:
        with contextlib.closing(store):
            for start in range(0, len(ids), _CHUNK):
                yield list(store.get(ids[start : start + _CHUNK]).values())

    return replace(store.settings, precision="float32"), parts()


def _check_new(file: Path) -> None:
    if file.exists():
        raise ConfigurationError(f"{file} exists already; name another file")
    database.check_outside(file)


def _keep(partial: Path, file: Path) -> int:
    """Check a backup that was written, and give it its name; return the number of its sightings."""
    if problems := verify_file(partial):
        raise GalleryDamagedError(f"no backup was made: {problems[0]}; see `resight gallery verify`")
    count = _count(partial)
    os.replace(partial, file)
    sync_folder(file.parent)
    return count


def _count(path: Path) -> int:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return stored.read_state(connection)[0]
