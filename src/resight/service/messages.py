"""Requests and answers of the API, as the OpenAPI document shows them."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import PurePath
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from resight.datasets.names import camera_name, nfc
from resight.errors import ConfigurationError
from resight.gallery import Match, Record, parse_time
from resight.gallery.store.interface import check_text
from resight.service.access import Caller

__all__ = [
    "AuditPage",
    "Band",
    "Box",
    "CameraList",
    "CameraSummary",
    "EnrolForm",
    "Enrolled",
    "Error",
    "Export",
    "Found",
    "GallerySummary",
    "Health",
    "Id",
    "Judged",
    "Known",
    "Listed",
    "Purge",
    "PurgeProgress",
    "Purged",
    "SearchForm",
    "Session",
    "Stats",
    "Text",
    "Time",
    "Verdict",
    "Wanted",
]


def _time(text: object) -> object:
    if text is None or text == "":
        return None
    try:
        return parse_time(str(text))
    except ConfigurationError as error:
        raise ValueError(str(error)) from error


Time = Annotated[datetime | None, BeforeValidator(_time)]
"""ISO 8601; UTC without a zone."""


def _storable(text: str) -> str:
    try:
        check_text("the text", text)
    except ConfigurationError as error:
        raise ValueError(str(error)) from error
    return nfc(text)


Text = Annotated[str, Field(max_length=1000), AfterValidator(_storable)]
CameraName = Annotated[Text, AfterValidator(camera_name)]
Id = Annotated[str, Field(pattern="^[0-9a-f]{32}$")]


class Box(NamedTuple):
    """A rectangle of an upright image, in pixels."""

    x: int
    y: int
    width: int
    height: int

    def __str__(self) -> str:
        return ",".join(map(str, self))


def _box(text: object) -> object:
    if text == "":
        return None
    if not (match := re.fullmatch(r"\s*(-?\d{1,6}),(-?\d{1,6}),(\d{1,6}),(\d{1,6})\s*", str(text))):
        raise ValueError(f"the box is {str(text)[:60]!r}; expected x,y,width,height in whole pixels")
    return Box(*map(int, match.groups()))


BoxText = Annotated[Box | None, BeforeValidator(_box, json_schema_input_type=str)]
"""``x,y,width,height``; an empty text is the whole image."""

Sha256 = Annotated[str, Field(pattern="^([0-9a-f]{64})?$")]
Band = Literal["match", "possible", "unknown"] | None


class _Given(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SearchForm(_Given):
    """Images of one person, and a filter."""

    images: list[bytes] = Field(min_length=1, max_length=8, description="JPEG, PNG, WebP or BMP; all of one person")
    k: int = Field(default=20, ge=1, description="number of sightings to find")
    camera: list[CameraName] = Field(default=[], max_length=100, description="search only these cameras")
    since: Time = Field(default=None, description="search only sightings at this time or later; ISO 8601, UTC unless it has a zone")
    until: Time = Field(default=None, description="search only sightings before this time")
    box: list[BoxText] = Field(
        default=[], max_length=8, description="x,y,width,height in pixels, one an image; empty is the whole image"
    )
    model_sha256: Sha256 = Field(default="", description="expected model; 409 if the gallery has another one")


class EnrolForm(_Given):
    """An image of one person, with its camera, time and identity if known."""

    image: bytes = Field(description="JPEG, PNG, WebP or BMP")
    camera: CameraName = ""
    time: Time = None
    source: Text = Field(default="", description="where the image came from, for people to read")
    tracklet: Text = ""
    identity: Text = ""
    box: BoxText = Field(default=None, description="x,y,width,height in pixels; empty is the whole image")
    model_sha256: Sha256 = ""


class Verdict(_Given):
    """A person's verdict: the sighting shows this identity, or it does not."""

    verdict: Literal["confirm", "reject"]
    identity: Text = Field(min_length=1)
    search: Annotated[str, Field(pattern="^([0-9a-f]{32})?$")] = Field(default="", description="search that found it")


class Wanted(_Given):
    """Filter of a list: all given conditions must hold."""

    identity: Text | None = None
    cameras: list[CameraName] = Field(default=[], max_length=100)
    since: Time = None
    until: Time = None
    limit: int = Field(default=100, ge=1, le=1000)
    after: str = Field(default="", pattern="^([0-9a-f]{32})?$", description="`next` of the page before")


class Export(_Given):
    """Sightings to export, and the reason."""

    ids: list[Id] = Field(min_length=1, max_length=1000)
    reason: Text = Field(pattern=r"\S")


class Purge(_Given):
    """Filter of sightings to delete for good: all given conditions must hold."""

    identity: Text | None = None
    cameras: list[CameraName] | None = Field(default=None, max_length=100)
    ids: list[Id] | None = Field(default=None, max_length=10_000)
    since: Time = None
    until: Time = None
    older_than: Time = Field(default=None, description="seen or enrolled before this time")
    newer_than: Time = Field(default=None, description="seen and enrolled after this time, while a clock was wrong")
    everything: bool = False
    dry_run: bool

    @model_validator(mode="after")
    def _says_what(self) -> Self:
        given = (self.identity, self.cameras, self.ids, self.since, self.until, self.older_than, self.newer_than)
        if all(value is None for value in given) and not self.everything:
            raise ValueError(
                "nothing says what to delete; give identity, cameras, ids, since, until, older_than or newer_than, or everything"
            )
        return self


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


class Judged(BaseModel):
    """A sighting's identity after a verdict."""

    id: str
    identity: str


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
    intact: bool
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
