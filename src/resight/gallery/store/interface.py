"""The interface of every back end of a gallery."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from resight.distances.vectors import embeddings_of
from resight.errors import ArrayError, ConfigurationError, GalleryError
from resight.gallery.settings import Settings
from resight.gallery.sighting import EVERYTHING, Record, Sighting, Where
from resight.progress import Progress, silent

__all__ = [
    "Camera",
    "Removal",
    "Store",
    "Summary",
    "check_queries",
    "check_sightings",
    "check_text",
    "check_version",
    "is_database",
]

_LONGEST_TEXT = 4096


@dataclass(frozen=True, kw_only=True)
class Camera:
    """Summary of one camera.

    Attributes
    ----------
    sightings : int
        Number of sightings, at least one.
    first, last : datetime or None
        Times of the first and the last sighting that has one; UTC.
    """

    sightings: int
    first: datetime | None
    last: datetime | None


@dataclass(frozen=True, kw_only=True)
class Removal:
    """Result of a removal.

    Attributes
    ----------
    removed : int
        Sightings removed.
    removed_from_snapshots : int
        Copies removed from snapshots.
    files, bytes : int
        Number and size of the files searched for traces.
    proved : bool
        True if no piece of 16 bytes of their vectors, thumbnails and ids was found. One with eight equal bytes in a row tells
        nothing, and does not count.
    note : str
        Limits of the removal, for the user.
    """

    removed: int
    removed_from_snapshots: int = 0
    files: int = 0
    bytes: int = 0
    proved: bool = False
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Counts of the sightings of all or some cameras.

    Attributes
    ----------
    cameras : dict of str to Camera
        By name, sorted.
    identities, unlabelled : int
        Number of people, and of sightings without an identity.
    expired : int
        Number of sightings older than a retention, in the store and its snapshots.
    future : int
        Number of sightings in the store that were enrolled in the future.
    """

    cameras: dict[str, Camera]
    identities: int
    unlabelled: int
    expired: int
    future: int


class Store(Protocol):
    """Sightings by id, and the nearest by vector. The effect of a call is on disk when it returns.

    Several processes and threads may share a store; each call sees one state. Content that does not match its checksum raises
    `GalleryDamagedError`.
    """

    @property
    def settings(self) -> Settings:
        """Settings of the gallery."""

    def __len__(self) -> int:
        """Return the number of sightings."""

    def add(self, sightings: Sequence[Sighting]) -> int:
        """Add sightings whose id is new, all or none; return their number. Raises `ArrayError` for wrong shapes and NaN."""

    def present(self, ids: Iterable[str]) -> set[str]:
        """Return those of some ids that are in the store."""

    def get(self, ids: Iterable[str]) -> dict[str, Sighting]:
        """Return sightings by id; unknown ids are left out."""

    def records(self, where: Where = EVERYTHING) -> list[Record]:
        """Return records in the order of their enrolment."""

    def page(self, where: Where, limit: int, after: Record | None = None) -> list[Record]:
        """List at most `limit` records by time and id, those without a time last, and only those behind `after`.

        The filter may name cameras, identities and times. The time that a page takes does not grow with the store.
        """

    def cameras(self) -> dict[str, Camera]:
        """Return the cameras by name, sorted."""

    def summary(self, cameras: frozenset[str] | None, older_than: datetime | None, newer_than: datetime) -> Summary:
        """Count sightings, in time that grows with cameras and people only."""

    def search(
        self, vectors: NDArray[np.float32], k: int, where: Where = EVERYTHING
    ) -> tuple[NDArray[np.str_], NDArray[np.float32]]:
        """Find the k nearest of each vector, exactly: ids and distances, both (q, m), m = min(k, matching); ties by id."""

    def label(self, ids: Iterable[str], identity: str, was: Mapping[str, str] | None = None) -> int:
        """Set an identity (empty: unknown); return the number of sightings.

        With `was`, identities by id as somebody read them, sightings that are called otherwise by now are left alone.
        """

    def names(self) -> tuple[set[str], set[str]]:
        """Return the names of all cameras, and of all people, also of those that only snapshots hold."""

    def copies(self, where: Where) -> set[str]:
        """Return ids that `remove` would reach outside of `records`: in snapshots, or left by an interrupted removal."""

    def remove(self, where: Where, *, progress: Progress = silent) -> Removal:
        """Delete sightings, and all of their bytes that the back end can reach."""

    def claim(self, work: str) -> bool:
        """Claim work that one process does alone, until the store is closed; False if another has claimed it there."""

    def kept(self, name: str) -> Any:
        """Return the JSON value kept under a name, or None."""

    def keep(self, name: str, value: Any) -> None:
        """Keep a JSON value under a name. Purges do not reach it: nothing about a person belongs there."""

    def close(self) -> None:
        """Close files and connections."""


def check_sightings(sightings: Sequence[Sighting], dimension: int) -> NDArray[np.float32]:
    """Check sightings before they are added, and return their vectors, float32 (n, d).

    Raises
    ------
    ArrayError
        If a vector has another shape, or holds NaN or infinity.
    ConfigurationError
        If an id, a text or a time cannot be stored.
    """
    for sighting in sightings:
        if not re.fullmatch("[0-9a-f]{32}", sighting.id):
            raise ConfigurationError(f"the id {sighting.id!r}; expected 32 hexadecimal digits, see `sighting_id`")
        for name in ("camera", "source", "tracklet", "identity"):
            check_text(name, getattr(sighting, name))
        if any(time is not None and time.tzinfo is None for time in (sighting.time, sighting.enrolled)):
            raise ConfigurationError(f"sighting {sighting.id} has a time without a time zone; expected one, such as UTC")
        if np.shape(sighting.embedding) != (dimension,):
            raise ArrayError(f"a vector has shape {np.shape(sighting.embedding)}; this gallery's have ({dimension},)")
    if not sightings:
        return np.empty((0, dimension), np.float32)
    return embeddings_of("gallery", np.stack([sighting.embedding for sighting in sightings]))


def check_queries(vectors: NDArray[np.float32], k: int, dimension: int) -> NDArray[np.float32]:
    """Return queries as float32 (q, d). Raises `ArrayError` if they have another dimension, hold NaN, or k is less than 1."""
    queries = embeddings_of("query", vectors)
    if queries.shape[1] != dimension:
        raise ArrayError(f"query embeddings hold {queries.shape[1]} numbers and the gallery's {dimension}; expected as many")
    if k < 1:
        raise ArrayError(f"k is {k}; expected at least 1")
    return queries


def check_text(name: str, text: str) -> None:
    """Raise `ConfigurationError` if a text holds a NUL or half a surrogate pair, or is too long."""
    if len(text) > _LONGEST_TEXT or "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise ConfigurationError(f"{name} {text[:60]!r} cannot be stored; expected at most {_LONGEST_TEXT} characters of text")


def check_version(what: object, found: object, expected: int, oldest: int) -> None:
    """Raise `GalleryError` if another version of Resight wrote a gallery, which says so. It is not damaged.

    `oldest` is the version from which a migration leads to the expected one.
    """
    if found != expected:
        age, way_out = "an older", "enrol the crops again, or use that version"
        if isinstance(found, int) and found > expected:
            age, way_out = "a newer", "upgrade Resight"
        elif isinstance(found, int) and found >= oldest:
            way_out = "back it up, then run `resight gallery migrate`"
        raise GalleryError(f"{what} was written by {age} version of Resight (schema {found}, expected {expected}); {way_out}")


def is_database(location: object) -> bool:
    """Tell if a location is the address of a database, ``postgresql://...``, and not a folder."""
    return str(location).startswith(("postgresql:", "postgres:"))
