"""What every back end of a gallery can do."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from resight.distances.euclidean import embeddings_of
from resight.errors import ArrayError, ConfigurationError
from resight.gallery.settings import Settings
from resight.gallery.sighting import EVERYTHING, Record, Sighting, Where
from resight.progress import Progress, silent

__all__ = ["Camera", "Removal", "Store", "check_queries", "check_sightings", "check_text"]

_LONGEST_TEXT = 4096


@dataclass(frozen=True, kw_only=True)
class Camera:
    """What a camera saw.

    Attributes
    ----------
    sightings : int
        At least one.
    first, last : datetime or None
        When it saw the first and the last whose time is known; UTC.
    """

    sightings: int
    first: datetime | None
    last: datetime | None


@dataclass(frozen=True, kw_only=True)
class Removal:
    """What a removal did.

    Attributes
    ----------
    removed : int
        Sightings that are gone.
    removed_from_snapshots : int
        Copies that are gone from snapshots.
    files, bytes : int
        What was searched for remains of them.
    proved : bool
        Whether not one piece of 16 bytes of their vectors and thumbnails was found.
    note : str
        What a user should know.
    """

    removed: int
    removed_from_snapshots: int = 0
    files: int = 0
    bytes: int = 0
    proved: bool = False
    note: str = ""


class Store(Protocol):
    """Sightings by id, and the nearest by vector. Whatever a call has done when it returns is durable.

    Several processes and threads may use one at a time; each call sees one state. What is read was written so: content that
    does not fit its checksum raises `GalleryDamagedError` instead of being returned.
    """

    @property
    def settings(self) -> Settings:
        """What the gallery was made with."""

    def __len__(self) -> int:
        """How many sightings there are."""

    def add(self, sightings: Sequence[Sighting]) -> int:
        """Add those whose id is not there yet, all or none; how many that were. Raises `ArrayError` for other shapes, or NaN."""

    def present(self, ids: Iterable[str]) -> set[str]:
        """Those of some ids that are there."""

    def get(self, ids: Iterable[str]) -> dict[str, Sighting]:
        """Sightings by id; those that are not there are left out."""

    def records(self, where: Where = EVERYTHING) -> list[Record]:
        """What is known of sightings, in the order of their enrolment."""

    def cameras(self) -> dict[str, Camera]:
        """The cameras by name, in the order of their names."""

    def search(
        self, vectors: NDArray[np.float32], k: int, where: Where = EVERYTHING
    ) -> tuple[NDArray[np.str_], NDArray[np.float32]]:
        """The k nearest of each vector, exactly: ids and distances, both (q, m), m = k or all that there are; ties by id."""

    def label(self, ids: Iterable[str], identity: str) -> int:
        """Say whose image some are (empty: unknown); how many there were."""

    def copies(self, where: Where) -> set[str]:
        """Ids that `remove` would reach besides those of `records`: in snapshots, or left by a removal that was interrupted."""

    def remove(self, where: Where, *, progress: Progress = silent) -> Removal:
        """Delete sightings, and whatever the back end can reach of their bytes."""

    def close(self) -> None:
        """Let go of files and connections."""


def check_sightings(sightings: Sequence[Sighting], dimension: int) -> NDArray[np.float32]:
    """The vectors of sightings that are about to be added, float32 (n, d).

    Raises
    ------
    ArrayError
        If a vector has another shape, or holds NaN or infinity.
    ConfigurationError
        If an id, a text or a time is none.
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
    """Queries as float32 (q, d). Raises `ArrayError` if they have another dimension, hold NaN, or k is less than 1."""
    queries = embeddings_of("query", vectors)
    if queries.shape[1] != dimension:
        raise ArrayError(f"query embeddings hold {queries.shape[1]} numbers and the gallery's {dimension}; expected as many")
    if k < 1:
        raise ArrayError(f"k is {k}; expected at least 1")
    return queries


def check_text(name: str, text: str) -> None:
    """Raises `ConfigurationError` if a text cannot be stored: if it holds a NUL or half a surrogate pair, or is too long."""
    if len(text) > _LONGEST_TEXT or "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise ConfigurationError(f"{name} {text[:60]!r} cannot be stored; expected at most {_LONGEST_TEXT} characters of text")
