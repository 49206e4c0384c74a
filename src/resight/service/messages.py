"""What the API is sent, and what it answers, as the OpenAPI document shows it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from resight.datasets.names import camera_name, nfc
from resight.errors import ConfigurationError
from resight.gallery import Match, Record, parse_time
from resight.gallery.store.store import check_text

__all__ = [
    "AuditPage",
    "Band",
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
Sha256 = Annotated[str, Field(pattern="^([0-9a-f]{64})?$")]
Band = Literal["match", "possible", "unknown"] | None


class _Given(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SearchForm(_Given):
    """Images of one person, and where to search."""

    images: list[bytes] = Field(min_length=1, max_length=8, description="JPEG, PNG, WebP or BMP; all of one person")
    k: int = Field(default=20, ge=1, description="how many sightings to find")
    camera: list[CameraName] = Field(default=[], max_length=100, description="search only these cameras")
    since: Time = Field(default=None, description="only what was seen then or later; ISO 8601, UTC without a zone")
    until: Time = Field(default=None, description="only what was seen before")
    box: list[Text] = Field(default=[], max_length=8, description="x,y,width,height in pixels, one an image; empty is all of it")
    model_sha256: Sha256 = Field(default="", description="whose vectors are expected; 409 if the gallery's model is another")


class EnrolForm(_Given):
    """An image of one person, and what is known of it."""

    image: bytes = Field(description="JPEG, PNG, WebP or BMP")
    camera: CameraName = ""
    time: Time = None
    source: Text = Field(default="", description="where it came from, for people to read")
    tracklet: Text = ""
    identity: Text = ""
    box: Text = Field(default="", description="x,y,width,height in pixels; empty is all of it")
    model_sha256: Sha256 = ""


class Verdict(_Given):
    """What a person says of a sighting: that it shows somebody, or that it does not."""

    verdict: Literal["confirm", "reject"]
    identity: Text = Field(min_length=1)
    search: Annotated[str, Field(pattern="^([0-9a-f]{32})?$")] = Field(default="", description="the search that found it")


class Wanted(_Given):
    """Which sightings to list: those for which everything that is given holds."""

    identity: Text | None = None
    cameras: list[CameraName] = Field(default=[], max_length=100)
    since: Time = None
    until: Time = None
    limit: int = Field(default=100, ge=1, le=1000)
    after: str = Field(default="", pattern="^([0-9a-f]{32})?$", description="the last one that was listed before")


class Export(_Given):
    """Sightings to take out of the gallery, and what for."""

    ids: list[Id] = Field(min_length=1, max_length=1000)
    reason: Text = Field(pattern=r"\S")


class Purge(_Given):
    """Sightings to delete for good: those for which everything that is given holds."""

    identity: Text | None = None
    cameras: list[CameraName] | None = Field(default=None, max_length=100)
    ids: list[Id] | None = Field(default=None, max_length=10_000)
    since: Time = None
    until: Time = None
    older_than: Time = Field(default=None, description="seen or enrolled before")
    everything: bool = False
    dry_run: bool

    @model_validator(mode="after")
    def _says_what(self) -> Self:
        given = (self.identity, self.cameras, self.ids, self.since, self.until, self.older_than)
        if all(value is None for value in given) and not self.everything:
            raise ValueError("nothing says what to delete; give identity, cameras, ids, since, until or older_than, or everything")
        return self


class Known(BaseModel):
    """What is known of a sighting."""

    id: str
    enrolled: str
    camera: str
    time: str | None
    source: str
    tracklet: str
    identity: str
    thumbnail: str

    @classmethod
    def of(cls, record: Record) -> Self:
        """As the API shows it."""
        return cls(**Record.to_dict(record), thumbnail=_thumbnail(record.id))


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
    def place(cls, match: Match, band: Band) -> Place:
        """One place of the ranked list."""
        return cls.Place(**match.to_dict(), thumbnail=_thumbnail(match.record.id), band=band)


class Listed(BaseModel):
    """Some of the sightings."""

    sightings: list[Known]
    next: str | None


class Enrolled(BaseModel):
    """What became of a crop."""

    id: str
    added: bool


class Judged(BaseModel):
    """Whose image a sighting is now."""

    id: str
    identity: str


class GallerySummary(BaseModel):
    """The gallery's settings, and how many sightings of it exist for the caller."""

    model: str
    model_sha256: str
    height: int
    width: int
    dimension: int
    distance: str
    retention: int | None
    size: int


class Session(BaseModel):
    """Who asks, and of what."""

    name: str
    role: str
    cameras: list[str] | None
    gallery: GallerySummary
    calibration: dict[str, Any] | None
    max_upload: int = Field(description="bytes of one request")


class CameraSummary(BaseModel):
    """One camera; first and last are when it saw somebody."""

    camera: str
    sightings: int
    first: str | None
    last: str | None


class CameraList(BaseModel):
    """All cameras that exist for the caller."""

    cameras: list[CameraSummary]


class Purged(BaseModel):
    """What was deleted, or would be."""

    sightings: int
    removed: bool
    removed_from_snapshots: int = 0
    files: int = 0
    bytes: int = 0
    proved: bool = False
    note: str = ""


class AuditPage(BaseModel):
    """Entries of the audit log, newest first."""

    entries: list[dict[str, Any]]
    intact: bool
    problems: list[str]
    head: dict[str, Any]


class Stats(BaseModel):
    """What is in the gallery, as far as it exists for the caller."""

    count: int
    identities: int
    unlabelled: int
    expired: int
    cameras: dict[str, int]
    first: str | None
    last: str | None
    bytes: int | None
    snapshots: list[str]
    settings: dict[str, Any]


class Health(BaseModel):
    """Whether the service can do its work."""

    status: Literal["ok"]


class Error(BaseModel):
    """What was wrong, and the way out, in one line."""

    detail: str


def _thumbnail(id: str) -> str:
    return f"/api/sightings/{id}/thumbnail"
