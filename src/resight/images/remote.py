"""Files by URL, such as ``s3://bucket/crops/1.jpg``, in any storage that pyarrow reads.

Who may read is said to pyarrow as to any other program, by the environment or the storage's own files, and never in a URL.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

from resight.errors import ConfigurationError, DatasetError

__all__ = ["filesystem_of", "is_url", "list_files", "read_url", "states_of"]

_URL = re.compile(r"([a-z][a-z0-9+.-]+)://([^/]*)(/.*)?", re.DOTALL)
_AT_ONCE = 1000  # files whose size and time are asked for


def is_url(name: object) -> bool:
    """Tell if a name is a URL, and not a path."""
    return _URL.fullmatch(str(name)) is not None


def filesystem_of(url: str) -> tuple[Any, str]:
    """Return pyarrow's file system for a URL, and the path in it.

    Everything behind the host is taken as it is written: nothing in it is an option, or an escape.

    Raises
    ------
    ConfigurationError
        If the URL holds a user or a password, or pyarrow reads no such storage.
    """
    found = _URL.fullmatch(url)
    scheme, host, rest = found.groups(default="") if found else ("", "", "")
    if "@" in host and (scheme not in ("abfs", "abfss") or ":" in host.partition("@")[0]):
        raise ConfigurationError(
            f"{scheme}://...@{host.rpartition('@')[2]}: a URL is written into tables and reports, so it must not hold a key; "
            "give keys by the environment, such as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )
    if {"?", "#"} & set(host):
        raise ConfigurationError(f"{scheme}://{host}: a URL takes no options; name another server by AWS_ENDPOINT_URL")
    storage, root = _opened(scheme, host)
    return storage, root.rstrip("/") + rest if host else rest or "/"


@cache
def _opened(scheme: str, host: str) -> tuple[Any, str]:
    import pyarrow
    from pyarrow import fs

    try:
        storage, root = fs.FileSystem.from_uri(f"{scheme}://{host}{'' if host else '/'}")
    except (OSError, pyarrow.ArrowException) as error:
        raise ConfigurationError(
            f"{scheme}://{host} cannot be opened ({_line(error)}); expected s3://, gs://, abfs://, hdfs:// or file:// and rights"
        ) from error
    return storage, str(root)


def read_url(url: str, most: int) -> bytes:
    """Read a whole file of at most so many bytes.

    Raises
    ------
    OSError
        If it cannot be read or is larger. The message does not name the file.
    """
    storage, path = filesystem_of(url)
    with _in_one_line(), storage.open_input_stream(path) as stream:
        data: bytes = stream.read(most + 1)
    if len(data) > most:
        raise OSError(f"the file is larger than {most // 2**20} MiB")
    return data


def list_files(url: str) -> list[str] | None:
    """List all files below a folder, relative to it, sorted; None if the URL is a file. Raises `DatasetError`."""
    from pyarrow import fs

    storage, path = filesystem_of(url)
    path = path.rstrip("/") or "/"
    try:
        with _in_one_line():
            kind = storage.get_file_info(path).type
            if kind == fs.FileType.File:
                return None
            if kind != fs.FileType.Directory:
                raise DatasetError(f"{url}: no such folder or file")
            found = storage.get_file_info(fs.FileSelector(path, recursive=True))
            start = len(path.rstrip("/")) + 1
            names = [one.path[start:] for one in found if one.type == fs.FileType.File]
    except OSError as error:
        raise DatasetError(f"{url}: cannot be read: {error}") from error
    return sorted(names, key=lambda name: name.split("/"))


def states_of(names: Iterable[str]) -> dict[str, str]:
    """Return size and time of the files among `names` that are URLs and can be seen; another state means another content."""
    groups: dict[int, tuple[Any, list[tuple[str, str]]]] = {}
    for name in names:
        if is_url(name):
            storage, path = filesystem_of(name)
            groups.setdefault(id(storage), (storage, []))[1].append((name, path))
    states: dict[str, str] = {}
    for storage, files in groups.values():
        for start in range(0, len(files), _AT_ONCE):
            some = files[start : start + _AT_ONCE]
            with suppress(OSError), _in_one_line():
                about = storage.get_file_info([path for _, path in some])
                states |= {name: f"{one.size} {one.mtime_ns}" for (name, _), one in zip(some, about, strict=True) if one.is_file}
    return states


@contextmanager
def _in_one_line() -> Iterator[None]:
    """Turn pyarrow's errors, and names that are not UTF-8, into an `OSError` of one line."""
    import pyarrow

    try:
        yield
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        raise OSError(_line(error)) from error


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())
