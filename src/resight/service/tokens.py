"""Tokens in a file, which holds the SHA-256 of each, its role and its cameras."""

from __future__ import annotations

import json
import re
import secrets
import threading
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from resight.datasets.names import camera_name
from resight.errors import ConfigurationError, StorageError
from resight.files import locked, write_text
from resight.service.access import ROLES, Caller, sha256_of

__all__ = ["AccessFile", "new_token", "remove_token"]

_LONGEST_NAME = 100


class AccessFile:
    """Tokens in a file, which is read again when it changes; a token that is removed from it loses its use at once.

    Parameters
    ----------
    path : Path
        File that `new_token` writes. It holds only the SHA-256 of each token.

    Raises
    ------
    ConfigurationError
        If it cannot be read or used.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._seen: tuple[int, ...] = ()
        self._callers: dict[str, Caller] = {}
        self.find("")

    def find(self, token: str) -> Caller | None:
        """Return the holder of a token. Raises `ConfigurationError` while the file cannot be used; then nobody has access."""
        with self._lock:
            seen = _state(self.path)
            if seen != self._seen:
                self._callers = {sha256: caller for sha256, (caller, _) in _read(self.path).items()}
                self._seen = seen
        return self._callers.get(sha256_of(token))


def new_token(path: Path, name: str, role: str, cameras: Sequence[str] | None = None) -> str:
    """Make a token and add it to a file, which is made if it does not exist.

    Parameters
    ----------
    path : Path
    name : str
        Person or program that will hold it. Revokes the previous token of the same name.
    role : str
        One of `ROLES`.
    cameras : sequence of str, optional
        Cameras that the token may see; all by default.

    Returns
    -------
    str
        The token. It is stored nowhere.

    Raises
    ------
    ConfigurationError
        If the name or role cannot be used, or the file cannot be read.
    StorageError
        If it cannot be written.
    """
    token = secrets.token_urlsafe(32)
    caller = Caller(name=name, role=role, cameras=None if cameras is None else frozenset(map(camera_name, cameras)))
    _check(caller, path)
    with _locked(path):
        kept = {sha256: entry for sha256, entry in (_read(path) if path.exists() else {}).items() if entry[0].name != name}
        _write(path, kept | {sha256_of(token): (caller, datetime.now(UTC).isoformat(timespec="seconds"))})
    return token


def remove_token(path: Path, name: str) -> None:
    """Revoke the token of a name. Raises `ConfigurationError` if there is none, and `StorageError`."""
    with _locked(path):
        entries = _read(path)
        kept = {sha256: entry for sha256, entry in entries.items() if entry[0].name != name}
        if len(kept) == len(entries):
            names = ", ".join(sorted(caller.name for caller, _ in entries.values())) or "none"
            raise ConfigurationError(f"{path} has no token of {name!r}; it has: {names}")
        _write(path, kept)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keep other processes from changing the file between reading and writing it (not on Windows); a killed process lets go.

    The lock is another file, because every change replaces the file itself.
    """
    lock = path.with_name(f".{path.name}.lock")
    with ExitStack() as stack:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(locked(lock, private=True, wait=True))
        except OSError as error:
            raise StorageError(f"cannot write {lock}: {error.strerror or error}; choose another folder") from error
        yield


def _state(path: Path) -> tuple[int, ...]:
    try:
        status = path.stat()
    except OSError as error:
        raise ConfigurationError(
            f"the access file {path} cannot be read: {error.strerror or error}; see `resight access`"
        ) from error
    return status.st_mtime_ns, status.st_size, status.st_ino


def _read(path: Path) -> dict[str, tuple[Caller, str]]:
    """Return callers and the times at which their tokens were made, by the tokens' SHA-256."""
    try:
        if not path.is_file() and path.exists():
            raise ValueError("it is not a file")  # reading a pipe would wait without end
        values = tomllib.loads(path.read_text(encoding="utf-8"))
        entries: dict[str, tuple[Caller, str]] = {}
        for entry in values.pop("token", []):
            cameras = entry.get("cameras")
            if not (cameras is None or (isinstance(cameras, list) and all(isinstance(camera, str) for camera in cameras))):
                raise ValueError("cameras must be a list of texts")
            if unknown := entry.keys() - {"name", "role", "cameras", "sha256", "created"}:
                raise ValueError(f"unknown key {sorted(unknown)[0]}")
            caller = Caller(
                name=entry["name"], role=entry["role"], cameras=None if cameras is None else frozenset(map(camera_name, cameras))
            )
            _check(caller, path)
            if not re.fullmatch("[0-9a-f]{64}", entry["sha256"]):
                raise ValueError(f"sha256 of {caller.name} must be 64 hexadecimal digits")
            entries[entry["sha256"]] = caller, str(entry.get("created", ""))
        if values:
            raise ValueError(f"unknown key {sorted(values)[0]}")
        return entries
    except OSError as error:
        raise ConfigurationError(
            f"the access file {path} cannot be read: {error.strerror or error}; see `resight access`"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ConfigurationError(f"the access file {path} cannot be used ({error}); write it with `resight access`") from error


def _check(caller: Caller, path: Path) -> None:
    if caller.role not in ROLES:
        raise ConfigurationError(f"{path}: role {caller.role!r} is unknown; expected {', '.join(ROLES)}")
    texts: list[Any] = [caller.name, *(caller.cameras or ())]
    if not caller.name or any(not isinstance(text, str) or len(text) > _LONGEST_NAME or not _plain(text) for text in texts):
        raise ConfigurationError(
            f"{path}: the name {caller.name!r} or one of its cameras cannot be used; expected at most 100 printable characters"
        )


def _plain(text: str) -> bool:
    return all(character.isprintable() for character in text)


def _write(path: Path, entries: dict[str, tuple[Caller, str]]) -> None:
    lines = ["# Tokens for `resight serve`, written by `resight access`. Only the SHA-256 of each token is stored."]
    for sha256, (caller, created) in entries.items():
        values: dict[str, Any] = {"name": caller.name, "role": caller.role}
        values |= {} if caller.cameras is None else {"cameras": sorted(caller.cameras)}
        values |= {"sha256": sha256, "created": created}
        # Texts of JSON and lists of them are texts and lists of TOML where all characters are printable.
        lines += ["", "[[token]]", *(f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in values.items())]
    write_text(path, "\n".join(lines) + "\n", private=True)
