"""Answers of the API, as the OpenAPI document shows them."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Any, Self

from pydantic import BaseModel, Field

from resight.cameras.states import CameraState, Condition
from resight.decision.calibration import Band, Kind
from resight.gallery import Camera, Match, Record, Settings
from resight.gallery.seen import PersonSeen
from resight.service.access import Caller

__all__ = [
    "AuditPage",
    "CameraList",
    "CameraSummary",
    "Enrolled",
    "EnrolledTracklet",
    "Error",
    "Found",
    "Judged",
    "Known",
    "Labelled",
    "Listed",
    "PeopleList",
    "PersonAnswer",
    "Purged",
    "Session",
    "Watched",
]


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
        band: Band | None

    search: str
    decision: Band | None
    thresholds: dict[str, float] | None = Field(description="distances up to which this query has a match, and a possible one")
    asks: Kind | None = Field(description="kind of question whose thresholds these are")
    people: int | None = Field(description="people in the gallery, about, for which the thresholds were moved")
    why: list[str] = Field(description="why the decision is what it is, in sentences")
    matches: list[Place]
    milliseconds: float

    @classmethod
    def place(cls, match: Match, band: Band | None, caller: Caller) -> Place:
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


class Session(BaseModel):
    """The caller, and the gallery."""

    name: str
    role: str
    cameras: list[str] | None
    gallery: Settings
    size: int = Field(description="number of sightings that the caller may see")
    calibration: dict[str, Any] | None
    max_upload: int = Field(description="largest request, in bytes")
    max_k: int = Field(description="largest number of matches of one search")


class Watched(BaseModel):
    """State of a camera that the service watches."""

    state: Condition
    reason: str = Field(description="why it is reconnecting or failed")
    source: str
    frames: int = Field(description="frames that were read")
    broken: int = Field(description="frames that could not be decoded")
    dropped: int = Field(description="frames of a stream that were left out because the processor was too slow")
    reconnected: int
    tracklets: int
    in_view: int = Field(description="people on the last frame")
    last: str | None = Field(description="time of the last frame")

    @classmethod
    def of(cls, state: CameraState, caller: Caller) -> Self:
        """Convert a state. A viewer sees no folders of the machine."""
        values = asdict(state) | {"last": None if state.last is None else datetime.fromtimestamp(state.last, UTC).isoformat()}
        if not caller.may("operator"):
            name = PurePath(state.source).name
            values |= {"source": name, "reason": state.reason.replace(state.source, name)}
        return cls.model_validate(values)


class CameraSummary(BaseModel):
    """One camera; first and last are the times of its first and last sighting."""

    camera: str
    sightings: int
    first: str | None
    last: str | None
    watched: Watched | None = Field(description="null unless the service watches it")

    @classmethod
    def of(cls, name: str, camera: Camera, watched: Watched | None) -> Self:
        """Convert a camera."""
        first, last = (None if time is None else time.isoformat() for time in (camera.first, camera.last))
        return cls(camera=name, sightings=camera.sightings, first=first, last=last, watched=watched)


class CameraList(BaseModel):
    """All cameras that the caller may see."""

    cameras: list[CameraSummary]
    trouble: str = Field(description="why nothing is kept of what the cameras see; empty if it is")


class PersonAnswer(BaseModel):
    """One person, and where they went."""

    class Tracklet(BaseModel):
        """One pass of a person, past one camera."""

        camera: str
        tracklet: str
        start: str
        end: str | None = Field(description="null if it is not known")
        sightings: list[str]
        thumbnail: str

    identity: str = Field(description="empty for a tracklet that belongs to nobody known")
    provisional: bool = Field(description="nobody has given this name")
    cameras: list[str] = Field(description="in the order in which they saw this person")
    first: str
    last: str
    tracklets: list[Tracklet]

    @classmethod
    def of(cls, person: PersonSeen) -> Self:
        """Convert a person."""
        return cls(
            identity=person.identity,
            provisional=person.provisional,
            cameras=person.cameras,
            first=person.first.isoformat(),
            last=person.last.isoformat(),
            tracklets=[
                cls.Tracklet(
                    camera=one.camera,
                    tracklet=one.tracklet,
                    start=one.start.isoformat(),
                    end=None if one.end is None else one.end.isoformat(),
                    sightings=list(one.ids),
                    thumbnail=_thumbnail(one.ids[0]),
                )
                for one in person.passes
            ],
        )


class PeopleList(BaseModel):
    """People with their tracklets, those who were seen last first."""

    people: list[PersonAnswer]
    since: str | None = Field(description="time from which on nobody is missing")
    until: str | None
    more: bool = Field(description="there are others within the times that were asked for")


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


class AuditPage(BaseModel):
    """Entries of the audit log, newest first."""

    entries: list[dict[str, Any]]
    intact: bool = Field(description="no file of the log was changed since it was written")
    problems: list[str]
    head: dict[str, Any]


class Error(BaseModel):
    """One line: what was wrong, and the way out."""

    detail: str


def _source(record: Record, caller: Caller) -> str:
    return record.source if caller.may("operator") else PurePath(record.source).name


def _thumbnail(id: str) -> str:
    return f"/api/sightings/{id}/thumbnail"
