"""Requests that callers send to the API, as the OpenAPI document shows them."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from resight.datasets.names import camera_name, nfc
from resight.errors import ConfigurationError
from resight.gallery import parse_time
from resight.gallery.grouping import OnePer
from resight.gallery.store.interface import check_text
from resight.images import FORMATS

__all__ = [
    "Box",
    "EnrolForm",
    "Export",
    "Id",
    "Label",
    "Purge",
    "Renaming",
    "SearchForm",
    "Seen",
    "Text",
    "Time",
    "TrackletForm",
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


class _Given(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SearchForm(_Given):
    """Images of one person, and a filter."""

    images: list[bytes] = Field(min_length=1, max_length=8, description=f"{FORMATS}; all of one person")
    k: int = Field(default=20, ge=1, description="number of sightings to find")
    camera: list[CameraName] = Field(default=[], max_length=100, description="search only these cameras")
    not_camera: list[CameraName] = Field(default=[], max_length=100, description="leave out these cameras")
    one_per: OnePer = Field(default="sighting", description="show only the nearest sighting of each of these")
    since: Time = Field(default=None, description="search only sightings at this time or later; ISO 8601, UTC unless it has a zone")
    until: Time = Field(default=None, description="search only sightings before this time")
    box: list[BoxText] = Field(
        default=[], max_length=8, description="x,y,width,height in pixels, one an image; empty is the whole image"
    )
    model_sha256: Sha256 = Field(default="", description="expected model; 409 if the gallery has another one")


class EnrolForm(_Given):
    """An image of one person, with its camera, time and identity if known."""

    image: bytes = Field(description=FORMATS)
    camera: CameraName = ""
    time: Time = None
    source: Text = Field(default="", description="where the image came from, for people to read")
    tracklet: Text = ""
    identity: Text = ""
    box: BoxText = Field(default=None, description="x,y,width,height in pixels; empty is the whole image")
    model_sha256: Sha256 = ""


class TrackletForm(_Given):
    """Crops of one person's path past a camera, the best first, with one vector for all of its images."""

    crops: list[bytes] = Field(min_length=1, max_length=8, description=f"{FORMATS}; all of one person, the best first")
    vector: bytes = Field(
        default=b"",
        description="the gallery's number of float32, little-endian; without it, the service embeds the crops and fuses them",
    )
    tracklet: Text = Field(min_length=1, description="name, which differs from that of every other tracklet of this camera")
    camera: CameraName = ""
    time: Time = None
    seconds: float | None = Field(default=None, ge=0, le=1e6, allow_inf_nan=False, description="how long the tracklet was")
    source: Text = Field(default="", description="where the images came from, for people to read")
    model_sha256: Sha256 = Field(default="", description="model that made the vector; 409 if the gallery has another one")

    @model_validator(mode="after")
    def _names_its_model(self) -> Self:
        if self.vector and not self.model_sha256:
            raise ValueError("a vector says nothing without its model; give model_sha256, or leave the vector out")
        return self


class Verdict(_Given):
    """A person's verdict: the sighting shows this identity, or it does not."""

    verdict: Literal["confirm", "reject"]
    identity: Text = Field(min_length=1)
    search: Annotated[str, Field(pattern="^([0-9a-f]{32})?$")] = Field(default="", description="search that found it")


class Label(_Given):
    """Sightings, by id or by tracklet, and who is on them."""

    ids: list[Id] = Field(default=[], max_length=10_000)
    tracklets: list[Text] = Field(default=[], max_length=1000)
    identity: Text = Field(description="empty takes the name away")

    @model_validator(mode="after")
    def _says_what(self) -> Self:
        if not self.ids and not self.tracklets:
            raise ValueError("nothing says which sightings; give ids or tracklets")
        return self


class Renaming(_Given):
    """A person's present name, and another one."""

    old: Text = Field(min_length=1)
    new: Text = Field(min_length=1)


class Wanted(_Given):
    """Filter of a list: all given conditions must hold."""

    identity: Text | None = None
    cameras: list[CameraName] = Field(default=[], max_length=100)
    since: Time = None
    until: Time = None
    limit: int = Field(default=100, ge=1, le=1000)
    after: str = Field(default="", pattern="^([0-9a-f]{32})?$", description="`next` of the page before")


class Seen(_Given):
    """Filter of people by their sightings: all given conditions must hold."""

    identity: Text | None = None
    cameras: list[CameraName] = Field(default=[], max_length=100)
    since: Time = Field(default=None, description="15 minutes before `until`, unless it or an identity is given")
    until: Time = Field(default=None, description="now, unless given")
    limit: int = Field(default=500, ge=1, le=1000, description="sightings at most; the last ones, unless only an identity is given")


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
