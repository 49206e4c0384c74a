"""Reads every byte of a gallery, and names what is not as it was written."""

from __future__ import annotations

import os
import sqlite3
from collections import Counter
from contextlib import nullcontext, suppress
from pathlib import Path

import numpy as np

from resight.configuration import configure
from resight.errors import ArrayError, GalleryError, ResightError, StorageError
from resight.gallery.settings import Settings
from resight.gallery.store import database, proof, purge, stored
from resight.gallery.store.precision import decode_vectors
from resight.gallery.store.rows import blob_crc
from resight.progress import Progress, silent

__all__ = ["verify", "verify_connection", "verify_file"]

_MOST = 100  # problems of one file that are named


def verify(folder: Path, *, progress: Progress = silent) -> list[str]:
    """Check a gallery and all its snapshots: SQLite's own structure, and every record, vector and thumbnail against its checksum.

    Parameters
    ----------
    folder : Path
    progress : Progress

    Returns
    -------
    list of str
        Problems, file by file; an empty list if there is none.

    Raises
    ------
    GalleryError
        If there is neither a gallery nor a snapshot of one.
    """
    files = proof.databases(folder)
    if not any(path.exists() for path in files):
        raise database.missing(folder)
    found = _apart(files[0]) + purge.links(folder)
    for number, path in enumerate(files, 1):
        found += verify_file(path)
        progress("verifying", number, len(files))
    found += _left(folder)
    try:
        connections = [(path, database.connect(path, journal=_journal(path))) for path in files]
    except ResightError:
        return found  # said already
    try:
        settings = [stored.read_kept(connection, path, "settings") for path, connection in connections]
        found += [
            f"{path} has other settings than the gallery"
            for path, other in zip(files, settings, strict=True)
            if other != settings[0]
        ]
    except (ResightError, sqlite3.Error):
        pass  # said already
    finally:
        for _, connection in connections:
            connection.close()
    return found


def _apart(path: Path) -> list[str]:
    """Name processes that still have removed files of a gallery open: what they write is lost.

    Only Linux tells, and only of processes of the same user. `SqliteStore` also notices by itself that this happened to it.
    """
    lost = {f"{file} (deleted)" for file in (path.resolve(), database.log_of(path.resolve()))}
    processes = set()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError), os.scandir(process / "fd") as descriptors:  # the process has ended, or is another user's
            if any(_link(descriptor) in lost for descriptor in descriptors):
                processes.add(int(process.name))
    return [
        f"{path} or its log was removed or replaced while process {process} had it open; what it writes is lost; restart it"
        for process in sorted(processes - {os.getpid()})
    ]


def _link(descriptor: os.DirEntry[str]) -> str:
    try:
        return os.readlink(descriptor)
    except OSError:  # it was closed
        return ""


def _left(folder: Path) -> list[str]:
    """Name what interrupted runs left. A run that goes on needs what it has written, so wait for its end."""
    live, lockable = folder / database.FILE, os.access(folder / database.LOCK, os.W_OK)
    try:
        with database.alone(folder) if lockable else nullcontext():
            found = [f"{path} is what an interrupted run left; a purge removes it" for path in sorted(folder.rglob(purge.PARTIAL))]
            with suppress(ResightError), database.opened(live) as connection:  # what is damaged was said already
                if connection.execute("SELECT count(*) FROM erasure").fetchone()[0]:
                    found.append(f"{live}: a purge was interrupted before all copies were gone; run any purge to finish it")
            return found
    except StorageError:
        return []  # a run has been going on for more than a minute


def verify_file(path: Path) -> list[str]:
    """Check one file of a gallery; return its problems."""
    try:
        connection = database.connect(path, journal=_journal(path))
    except ResightError as error:
        return [str(error)]
    try:
        with database.translated(path), database.transaction(connection):
            return verify_connection(connection, path)
    except (ResightError, sqlite3.Error) as error:
        return [str(error)]
    finally:
        connection.close()


def verify_connection(connection: sqlite3.Connection, path: Path) -> list[str]:
    """Check a file that is open, in a transaction; return its problems."""
    found: list[str] = []
    try:
        with database.translated(path):
            settings = configure(Settings, stored.read_kept(connection, path, "settings") or {}, source=str(path))
            _check_structure(connection, path, found)
            _check_rows(connection, path, settings, found)
    except (ResightError, sqlite3.Error, TypeError) as error:
        found.append(str(error) if str(path) in str(error) else f"{path}: {error}")
    return found if len(found) <= _MOST else [*found[:_MOST], f"{path}: {len(found) - _MOST} more problems"]


def _check_structure(connection: sqlite3.Connection, path: Path, found: list[str]) -> None:
    checked = [str(row[0]) for row in connection.execute(f"PRAGMA integrity_check({_MOST})")]
    found += [f"{path}: {problem}" for problem in checked if problem != "ok"]
    found += [f"{path}: row {row[1]} of {row[0]} belongs to no sighting" for row in connection.execute("PRAGMA foreign_key_check")]


def _check_rows(connection: sqlite3.Connection, path: Path, settings: Settings, found: list[str]) -> None:
    ids: set[str] = set()
    tally: Counter[tuple[str, str]] = Counter()
    query = stored.WHOLE.format(", t.jpeg, t.crc", " LEFT JOIN thumbnail t USING (number) ORDER BY number")
    for row in connection.execute(query):
        tally[row[1], row[6]] += 1
        name = f"{path}: sighting {row[0]}"
        if row[0] in ids:
            found.append(f"{name} is there twice")
        ids.add(row[0])
        try:
            stored.check_row(row[:7], row[7], path)
        except GalleryError:
            found.append(f"{name}: its record does not fit its checksum")
        for kind, content, crc in (("vector", row[8], row[9]), ("thumbnail", row[10], row[11])):
            if content is None:
                found.append(f"{name} has no {kind}")
            elif not isinstance(content, bytes) or blob_crc(str(row[0]), content) != crc:
                found.append(f"{name}: its {kind} does not fit its checksum")
            elif kind == "vector":
                try:
                    if not np.isfinite(decode_vectors([content], settings.precision, settings.dimension)).all():
                        raise ArrayError("it holds NaN")
                except ResightError as error:
                    found.append(f"{name}: {error}")
    expected, _ = stored.read_state(connection)
    if (count := tally.total()) != expected:
        found.append(f"{path} holds {count} sightings and should hold {expected}")
    if {(camera, identity): count for camera, identity, count in connection.execute("SELECT * FROM tally")} != tally:
        found.append(f"{path}: its counts by camera and identity are wrong")


def _journal(path: Path) -> str:
    return "WAL" if path.name == database.FILE else "DELETE"
