"""Files that are either whole or not there, and private if asked: atomic writes, locks, SHA-256, JSON."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from resight.errors import ConfigurationError, StorageError

if sys.platform != "win32":
    import fcntl

__all__ = [
    "allocate",
    "atomic_write",
    "claimed",
    "create_private",
    "locked",
    "printable",
    "read_json",
    "sha256_file",
    "sync_folder",
    "write_json",
    "write_text",
]

_BINARY = getattr(os, "O_BINARY", 0)  # on Windows


@contextlib.contextmanager
def atomic_write(path: str | Path, mode: str = "wb", *, private: bool = False) -> Iterator[IO[Any]]:
    """Open a file that appears under its name only when it is complete and on the disk.

    The content goes to a temporary file in the same folder, is flushed to the device, and then renamed over `path`. When the
    block fails, or the process dies, whatever was under `path` before is still there, untouched. A device or a pipe is
    written as it is.

    Parameters
    ----------
    path : str or Path
        Final name. Missing parent folders are made.
    mode : str
        ``"wb"`` or ``"w"`` (UTF-8).
    private : bool
        Only its owner may read it, from its first byte on. Otherwise the umask decides.

    Raises
    ------
    StorageError
        If the file cannot be written: full disk, read-only folder, no permission.
    """
    path = Path(path)
    encoding = None if "b" in mode else "utf-8"
    temporary = ""
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):  # a device or a pipe, such as /dev/stdout
            with path.open(mode, encoding=encoding) as stream:
                yield stream
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = f"{path.parent}/.{path.name}.{secrets.token_hex(8)}.partial"
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o600 if private else 0o666)
        with os.fdopen(descriptor, mode, encoding=encoding) as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
        sync_folder(path.parent)
    except OSError as error:
        raise StorageError(
            f"cannot write {path}: {error.strerror or error}; free space or choose another folder, then run it again"
        ) from error
    finally:
        if temporary:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


def create_private(path: Path) -> None:
    """Make an empty file that nobody else may read. Raises `OSError`, also if it is there."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def allocate(path: Path, size: int) -> None:
    """Make a file of zeros that takes up its space on the disk. Raises `OSError`, also if it is there; then nothing is left."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _BINARY, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(descriptor, 0, size)
            else:
                stream.write(bytes(size))
    except OSError:
        path.unlink()
        raise


@contextlib.contextmanager
def locked(path: Path, *, private: bool = False, wait: bool = False) -> Iterator[IO[bytes]]:
    """Open a file to read and append, and keep other processes out until the block ends.

    The file is made if it is missing; its folder must exist. The lock ends with its process, however that ends. On Windows the
    file is opened without a lock.

    Parameters
    ----------
    path : Path
    private : bool
        If the file is made, only its owner may read it.
    wait : bool
        Wait for another process, or another block of this one, that holds the lock.

    Raises
    ------
    BlockingIOError
        If the lock is held, and nobody waits for it.
    OSError
        If the file cannot be opened.
    """
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | _BINARY, 0o600 if private else 0o666)
        with os.fdopen(descriptor, "a+b") as stream:
            if sys.platform != "win32":
                fcntl.flock(stream, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _still_there(stream, path):  # its last holder may have removed it since it was opened
                yield stream
                return


@contextlib.contextmanager
def claimed(folder: Path, does: str) -> Iterator[None]:
    """Keep other processes from the same work in a folder until the block ends. The folder is made if it is missing.

    Parameters
    ----------
    folder : Path
    does : str
        Verb of this work, for the message: ``"trains"``.

    Raises
    ------
    ConfigurationError
        If another process, or another block of this one, does it.
    StorageError
        If the folder cannot be written.
    """
    lock = folder / ".lock"
    with contextlib.ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(locked(lock))
        except BlockingIOError:
            raise ConfigurationError(
                f"another process {does} in {folder}; wait for it, or choose another folder by --out"
            ) from None
        except OSError as error:
            raise StorageError(f"cannot write {folder}: {error.strerror or error}") from error
        try:
            yield
        finally:
            if sys.platform != "win32":  # which does not remove a file that is open
                lock.unlink(missing_ok=True)


def _still_there(stream: IO[bytes], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(stream.fileno()), os.stat(path))
    except FileNotFoundError:
        return False


def printable(path: str) -> str:
    """A file's name as text that JSON can hold; bytes that are not UTF-8 are shown as ``\\xe9``."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def sync_folder(folder: Path) -> None:
    """Put a rename on the disk. Does nothing on systems that cannot open a folder."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_text(path: str | Path, text: str, *, private: bool = False) -> None:
    """Write `text` as UTF-8, atomically, for nobody else to read if it is `private`. Raises `StorageError`."""
    with atomic_write(path, "w", private=private) as stream:
        stream.write(text)


def write_json(path: str | Path, value: Any, *, private: bool = False) -> None:
    """Write `value` as indented JSON, as `write_text` does; NaN and infinity are refused. Raises `StorageError`, `ValueError`."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False) + "\n", private=private)


def read_json(path: str | Path) -> Any:
    """Read one JSON file. Raises `OSError` if it cannot be opened and `ValueError` if it is not JSON."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except RecursionError as error:
        raise ValueError("lists or objects are nested too deeply") from error


def sha256_file(path: str | Path) -> str:
    """SHA-256 of a file's bytes, as 64 hexadecimal digits."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
