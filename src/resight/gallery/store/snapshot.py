"""Copies of a gallery at one moment, kept in its folder, where a purge reaches them."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from resight.errors import ConfigurationError, GalleryDamagedError, StorageError
from resight.files import create_private, sync_folder
from resight.gallery.store import database, proof, purge, stored
from resight.gallery.store.verify import verify_file

__all__ = ["Snapshot", "copied", "restore", "snapshots", "take_snapshot"]


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A copy of a gallery.

    Attributes
    ----------
    name : str
    path : Path
    count : int
        Sightings in it.
    bytes : int
        Size of its file.
    """

    name: str
    path: Path
    count: int
    bytes: int


def take_snapshot(folder: Path, name: str = "") -> Snapshot:
    """Copy a gallery as it is at this moment. Others may go on adding to it.

    Parameters
    ----------
    folder : Path
    name : str
        Letters, digits, ``-`` and ``_``; the time (UTC) if empty.

    Raises
    ------
    ConfigurationError
        If the name cannot be used or is taken.
    GalleryDamagedError
        If the gallery is damaged. Then there is no snapshot.
    StorageError
        If the copy cannot be written. Then there is none either.
    """
    name = name or datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")
    path = _path(folder, name)
    live = folder / database.FILE
    purge.check_links(folder)
    with database.opened(live, "WAL") as connection, database.alone(folder):
        if path.exists():
            raise ConfigurationError(f"there is a snapshot {name!r} already; choose another name")
        purge.finish(folder, connection)
        with copied(connection, path) as partial:
            if problems := verify_file(partial):
                raise GalleryDamagedError(f"no snapshot was taken: {problems[0]}; see `resight gallery verify`")
            os.replace(partial, path)
            sync_folder(path.parent)
    return _describe(path)


def snapshots(folder: Path) -> list[Snapshot]:
    """Return all snapshots of a gallery, by name. Raises `GalleryDamagedError` if one is damaged."""
    return [_describe(path) for path in proof.databases(folder)[1:]]


def restore(folder: Path, name: str) -> Snapshot:
    """Make a gallery what it was when a snapshot was taken, except for what was purged since.

    What was added since is gone. Other processes that have the gallery open see the change at their next call. If the gallery is
    too damaged to open, its file is replaced, and the other processes answer with an error until they are started again.

    Parameters
    ----------
    folder : Path
    name : str

    Raises
    ------
    ConfigurationError
        If there is no such snapshot.
    GalleryDamagedError
        If the snapshot is damaged. Then nothing has changed.
    StorageError
        If the gallery cannot be written. Then nothing has changed either.
    """
    path, live = _path(folder, name), folder / database.FILE
    if not path.exists():
        names = ", ".join(snapshot.stem for snapshot in proof.databases(folder)[1:]) or "none"
        raise ConfigurationError(f"{folder} has no snapshot {name!r}; it has: {names}")
    if problems := verify_file(path):
        raise GalleryDamagedError(f"the snapshot {name!r} is damaged: {problems[0]}; nothing was changed")
    noted: list[str] = []
    with database.alone(folder):
        try:
            if live.exists():
                with database.opened(live, "WAL") as connection:
                    purge.finish(folder, connection)
                    noted = purge.noted(connection)
        except GalleryDamagedError:
            pass  # what an interrupted purge deleted cannot be read
        with database.opened(path, "DELETE") as snapshot, copied(snapshot, path) as partial:
            with database.opened(partial, "DELETE") as prepared:
                # Whoever has the gallery in memory must notice, in the same moment in which it changes.
                with database.transaction(prepared, write=True):
                    stored.write_state(prepared, 0, renew=True)
                    purge.note(prepared, noted)
                written = _write_back(prepared, live)
            if not written:
                _replace(partial, live)
    return _describe(path)


def _write_back(source: sqlite3.Connection, live: Path) -> bool:
    """Put a copy's content into the gallery's file, in one transaction; return False if that file is too damaged."""
    if not live.exists():
        return False
    try:
        with database.opened(live, "WAL") as destination:
            source.backup(destination)
            database.truncate_log(destination, live)
    except GalleryDamagedError:
        return False
    return True


def _replace(partial: Path, live: Path) -> None:
    for end in ("-wal", "-shm", "-journal"):
        live.with_name(live.name + end).unlink(missing_ok=True)
    os.replace(partial, live)
    sync_folder(live.parent)


@contextmanager
def copied(source: sqlite3.Connection, path: Path) -> Iterator[Path]:
    """Copy a gallery's file to a file beside a snapshot's path. It is removed at the end of the block, unless it was renamed."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        partial.unlink(missing_ok=True)
        create_private(partial)
        copy = sqlite3.connect(partial, isolation_level=None)
        try:
            source.backup(copy)
        finally:
            copy.close()
        yield partial
    except OSError as error:
        raise StorageError(f"cannot write {path.parent}: {error.strerror or error}; free space, then run it again") from error
    finally:
        for file in partial.parent.glob(f"{partial.name}*"):
            file.unlink(missing_ok=True)


def _describe(path: Path) -> Snapshot:
    with database.opened(path, "DELETE") as connection:
        return Snapshot(name=path.stem, path=path, count=stored.read_state(connection)[0], bytes=path.stat().st_size)


def _path(folder: Path, name: str) -> Path:
    if not re.fullmatch("[A-Za-z0-9_-]{1,100}", name):
        raise ConfigurationError(f"a snapshot cannot be called {name!r}; expected letters, digits, - and _")
    return folder / database.SNAPSHOTS / f"{name}.sqlite"
