"""Files of an audit log as they were when they were last read, so that only what somebody touched is read again."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from resight.errors import StorageError
from resight.service.audit_chain import START, Head, verify_file

__all__ = ["Checked", "FileChecks", "State", "state_of"]

State = tuple[int, ...]
"""Identity, size and times of a file."""


class Checked(NamedTuple):
    """Result of reading a file of the log in one state.

    Attributes
    ----------
    state : tuple of int
    begin, end : tuple of (int, str)
        Entry before its first one, and its last entry that is unchanged.
    problem : str
        Problem; empty if there is none.
    """

    state: State
    begin: Head
    problem: str
    end: Head


class FileChecks:
    """Knowledge of the files of a log.

    Parameters
    ----------
    path : Path
        The newest file, which a process writes; the others are archives.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: dict[Path, Checked] = {}

    def trust(self, begin: Head, end: Head) -> None:
        """Remember that the newest file is unchanged as it is now."""
        self._known[self.path] = Checked(state_of(self.path), begin, "", end)

    def expect(self, before: State) -> None:
        """Forget the newest file, if its state before it was written to is not the one that is known: somebody touched it."""
        if (known := self._known.get(self.path)) is not None and known.state != before:
            del self._known[self.path]

    def seal(self, end: Head) -> None:
        """Give the newest file a time that it gets from no other write, and remember it in this state."""
        if (known := self._known.get(self.path)) is not None:
            with contextlib.suppress(OSError):
                os.utime(self.path, ns=(now := time.time_ns(), now))
                self._known[self.path] = known._replace(state=state_of(self.path), end=end)

    def take(self) -> Checked | None:
        """Forget the newest file, and return what was known of it, if nobody touched it since."""
        known = self._known.pop(self.path, None)
        return known if known is not None and known.state == state_of(self.path) else None

    def put(self, archive: Path, known: Checked) -> None:
        """Remember the newest file under the name that it has as an archive."""
        self._known[archive] = known._replace(state=state_of(archive))

    def follow(self, files: Sequence[Path], size: int) -> tuple[str, Head]:
        """Follow the chain through files, and read those that are not as they were when they were last read.

        Parameters
        ----------
        files : sequence of Path
            In the order of their entries.
        size : int
            Bytes of the newest file that are written.

        Returns
        -------
        str
            Problem of the first changed entry; empty if there is none.
        tuple of (int, str)
            Number and hash of the last entry that is unchanged.

        Raises
        ------
        StorageError
            If a file cannot be read.
        """
        head = START
        for file in files:
            newest = file == self.path
            try:
                state = state_of(file)
            except OSError as error:
                raise StorageError(f"{file} cannot be read: {error.strerror or error}; make it readable") from error
            known = self._known.get(file)
            if known is None or (known.state, known.begin) != (state, head):
                known = Checked(state, head, *verify_file(file, head, size=size if newest else None, unfinished=newest))
                self._known[file] = known
            head = known.end
            if known.problem:
                return known.problem if newest else f"{file.name}: {known.problem}", head
        return "", head


def state_of(path: Path) -> State:
    """Return the state of a file. Raises `OSError`."""
    status = path.stat()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
