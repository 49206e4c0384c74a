"""Roles of callers, and the cameras that they may see."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace

from resight.datasets.names import nfc
from resight.errors import AccessError
from resight.gallery import Record, Where

__all__ = ["ROLES", "Caller", "FindCaller", "sha256_of", "single_token"]

ROLES = ("viewer", "operator", "admin")
"""Each role may do everything that the ones before it may."""


@dataclass(frozen=True, kw_only=True)
class Caller:
    """The holder of a token.

    Attributes
    ----------
    name : str
        Name in the audit log.
    role : str
        One of `ROLES`.
    cameras : frozenset of str or None
        Cameras that they may see, or None for all. Other sightings, and sightings without a camera, do not exist for them.
    """

    name: str
    role: str
    cameras: frozenset[str] | None = None

    def may(self, role: str) -> bool:
        """Return whether they may do what a role may."""
        return ROLES.index(self.role) >= ROLES.index(role)

    def sees(self, record: Record) -> bool:
        """Return whether they may see a sighting."""
        return self.cameras is None or nfc(record.camera) in self.cameras

    def narrow(self, where: Where) -> Where:
        """Limit a filter to their cameras. Raises `AccessError` if it names another one."""
        if self.cameras is None:
            return where
        if where.cameras is None:
            return replace(where, cameras=self.cameras)
        self.check_cameras(where.cameras)
        return where

    def check_unlimited(self) -> None:
        """Raise `AccessError` if the token is limited to some cameras."""
        if self.cameras is not None:
            way_out = "ask for a token without cameras"
            raise AccessError(f"this token is limited to some cameras, and this is about all of them; {way_out}")

    def check_cameras(self, cameras: frozenset[str]) -> None:
        """Raise `AccessError` if one of the cameras is not theirs."""
        if self.cameras is not None and (others := cameras - self.cameras):
            named = ", ".join(sorted(others)) if others != {""} else "sightings without a camera"
            raise AccessError(f"this token may not see {named[:200]}; it sees {', '.join(sorted(self.cameras))}")


FindCaller = Callable[[str], Caller | None]
"""Function from a token to its holder; None for an unknown token."""


def single_token(token: str, caller: Caller) -> FindCaller:
    """Make a `FindCaller` for a single token."""
    expected = sha256_of(token)
    return lambda given: caller if secrets.compare_digest(sha256_of(given), expected) else None


def sha256_of(token: str) -> str:
    """SHA-256 of a token, which is all that is stored of it."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
