"""The chain of an audit log's entries: its files, their verification, and pages of them.

A log is a file and, once that was full, archives beside it: ``audit.jsonl`` holds the newest entries, and
``audit.000000000001.jsonl`` those from entry 1 on. The chain goes through all files. The first entry of a file holds the hash of
the last entry of the file before it.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from resight.errors import StorageError

__all__ = [
    "START",
    "Entry",
    "Head",
    "archive_of",
    "files_of",
    "last_entry",
    "line_of",
    "newest",
    "verify_file",
    "verify_lines",
    "verify_log",
]

_BLOCK = 2**16  # bytes that are read at a time
_DIGITS = 12  # of an archive's first entry, in its name
_HASH = re.compile(rb',"sha256":"([0-9a-f]{64})"\}\n')
_HASH_BYTES = 78  # of such an end of a line

Entry = dict[str, Any]
"""``number`` (from 1), ``time`` (ISO 8601, UTC), ``who``, ``action``, ``details``, ``previous`` (the hash of the entry before) and
``sha256`` (of all of these)."""

Head = tuple[int, str]
"""Number and hash of an entry."""

START: Head = (0, "0" * 64)
"""Stands for the entry before the first."""


def line_of(entry: Entry) -> tuple[bytes, str]:
    """Return an entry's line in the file, and its hash."""
    text = json.dumps(entry, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
    sha256 = hashlib.sha256(text).hexdigest()
    return b'%s,"sha256":"%s"}\n' % (text[:-1], sha256.encode()), sha256


def archive_of(path: Path, first: int) -> Path:
    """Return the name of the archive that begins with an entry."""
    return path.with_name(f"{path.stem}.{first:0{_DIGITS}}{path.suffix}")


def files_of(path: Path) -> list[Path]:
    """Return the files of a log in the order of their entries. The last is `path` itself, which may be missing."""
    archives = path.parent.glob("*") if path.parent.is_dir() else ()
    pattern = re.compile(rf"{re.escape(path.stem)}\.\d{{{_DIGITS}}}{re.escape(path.suffix)}")
    return [*sorted(file for file in archives if pattern.fullmatch(file.name)), path]


def verify_log(path: Path) -> tuple[list[str], Head]:
    """Follow the chain of a log through all its files.

    Returns
    -------
    list of str
        Problem of the first changed entry; empty if there is none. Entries after it prove nothing.
    tuple of (int, str)
        Number and hash of the last entry that is unchanged.

    Raises
    ------
    StorageError
        If a file cannot be read.
    """
    head = START
    *archives, newest_file = files_of(path)
    for file in archives:
        problem, head = verify_file(file, head)
        if problem:
            return [f"{file.name}: {problem}"], head
    problem, head = verify_file(newest_file, head, unfinished=True)
    return [problem] if problem else [], head


def verify_file(path: Path, head: Head, *, size: int | None = None, unfinished: bool = False) -> tuple[str, Head]:
    """Follow the chain through one file.

    Parameters
    ----------
    path : Path
    head : tuple of (int, str)
        Entry before the file's first.
    size : int, optional
        Bytes to check; all by default.
    unfinished : bool
        Allow a last line without an end, which a process is writing or was writing when it died.

    Returns
    -------
    str
        What is wrong; empty if nothing is.
    tuple of (int, str)
        Number and hash of the last entry that is unchanged.
    """
    try:
        return verify_lines(_lines(path, size), head, unfinished=unfinished)
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror or error}; make it readable") from error


def verify_lines(lines: Iterable[bytes], head: Head, *, unfinished: bool = False) -> tuple[str, Head]:
    """Follow the chain through lines, each with its end; see `verify_file`."""
    number, previous = head
    for line in lines:
        if unfinished and not line.endswith(b"\n"):
            break
        entry = _genuine(line)
        if entry is None:
            return f"entry {number + 1} is not as it was written", (number, previous)
        found = entry.get("number")
        if (number, previous) == head and isinstance(found, int) and found > number + 1:
            missing = f"entry {number + 1}" if found == number + 2 else f"entries {number + 1} to {found - 1}"
            return f"{missing}, which came before, cannot be found; put the file of that part back", (number, previous)
        if found != number + 1 or entry.get("previous") != previous:
            return f"entry {number + 1} does not follow the one before it", (number, previous)
        number, previous = number + 1, entry["sha256"]
    return "", (number, previous)


def last_entry(path: Path) -> Entry | None:
    """Return the last entry of a file, whose hash was computed again; None if it was changed, or if there is none."""
    lines = _lines_backwards(path, path.stat().st_size)
    return _genuine(next(itertools.islice(lines, 1, None), b"") + b"\n")  # the first is what follows the last end of a line


def newest(path: Path, limit: int, before: int | None = None) -> list[Entry]:
    """Return the newest entries of a log, or those before a number, newest first. No more is read than that takes.

    Lines that are no longer entries are left out.
    """
    found: list[Entry] = []
    for file in reversed(files_of(path)):
        first = file.name.split(".")[-2] if file != path else "0"
        if len(found) < limit and (before is None or int(first) < before) and file.exists():
            end = file.stat().st_size if before is None else _end_before(file, before)
            entries = filter(None, map(_entry, _lines_backwards(file, end)))
            wanted = (entry for entry in entries if before is None or entry["number"] < before)
            found += itertools.islice(wanted, limit - len(found))
    return found


def _end_before(path: Path, before: int) -> int:
    """Return a place in a file, at most two blocks behind the last entry before a number, by halving the file."""
    with path.open("rb") as stream:
        low, high = 0, os.fstat(stream.fileno()).st_size
        while high - low > 2 * _BLOCK:
            stream.seek((low + high) // 2)
            stream.readline()  # the rest of an entry
            entry, end = _entry(stream.readline()), stream.tell()
            if entry is None or end >= high:  # a damaged line, or a very long one
                break
            if entry["number"] < before:
                low = end
            else:
                high = end
    return high


def _lines(path: Path, size: int | None) -> Iterator[bytes]:
    if not path.exists():
        return
    with path.open("rb") as stream:
        for line in stream:
            if size is not None and size <= 0:
                return
            size = None if size is None else size - len(line)
            yield line


def _lines_backwards(path: Path, end: int) -> Iterator[bytes]:
    with path.open("rb") as stream:
        rest = b""
        while end > 0:
            start = max(0, end - _BLOCK)
            stream.seek(start)
            rest, *lines = (stream.read(end - start) + rest).split(b"\n")
            yield from reversed(lines)
            end = start
        yield rest


def _entry(line: bytes) -> Entry | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) and isinstance(entry.get("number"), int) else None


def _genuine(line: bytes) -> Entry | None:
    """Return a line's entry, if its hash is that of the line."""
    end = _HASH.fullmatch(line[-_HASH_BYTES:])
    if end is None or hashlib.sha256(line[:-_HASH_BYTES] + b"}").hexdigest().encode() != end[1]:
        return None
    return _entry(line)
