"""Upkeep of whole galleries: snapshots, backups, damage, and migration from older versions.

A location is a folder, or ``postgresql://USER:PASSWORD@HOST/DATABASE``, as for `Gallery.open`. None of these functions needs the
gallery open. Others may have it open too, except during a migration.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from resight.errors import ConfigurationError, GalleryError
from resight.gallery.store import backup, reserve, snapshot
from resight.gallery.store import migrate as migration
from resight.gallery.store import verify as verification
from resight.gallery.store.interface import is_database
from resight.gallery.store.snapshot import Snapshot
from resight.progress import Progress, silent

__all__ = ["back_up", "migrate", "release_reserve", "restore_backup", "restore_snapshot", "take_snapshot", "verify"]


def take_snapshot(location: str | Path, name: str = "") -> Snapshot:
    """Copy a gallery into its own folder, where a purge reaches the copy; see `resight.gallery.store.snapshot`."""
    return snapshot.take_snapshot(_folder(location), name)


def restore_snapshot(location: str | Path, name: str) -> Snapshot:
    """Bring back a snapshot, except for what was purged since; see `resight.gallery.store.snapshot.restore`."""
    return snapshot.restore(_folder(location), name)


def _folder(location: str | Path) -> Path:
    if is_database(location):
        raise GalleryError("snapshots are for galleries in a folder; back up a database by `resight gallery backup`, or by pg_dump")
    return Path(location)


def back_up(location: str | Path, file: str | Path) -> int:
    """Copy a gallery as it is at this moment to a file; return the number of sightings. No purge reaches the file.

    Raises
    ------
    ConfigurationError
        If the file exists, or would be in a gallery's folder.
    GalleryError
        If there is no gallery.
    GalleryDamagedError
        If the gallery is damaged. Then there is no backup.
    StorageError
        If the file cannot be written. No part of it is left.
    """
    if not is_database(location):
        return backup.back_up_folder(Path(location), Path(file))
    from resight.gallery.store.postgres import PostgresStore

    with contextlib.closing(PostgresStore(str(location))) as store:
        return backup.back_up_sightings(store.settings, store.everything(), Path(file))


def restore_backup(file: str | Path, location: str | Path) -> int:
    """Make a gallery from a file of `back_up`, in a new folder or a database without a gallery; return its sightings.

    A gallery from a folder may become one in a database, and the other way round. Purges since the backup are not in it.

    Raises
    ------
    ConfigurationError
        If there is no such file, the folder would be in that of another gallery, or PostgreSQL cannot compute the gallery's
        distance.
    GalleryError
        If there is something in that place already.
    GalleryDamagedError
        If the backup is damaged. Nothing is made then.
    StorageError
        If the place cannot be written. Nothing is made then either.
    """
    if not is_database(location):
        return backup.unpack(Path(file), Path(location))
    from resight.gallery.store.postgres import PostgresStore

    with backup.unpacked(Path(file), Path(file).absolute().parent) as folder:
        settings, parts = backup.sightings_in(folder)
        with contextlib.closing(PostgresStore.create(str(location), settings, parts)) as store:
            return len(store)


def verify(location: str | Path, *, progress: Progress = silent) -> list[str]:
    """Read every byte of a gallery, which may be too damaged to open, and name all damage; an empty list without damage.

    Raises
    ------
    GalleryError
        If there is no gallery.
    """
    if not is_database(location):
        return verification.verify(Path(location), progress=progress)
    from resight.gallery.store.postgres import PostgresStore

    with contextlib.closing(PostgresStore(str(location))) as store:
        return store.problems(progress=progress)


def migrate(location: str | Path, hnsw: int | None = None, *, progress: Progress = silent) -> tuple[int, int]:
    """Bring a gallery that an older Resight wrote to the present version of its tables.

    Parameters
    ----------
    location : str or Path
    hnsw : int, optional
        New value of this setting, for a database: how it is searched (see `resight.gallery.Settings`).
    progress : Progress

    Returns
    -------
    tuple of (int, int)
        Version before, and how many files, or databases, were changed.

    Raises
    ------
    ConfigurationError
        If the gallery cannot have such an index.
    GalleryError
        If there is no gallery, or its version is newer, or too old.
    GalleryDamagedError
        If it is damaged. Then nothing of the damaged file is changed.
    StorageError
        If other programs have it open, or there is no space.
    """
    if not is_database(location):
        if hnsw:
            raise ConfigurationError("a gallery in a folder is searched exactly; leave --hnsw out, or name a database")
        return migration.migrate(Path(location), progress=progress)
    from resight.gallery.store.postgres import PostgresStore

    return PostgresStore.migrate(str(location), hnsw, progress=progress)


def release_reserve(location: str | Path) -> bool:
    """Free the space that is kept for a purge, before one that a full disk would not even let begin.

    The purge keeps the space again at its end. Return whether there was any.
    """
    return not is_database(location) and reserve.release(Path(location))
