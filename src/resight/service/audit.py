"""The audit log: a file that only grows, in which every entry holds the hash of the one before it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from resight.errors import AuditError, StorageError
from resight.files import locked, sync_folder

__all__ = ["FILE", "Act", "AuditLog", "Entry", "verify_log"]

FILE = "audit.jsonl"
"""Name of the audit log in a gallery's folder."""

_LONGEST_ENTRY = 2**22  # bytes; more than any request can bring about
_START = "0" * 64  # stands for the hash of the entry before the first

Entry = dict[str, Any]
"""``number`` (from 1), ``time`` (ISO 8601, UTC), ``who``, ``action``, ``details``, ``previous`` (the hash of the entry before) and
``sha256`` (of all of these)."""


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


class AuditLog:
    """A log of acts, each on the disk before it is done. Threads may share it; a lock keeps other processes out (not on Windows).

    Each entry holds the hash of the one before it. To change, remove or insert an entry, somebody must rewrite all later ones,
    which changes the head. Anyone who knows an older head, for example from an export, notices this, and a log cut short.

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
        If the log was changed.
    StorageError
        If the file cannot be read or written, or another service is writing it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.failing = False
        self._lock = threading.Lock()
        self._file = contextlib.ExitStack()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = self._file.enter_context(locked(path, private=True)).fileno()
            sync_folder(path.parent)
        except BlockingIOError:
            message = f"another service is writing the audit log {path}; end it, or name another log by --audit"
            raise StorageError(message) from None
        except OSError as error:
            raise _unwritable(path, error) from error
        try:
            self._size = self._drop_unfinished()
            problems, head = verify_log(path)
            if problems:
                raise AuditError(f"{path} was changed: {problems[0]}; keep it as evidence, and start another log by --audit")
        except BaseException:
            self.close()
            raise
        self.head = head

    def append(self, acts: Sequence[Act]) -> list[Entry]:
        """Write acts, all or none, and wait until they are on the disk.

        Raises
        ------
        StorageError
            If they cannot be written. Then they must not be done.
        """
        with self._lock:
            number, previous = self.head
            time = datetime.now(UTC).isoformat(timespec="milliseconds")
            entries, lines = [], []
            for act in acts:
                number += 1
                entry: Entry = {"number": number, "time": time, **act._asdict(), "previous": previous}
                line, previous = _line(entry)
                entries.append(entry | {"sha256": previous})
                lines.append(line)
            self.failing = True
            self._write("".join(lines).encode())
            self.failing = False
            self.head = number, previous
        return entries

    def newest(self, limit: int, before: int | None = None) -> list[Entry]:
        """Return the newest entries, or those before a number, newest first. Lines that are no longer entries are left out."""
        with self._lock:
            size = self._size
        entries = filter(None, map(_entry, _lines(self.path, size)))
        return list(deque((entry for entry in entries if before is None or entry["number"] < before), limit))[::-1]

    def problems(self) -> list[str]:
        """Describe changes to the log; an empty list if there are none."""
        with self._lock:
            size, head = self._size, self.head
        problems, found = verify_log(self.path, size)
        if not problems and found != head:
            problems = [f"it ends with entry {found[0]}, and the last that was written is entry {head[0]}"]
        return problems

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _write(self, data: bytes) -> None:
        try:
            if os.fstat(self._descriptor).st_size != self._size or not os.path.samestat(
                os.fstat(self._descriptor), os.stat(self.path)
            ):
                raise StorageError(f"another program changed {self.path}; stop the service and run `resight gallery verify`")
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


def verify_log(path: Path, size: int | None = None) -> tuple[list[str], tuple[int, str]]:
    """Follow the chain of a log.

    Parameters
    ----------
    path : Path
    size : int, optional
        Bytes to check, while another thread goes on writing; all by default.

    Returns
    -------
    list of str
        Problem of the first changed entry; empty if there is none. Entries after it prove nothing.
    tuple of (int, str)
        Number and hash of the last entry that is unchanged.
    """
    number, previous = 0, _START
    try:
        for line in _lines(path, size):
            if not line.endswith(b"\n"):
                break  # it is being written, or was when the process died
            try:
                entry = json.loads(line)
                sha256 = entry.pop("sha256")
                expected, computed = _line(entry)
                genuine = expected.encode() == line and computed == sha256
            except (ValueError, KeyError, TypeError, AttributeError):
                genuine = False
            if not genuine:
                return [f"entry {number + 1} is not as it was written"], (number, previous)
            if entry.get("number") != number + 1 or entry.get("previous") != previous:
                return [f"entry {number + 1} does not follow the one before it"], (number, previous)
            number, previous = number + 1, sha256
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror or error}; make it readable") from error
    return [], (number, previous)


def _lines(path: Path, size: int | None) -> Iterator[bytes]:
    with path.open("rb") as stream:
        for line in stream:
            if size is not None and size <= 0:
                return
            size = None if size is None else size - len(line)
            yield line


def _entry(line: bytes) -> Entry | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) and isinstance(entry.get("number"), int) else None


def _line(entry: Entry) -> tuple[str, str]:
    """Return an entry's line in the file, and its hash."""
    text = json.dumps(entry, sort_keys=True, separators=(",", ":"), allow_nan=False)
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    return f'{text[:-1]},"sha256":"{sha256}"}}\n', sha256


def _unwritable(path: Path, error: OSError) -> StorageError:
    return StorageError(
        f"the audit log {path} cannot be written: {error.strerror or error}; nothing is done without it; free space"
    )
