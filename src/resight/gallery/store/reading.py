"""Reads the bytes of files in a child process, so that this process keeps its locks on them.

SQLite locks a gallery's files with POSIX locks. A process loses all its POSIX locks on a file as soon as it closes any descriptor
of that file. A process that has a gallery open therefore must never open the gallery's files itself; SQLite alone may.

The child runs this module as a program. It imports only the standard library, so it starts within milliseconds.
"""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Self, cast

__all__ = ["Reader"]

_CHUNK = 2**22  # bytes that are read at a time
_NUMBER = 8  # bytes of a number between the two processes


class Reader:
    """Reads files; a context manager, which ends the child process."""

    def __enter__(self) -> Self:
        # A session of its own: Ctrl-C reaches the parent alone, which then ends the child. -I -S: only the standard library.
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.kill()
        self._process.communicate()

    def chunks(self, path: Path) -> Iterator[bytes]:
        """The bytes of one file, chunk by chunk; none if there is no such file. Read all of them before the next file.

        Raises
        ------
        OSError
            If the file cannot be read.
        """
        asked, answer = cast(IO[bytes], self._process.stdin), cast(IO[bytes], self._process.stdout)
        name = os.fsencode(path)
        asked.write(_number(len(name)) + name)
        asked.flush()
        while (size := int.from_bytes(_exactly(answer, _NUMBER), "little", signed=True)) > 0:
            yield _exactly(answer, size)
        if size < 0 and -size != errno.ENOENT:
            raise OSError(-size, os.strerror(-size), str(path))


def _answer(asked: IO[bytes], answer: IO[bytes]) -> None:
    """The child's side: read one file after the other until the parent hangs up."""
    while number := asked.read(_NUMBER):
        name = asked.read(int.from_bytes(number, "little", signed=True))
        end = 0
        try:
            with open(name, "rb", buffering=0) as stream:
                while data := stream.read(_CHUNK):
                    answer.write(_number(len(data)))
                    answer.write(data)
        except OSError as error:
            end = -(error.errno or errno.EIO)
        answer.write(_number(end))
        answer.flush()


def _number(value: int) -> bytes:
    return value.to_bytes(_NUMBER, "little", signed=True)


def _exactly(stream: IO[bytes], size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise OSError(errno.EIO, "the process that reads files has ended")
    return data


if __name__ == "__main__":
    _answer(sys.stdin.buffer, sys.stdout.buffer)
