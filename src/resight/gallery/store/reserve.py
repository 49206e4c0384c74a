"""Space that is kept for a purge, so that one succeeds on a full disk.

To delete, SQLite first writes to a log. The reserve is a file of zeros in the gallery's folder. A purge removes it before it
writes anything, and makes it again at its end. It deletes so few sightings at a time that their log fits into the reserve.
"""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from resight.files import allocate

__all__ = ["FILE", "is_full", "keep", "release"]

FILE = "reserve"
"""Name of the reserve in a gallery's folder."""

_SIZE = 2**23  # bytes; SQLite's log holds some 2^22 before they are moved into the file, which grows by them


def keep(folder: Path) -> None:
    """Make the reserve, if there is none; a smaller one if there is less space."""
    path, sizes = folder / FILE, [_SIZE, _SIZE // 2, _SIZE // 4]
    while sizes and not path.exists():
        with contextlib.suppress(OSError):
            allocate(path, sizes.pop(0))


def release(folder: Path) -> bool:
    """Remove the reserve; return whether there was one."""
    try:
        (folder / FILE).unlink()
    except OSError:
        return False
    return True


def is_full(error: sqlite3.Error) -> bool:
    """Return whether SQLite failed for lack of space."""
    return str(getattr(error, "sqlite_errorname", "")).startswith(("SQLITE_FULL", "SQLITE_IOERR"))
