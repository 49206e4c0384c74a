"""Answers of the API, as the OpenAPI document shows them."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any, Literal, Self

from pydantic import BaseModel, Field

from resight.gallery import Match, Record
from resight.service.access import Caller

__all__ = [
    "AuditPage",
    "Band",
    "CameraList",
    "CameraSummary",
    "Enrolled",
    "EnrolledTracklet",
    "Error",
    "Found",
    "GallerySummary",
    "Health",
    "Judged",
    "Known",
    "Labelled",
    "Listed",
    "PurgeProgress",
    "Purged",
    "Session",
    "Stats",
]

Band = Literal["match", "possible", "unknown"] | None


class Known(BaseModel):
    """A sighting's record."""

    id: str
    enrolled: str
    camera: str
    time: str | None
    source: str
    tracklet: str
    identity: str
    thumbnail: str

    @classmethod
    def of(cls, record: Record, caller: Caller) -> Self:
        """Convert a record. A viewer sees no folders of the machine."""
        return cls(**Record.to_dict(record) | {"source": _source(record, caller)}, thumbnail=_thumbnail(record.id))


class Found(BaseModel):
    """The answer to a search."""

    class Place(Known):
        """One place of the ranked list."""

        rank: int
        distance: float
        band: Band

    search: str
    decision: Band
    thresholds: dict[str, float] | None = Field(description="distances up to which this query has a match, and a possible one")
    matches: list[Place]
    milliseconds: float

    @classmethod
    def place(cls, match: Match, band: Band, caller: Caller) -> Place:
        """Convert one match."""
        known = match.to_dict() | {"source": _source(match.record, caller)}
        return cls.Place(**known, thumbnail=_thumbnail(match.record.id), band=band)


class Listed(BaseModel):
    """One page of a list."""

    sightings: list[Known]
    next: str | None


class Enrolled(BaseModel):
    """Result of enrolling a crop."""

    id: str
    added: bool


class EnrolledTracklet(Enrolled):
    """Result of enrolling a tracklet."""

    expired: bool = Field(description="older than the gallery keeps anything, and therefore left out")


class Judged(BaseModel):
    """A sighting's identity after a verdict."""

    id: str
    identity: str


class Labelled(BaseModel):
    """How many sightings have another name now."""

    labelled: int


class GallerySummary(BaseModel):
    """The gallery's settings, and the number of sightings that the caller may see."""

    model: str
    model_sha256: str
    height: int
    width: int
    dimension: int
    distance: str
    retention: int | None
    size: int


class Session(BaseModel):
    """The caller, and the gallery."""

    name: str
    role: str
    cameras: list[str] | None
    gallery: GallerySummary
    calibration: dict[str, Any] | None
    max_upload: int = Field(description="largest request, in bytes")


class CameraSummary(BaseModel):
    """One camera; first and last are the times of its first and last sighting."""

    camera: str
    sightings: int
    first: str | None
    last: str | None


class CameraList(BaseModel):
    """All cameras that the caller may see."""

    cameras: list[CameraSummary]


class Purged(BaseModel):
    """Result of a purge, or of its dry run."""

    sightings: int
    removed: bool
    removed_from_snapshots: int = 0
    files: int = 0
    bytes: int = 0
    proved: bool = False
    note: str = ""
    near: list[str] = Field(default=[], description="names that are nearly the same, and were not deleted")


class PurgeProgress(BaseModel):
    """Progress of a purge that runs, or of the last one since the service was started."""

    running: bool = Field(description="one runs or waits")
    done: int = Field(description="sightings that are deleted without a trace")
    of: int = Field(description="sightings to delete")
    since: str | None
    unfinished: bool = Field(description="a purge was interrupted: traces are left, and the next purge or retention removes them")


class AuditPage(BaseModel):
    """Entries of the audit log, newest first."""

    entries: list[dict[str, Any]]
    intact: bool = Field(description="no file of the log was changed since it was written")
    problems: list[str]
    head: dict[str, Any]


class Stats(BaseModel):
    """Numbers about the sightings that the caller may see."""

    count: int
    identities: int
    unlabelled: int
    expired: int
    future: int
    cameras: dict[str, int]
    first: str | None
    last: str | None
    bytes: int | None
    snapshots: list[str]
    settings: dict[str, Any]


class Health(BaseModel):
    """State of the service."""

    status: Literal["ok"]


class Error(BaseModel):
    """One line: what was wrong, and the way out."""

    detail: str


def _source(record: Record, caller: Caller) -> str:
    return record.source if caller.may("operator") else PurePath(record.source).name


def _thumbnail(id: str) -> str:
    return f"/api/sightings/{id}/thumbnail"
