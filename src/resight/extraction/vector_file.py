"""An array of vectors that grows on the disk, survives a kill, and appears under its name when it is complete."""

from __future__ import annotations

import contextlib
import io
import json
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from resight.errors import StorageError
from resight.files import locked, sync_folder

__all__ = ["VectorFile"]

_FORMAT = "resight-journal-1"
_NOTED = ("done", "rows", "seconds", "failures")


class VectorFile:
    """The vectors of an unfinished extraction.

    ``FILE.npy.partial`` holds them; ``FILE.npy.journal`` says how many of them are valid. A line of the journal is written once its
    vectors are on the disk; anything after its last whole line is cut off when the work goes on. The journal is locked meanwhile
    (not on Windows); a lock ends with its process.

    Use it as a context manager: it looks for earlier work, and leaves its own for the next time.

    Parameters
    ----------
    path : Path
        The finished ``.npy`` file.
    embedding_size : int
        Numbers in one vector.
    fingerprint : str
        SHA-256 of the work; work of another fingerprint is not continued.
    seconds : float
        Time between two lines of the journal, the most that a kill can cost.

    Attributes
    ----------
    begun : bool
        There is unfinished work of this fingerprint.
    foreign : bool
        There is unfinished work of another fingerprint. Only `start` replaces it.
    done : int
        Images finished.
    rows : int
        Vectors kept; fewer than `done` if images could not be read.
    failures : dict of int to str
        Places of images that could not be read, with the reason.
    spent : float
        Seconds of work so far, in all attempts.
    """

    def __init__(self, path: Path, embedding_size: int, fingerprint: str, *, seconds: float = 2.0) -> None:
        self.path = path
        self.embedding_size = embedding_size
        self.fingerprint = fingerprint
        self.seconds = seconds
        self.begun = self.foreign = False
        self.done = self.rows = 0
        self.failures: dict[int, str] = {}
        self.spent = 0.0
        self._news: dict[int, str] = {}  # failures that the journal does not know yet
        self._noted = time.monotonic()
        self._partial, self._journal = (path.with_name(f"{path.name}.{kind}") for kind in ("partial", "journal"))

    def __enter__(self) -> Self:
        """Open earlier work, if any. Raises `StorageError`, also if another process is writing it."""
        with self._storing():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = contextlib.ExitStack()
            try:
                self._lines = self._lock.enter_context(locked(self._journal))
            except BlockingIOError:
                raise StorageError(f"another extraction is writing {self.path}; wait for it, or choose another --out") from None
            try:
                self._data = open(os.open(self._partial, os.O_RDWR | os.O_CREAT, 0o666), "r+b")
                self._find()
            except BaseException:
                self._lock.close()
                raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if not (self.begun or self.foreign):  # nothing is there, or everything is finished
            with contextlib.suppress(OSError):
                self._partial.unlink(missing_ok=True)
                self._journal.unlink(missing_ok=True)
        for each in (self._data, self._lock):
            with contextlib.suppress(OSError):  # a full disk was reported when it was found
                each.close()

    def start(self) -> None:
        """Begin from scratch; earlier work is lost. Raises `StorageError`."""
        self.begun, self.foreign = True, False
        self.done = self.rows = 0
        self.failures, self._news = {}, {}
        self.spent = 0.0
        with self._storing():
            self._lines.truncate(0)
            self._data.truncate(0)
            self._data.seek(0)
            self._data.write(_header(0, self.embedding_size))
            self._note({"format": _FORMAT, "fingerprint": self.fingerprint})

    def append(self, vectors: NDArray[np.float32], failures: Mapping[int, str]) -> None:
        """Add the vectors of the next images.

        Parameters
        ----------
        vectors : float32 array of shape (n, embedding_size)
            One row for each image.
        failures : mapping of int to str
            Rows to leave out, with the reason.

        Raises
        ------
        StorageError
            On a full disk, for example. Earlier vectors stay.
        """
        kept = np.delete(vectors, list(failures), axis=0) if failures else vectors
        with self._storing():
            self._data.write(np.ascontiguousarray(kept, "<f4").data)
        self._news |= {self.done + row: reason for row, reason in failures.items()}
        self.done += len(vectors)
        self.rows += len(kept)
        if time.monotonic() - self._noted >= self.seconds:
            self.flush()

    def flush(self) -> None:
        """Put everything on the disk, then note it in the journal. Raises `StorageError`."""
        self.spent += time.monotonic() - self._noted
        with self._storing():
            self._note({"done": self.done, "rows": self.rows, "seconds": self.spent, "failures": self._news})
        self.failures |= self._news
        self._news = {}

    def publish(self) -> None:
        """Complete the file and give it its name. Raises `StorageError`."""
        with self._storing():
            self._data.seek(0)
            self._data.write(_header(self.rows, self.embedding_size))
            self._data.flush()
            os.fsync(self._data.fileno())
            os.replace(self._partial, self.path)
            sync_folder(self.path.parent)
        self.begun = False

    def _note(self, entry: dict[str, Any]) -> None:
        self._data.flush()
        os.fsync(self._data.fileno())
        self._lines.write(json.dumps(entry).encode() + b"\n")
        self._lines.flush()
        os.fsync(self._lines.fileno())
        self._noted = time.monotonic()

    def _find(self) -> None:
        """Keep the vectors that the journal lists and the partial file holds; cut off the rest."""
        self._lines.seek(0)
        first, *others = self._lines.read().splitlines(keepends=True) or [b""]
        header, width = len(_header(0, self.embedding_size)), 4 * self.embedding_size
        size = os.fstat(self._data.fileno()).st_size
        about = _entry(first)
        if about.get("format") != _FORMAT or size < header:
            return
        if about.get("fingerprint") != self.fingerprint:
            self.foreign = True
            return
        self.begun = True
        end = len(first)
        for line in others:
            entry = _entry(line)  # empty for a line that a crash cut short
            if not entry or header + width * entry["rows"] > size:
                break
            self.done, self.rows, self.spent = entry["done"], entry["rows"], entry["seconds"]
            self.failures |= {int(place): reason for place, reason in entry["failures"].items()}
            end += len(line)
        self._lines.truncate(end)
        self._data.truncate(header + width * self.rows)
        self._data.seek(0, io.SEEK_END)

    @contextlib.contextmanager
    def _storing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StorageError(
                f"cannot write {self.path}: {error.strerror or error}; free space, then give the same command again: it goes on "
                "where it stopped"
            ) from error


def _entry(line: bytes) -> dict[str, Any]:
    """Content of a line of the journal; empty if the line is not whole."""
    try:
        entry = json.loads(line) if line.endswith(b"\n") else {}
    except ValueError:
        return {}
    return entry if isinstance(entry, dict) and ("fingerprint" in entry or set(_NOTED) <= set(entry)) else {}


def _header(rows: int, embedding_size: int) -> bytes:
    """The header of a .npy file, equally long for any number of rows."""
    stream = io.BytesIO()
    description = {"descr": "<f4", "fortran_order": False, "shape": (rows, embedding_size)}
    np.lib.format.write_array_header_1_0(stream, description)
    return stream.getvalue()
