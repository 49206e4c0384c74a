"""From the address of a gallery to its `Delivery`."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path

from resight.errors import ConfigurationError
from resight.gallery.remote.backlog import Backlog
from resight.gallery.remote.delivery import Delivery
from resight.gallery.remote.parcel import Destination
from resight.gallery.remote.postgres import DatabaseGallery
from resight.gallery.remote.service import ServiceGallery

__all__ = ["TOKEN", "is_remote", "open_delivery"]

TOKEN = "RESIGHT_TOKEN"
"""Environment variable of a service's token."""


def is_remote(location: str) -> bool:
    """Tell if an address is that of a service or a database, and not a folder."""
    return re.match(r"(https?|postgres(ql)?):", location) is not None


def open_delivery(
    location: str,
    shown: str,
    *,
    token: Path | None = None,
    backlog: Path | None = None,
    most: int = 1_000_000_000,
    report: Callable[[str], None] = lambda line: None,
) -> Delivery:
    """Make the delivery to a service or a database.

    Parameters
    ----------
    location, shown : str
        Its address, and the same without a password.
    token : Path, optional
        File with the token of a service, read again for every request; without it, the environment variable `TOKEN`.
    backlog : Path, optional
        Folder for what waits; by default one for this address, below ``$XDG_STATE_HOME`` or ``~/.local/state``.
    most : int
        Largest size of the backlog, in bytes.
    report : callable
        See `Delivery`.

    Raises
    ------
    ConfigurationError
        If the address or the token cannot be used, or the backlog is in use or for another address.
    GalleryAwayError
        If the gallery cannot be reached, and the backlog does not know it from before.
    StorageError
        If the backlog cannot be written.
    """
    destination: Destination
    if location.startswith("postgres"):
        destination = DatabaseGallery(location, shown)
    else:
        _token(token)
        destination = ServiceGallery(location, lambda: _token(token), report)
    waiting = Backlog(backlog or _folder(shown), most)
    try:
        return Delivery(destination, waiting, report=report)
    except BaseException:
        destination.close()
        waiting.close()
        raise


def _token(file: Path | None) -> str:
    if file is None:
        text = os.environ.get(TOKEN, "")
        way_out = f"make one by `resight access`, and put it into the environment as {TOKEN}, or into a file for --token"
        named = "no token"
    else:
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"the token cannot be read from {file}: {error}; name another file by --token") from error
        way_out, named = "write the line into it that `resight access` prints", f"no token in {file}"
    text = text.strip()
    if not re.fullmatch(r"[\x21-\x7e]+", text):
        raise ConfigurationError(f"{named}; {way_out}" if not text else f"the token has blanks or other letters; {way_out}")
    return text


def _folder(shown: str) -> Path:
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    host = re.sub(r"[^A-Za-z0-9.-]", "-", shown.partition("://")[2].partition("/")[0])[:60]
    return state / "resight" / "backlog" / f"{host}-{hashlib.sha256(shown.encode()).hexdigest()[:8]}"
