"""The audit log: files that only grow, in which every entry holds the hash of the one before it."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from resight.errors import AuditError, StorageError
from resight.files import locked, sync_folder
from resight.service.audit_chain import START, Entry, Head, archive_of, files_of, last_entry, line_of, newest, verify_file
from resight.service.audit_checks import FileChecks, state_of

__all__ = ["FILE", "Act", "Audit", "AuditLog", "chained"]

FILE = "audit.jsonl"
"""Name of the audit log in a gallery's folder."""

_LONGEST_ENTRY = 2**22  # bytes; more than any request can bring about
_FULL = 2**24  # bytes of a file that is archived before the next entry


class Act(NamedTuple):
    """An action that is about to be done.

    Attributes
    ----------
    who : str
    action : str
    details : mapping
        Plain JSON values.
    """

    who: str
    action: str
    details: Mapping[str, Any]


class Audit(Protocol):
    """An audit log in files or in a database."""

    failing: bool

    @property
    def folder(self) -> Path | None:
        """Folder whose disk must not be full; None for a database."""

    def append(self, acts: Sequence[Act]) -> list[Entry]:
        """See `AuditLog`."""

    def newest(self, limit: int, before: int | None = None) -> list[Entry]:
        """See `AuditLog`."""

    def problems(self) -> list[str]:
        """See `AuditLog`."""


class AuditLog:
    """A log of acts, each on the disk before it is done. Threads may share it; a lock keeps other processes out (not on Windows).

    Each entry holds the hash of the one before it. To change, remove or insert an entry, somebody must rewrite all later ones,
    which changes the head. Anyone who knows an older head, for example from an export, notices this, and a log cut short.

    A file of more than 16 MB becomes an archive (see `resight.service.audit_chain`), and the chain goes on in a new file (not on
    Windows).

    Parameters
    ----------
    path : Path
        File to continue; it is made if it does not exist.

    Attributes
    ----------
    head : tuple of (int, str)
        Number and hash of the newest entry; 0 and zeros if there is none.
    failing : bool
        True after an entry could not be written, until the next one is.

    Raises
    ------
    AuditError
        If the newest file was changed, or does not continue the archive before it.
    StorageError
        If the file cannot be read or written, or another service is writing it.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.folder = path, path.parent
        self.failing = False
        self._lock, self._checking = threading.RLock(), threading.Lock()
        self._file = contextlib.ExitStack()
        self._checks = FileChecks(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._open()
        except BlockingIOError:
            message = f"another service is writing the audit log {path}; end it, or name another log by --audit"
            raise StorageError(message) from None
        except OSError as error:
            raise _unwritable(path, error) from error
        try:
            self._size = self._drop_unfinished()
            begin = self._last_archived()
            problem, self.head = verify_file(path, begin)
            if problem:
                raise AuditError(f"{path} was changed: {problem}; keep it as evidence, and start another log by --audit")
            self._first = begin[0] + 1
            self._checks.trust(begin, self.head)
        except BaseException:
            self.close()
            raise

    def append(self, acts: Sequence[Act]) -> list[Entry]:
        """Write acts, all or none, and wait until they are on the disk.

        Raises
        ------
        StorageError
            If they cannot be written. Then they must not be done.
        """
        with self._lock:
            entries, lines, head = chained(acts, self.head)
            self.failing = True
            self._write(b"".join(lines))
            self.failing = False
            self.head = head
            self._checks.seal(self.head)
        return entries

    def newest(self, limit: int, before: int | None = None) -> list[Entry]:
        """Return the newest entries, or those before a number, newest first; see `resight.service.audit_chain.newest`."""
        with self._lock:
            return newest(self.path, limit, before)

    def problems(self) -> list[str]:
        """Describe changes to the log; an empty list if there are none.

        Only files that somebody touched since they were last read are read. The first call also reads the archives.
        """
        with self._checking:
            self._checks.follow(files_of(self.path)[:-1], self._size)  # archives stay as they are, so nobody waits for this
            with self._lock:
                problem, found = self._checks.follow(files_of(self.path), self._size)
                if not problem and found != self.head:
                    problem = f"it ends with entry {found[0]}, and the last that was written is entry {self.head[0]}"
                return [problem] if problem else []

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _open(self) -> None:
        """Open the newest file, and let go of the one before."""
        with contextlib.ExitStack() as stack:
            descriptor = stack.enter_context(locked(self.path, private=True)).fileno()
            sync_folder(self.path.parent)
            self._file, before = stack.pop_all(), self._file
            self._descriptor = descriptor
        before.close()

    def _write(self, data: bytes) -> None:
        try:
            status = os.fstat(self._descriptor)
            if status.st_size != self._size or not os.path.samestat(status, os.stat(self.path)):
                raise StorageError(f"another program changed {self.path}; stop the service and run `resight gallery verify`")
            if self._size >= _FULL and sys.platform != "win32":  # which renames no open file
                self._archive()
            before = state_of(self.path)
            try:
                rest = memoryview(data)
                while rest:
                    rest = rest[os.write(self._descriptor, rest) :]
                os.fsync(self._descriptor)
            except OSError:
                os.ftruncate(self._descriptor, self._size)  # nothing half-written stays before the next entry
                raise
        except OSError as error:
            raise _unwritable(self.path, error) from error
        self._size += len(data)
        self._checks.expect(before)

    def _archive(self) -> None:
        """Rename the file, and go on in a new one. If that fails, the file has its name again."""
        archive, known = archive_of(self.path, self._first), self._checks.take()
        if archive.exists():
            raise StorageError(f"{archive} is in the way of the audit log; move it elsewhere")
        os.rename(self.path, archive)
        try:
            self._open()
        except BlockingIOError:
            raise StorageError(f"another service is writing the audit log {self.path}; end it, or this one") from None
        except OSError:
            os.rename(archive, self.path)
            raise
        if known is not None:
            self._checks.put(archive, known)
        self._size, self._first = 0, self.head[0] + 1
        self._checks.trust(self.head, self.head)

    def _last_archived(self) -> Head:
        """Return the last entry of the newest archive. Raises `AuditError` if it was changed."""
        *archives, _ = files_of(self.path)
        if not archives:
            return START
        entry = last_entry(archives[-1])
        if entry is None:
            raise AuditError(f"{archives[-1]} was changed: its last entry is not as it was written; keep it as evidence")
        return entry["number"], entry["sha256"]

    def _drop_unfinished(self) -> int:
        """Remove an entry that a killed process left half written, because its action was not done; return the size."""
        try:
            with self.path.open("rb") as stream:
                size = os.fstat(stream.fileno()).st_size
                stream.seek(max(0, size - _LONGEST_ENTRY))
                tail = stream.read()
            unfinished = len(tail) - tail.rfind(b"\n") - 1
            if 0 < unfinished < _LONGEST_ENTRY:
                os.ftruncate(self._descriptor, size - unfinished)
                return size - unfinished
            return size
        except OSError as error:
            raise _unwritable(self.path, error) from error


def chained(acts: Sequence[Act], head: Head) -> tuple[list[Entry], list[bytes], Head]:
    """Make the entries of acts that follow an entry, their lines, and the head that the last one is."""
    number, previous = head
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    entries, lines = [], []
    for act in acts:
        number += 1
        entry: Entry = {"number": number, "time": now, **act._asdict(), "previous": previous}
        line, previous = line_of(entry)
        entries.append(entry | {"sha256": previous})
        lines.append(line)
    return entries, lines, (number, previous)


def _unwritable(path: Path, error: OSError) -> StorageError:
    return StorageError(
        f"the audit log {path} cannot be written: {error.strerror or error}; nothing is done without it; free space"
    )
