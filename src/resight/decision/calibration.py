"""Thresholds on the distance up to which a search answers match or possible; `resight.decision.calibrate` chooses them.

The rate grows with the gallery, so the promise names the number of people it was measured with; `resight.decision.growth` moves
the thresholds for other numbers. Behind a filter the rate is lower.

A tracklet is not an image: its vector is the mean of many, so it is nearer to everything. What asks decides which thresholds apply.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike

from resight.cameras.links import Limits
from resight.decision.cohort import Cohort
from resight.decision.growth import Growth, say_larger
from resight.decision.links import LinkPoint
from resight.decision.open_set import LabelledSearches
from resight.decision.operating_point import OperatingPoint, measure
from resight.errors import ArrayError, GalleryError, ModelMismatchError
from resight.files import read_json, write_json
from resight.gallery.settings import Settings
from resight.gallery.sighting import Record

__all__ = [
    "BANDS",
    "EXPECTED",
    "GUARANTEED",
    "IMAGE",
    "KINDS",
    "MATCH",
    "NOTHING",
    "POSSIBLE",
    "PROMISES",
    "TRACKLET",
    "UNKNOWN",
    "Band",
    "Calibration",
    "Kind",
    "OperatingPoint",
    "kind_kept",
]

Band = Literal["match", "possible", "unknown"]
BANDS: tuple[Band, Band, Band] = ("match", "possible", "unknown")
MATCH, POSSIBLE, UNKNOWN = BANDS
EXPECTED, GUARANTEED = PROMISES = ("expected", "guaranteed")
"""Kinds of rate: the measured one, or one that holds with confidence."""

Kind = Literal["image", "tracklet"]
KINDS: tuple[Kind, Kind] = ("image", "tracklet")
IMAGE, TRACKLET = KINDS
"""Kinds of question, and of sighting: one crop, or several crops of one person by one camera, fused."""

NOTHING = -1.0
"""Threshold that no distance is within."""

_FORMAT = "resight-calibration-4"
_OF_ASKER = ("people", "images", "match", "possible", "instead", "growth")  # what differs between those who ask


def kind_kept(records: Sequence[Record]) -> Kind | None:
    """Tell from some sightings whether a gallery keeps images, or one vector for each tracklet; None without sightings."""
    if not records:
        return None
    names = {(record.camera, record.tracklet) for record in records if record.tracklet}
    return TRACKLET if len(names) == len(records) else IMAGE


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Two thresholds for the distances of one model.

    Attributes
    ----------
    model, model_sha256, height, width, distance
        Model and distance that the thresholds hold for; see `Settings`.
    confidence : float
        Confidence of each limit by itself.
    people, images : int
        People, and images or tracklets, used for the choice. Every search went to the images of the `people - 1` others.
    match, possible : OperatingPoint
    promise : str
        One of `PROMISES`.
    cohort : Cohort or None
        Strangers that tell how common an appearance is; see `resight.decision.cohort`.
    provenance : mapping
    asks, sightings : str
        Kind of question, and of the gallery's sightings: ``"image"`` or ``"tracklet"``.
    instead : pair of OperatingPoint, or None
        Match and possible by the other promise; None if the people are too few for it.
    growth : Growth or None
        Thresholds for galleries of other sizes.
    tracklets : Calibration or None
        Calibration for tracklets that ask, if this one is for images.
    joined : LinkPoint or None
        Thresholds by which tracklets of several cameras are joined into people; None if the people passed one camera only.
    labelled : bool
        False if nobody's name was known: rates of false answers are then predicted; see `resight.decision.unlabelled`.
    """

    model: str
    model_sha256: str
    height: int
    width: int
    distance: str
    confidence: float
    people: int
    images: int
    match: OperatingPoint
    possible: OperatingPoint
    promise: str = EXPECTED
    cohort: Cohort | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)
    asks: Kind = IMAGE
    sightings: Kind = IMAGE
    instead: tuple[OperatingPoint, OperatingPoint] | None = None
    growth: Growth | None = None
    tracklets: Calibration | None = None
    joined: LinkPoint | None = None
    labelled: bool = True

    def asked_with(self, images: int) -> Calibration:
        """Return the calibration that applies to a question of so many images: from two on that of tracklets, if there is one."""
        return self.tracklets if images > 1 and self.tracklets is not None else self

    def joins(self, tracklet: ArrayLike) -> float:
        """Return the distance up to which other tracklets are of the same person: that of a match, if tracklets ask."""
        return self.asked_with(2).thresholds(tracklet)[0]

    def limits(self) -> Limits:
        """Return the limits by which `resight.cameras.links.Linker` joins tracklets into people."""
        return Limits(self.joins, None if self.joined is None else self.joined.among)

    def check(self, settings: Settings) -> None:
        """Raise `ModelMismatchError` for a gallery of another model or distance."""
        mine, given = ((which.model_sha256, which.height, which.width, which.distance) for which in (self, settings))
        if mine != given:
            raise ModelMismatchError(
                f"the calibration is for {_named(self)} and the gallery for {_named(settings)}; "
                "calibrate the gallery's model, by the gallery's distance"
            )

    def notes(self, settings: Settings, images: int = 1, people: int | None = None, kept: Kind | None = None) -> tuple[str, ...]:
        """Return notes for cases that the promise does not cover.

        Parameters
        ----------
        settings : Settings
            Settings of the gallery: coarse vectors are not covered.
        images : int
            Images that ask.
        people : int, optional
            People in the gallery: more than the calibration had are not covered, or only by the law of growth.
        kept : str, optional
            Kind of the gallery's sightings, as `kind_kept` tells it: another kind has other distances.
        """
        notes = [] if self.labelled else [self.caveat()]
        if settings.precision == "int8":
            notes.append("the calibration makes no promise for a gallery stored as int8, because its distances are coarser")
        if kept is not None and kept != self.sightings:
            notes.append(
                f"the calibration is for a gallery that keeps {self.sightings}s, and this one keeps {kept}s, whose distances are "
                f"others; make one with `resight calibrate --sightings {kept}`"
            )
        if images > 1 and self.asked_with(images).asks != TRACKLET:
            notes.append(f"the calibration makes its promise for one query image, not for {images} fused images")
        if people is not None and people > self.people - 1:
            notes.append(say_larger(self.growth, self.match.wanted, self.people - 1, people))
        return tuple(notes)

    def caveat(self) -> str:
        """Say what is not known of a calibration without labels."""
        lower, upper = (limit / self.match.wanted for limit in self.match.false_positives[1:])
        return (
            "the calibration was made without labels: where labels checked such ones, false answers came "
            f"{lower:.1f} to {upper:.1f} times as often as wanted; how many present people are missed is unknown"
        )

    def commonness(self, query: ArrayLike | None = None) -> float:
        """How common a query of shape (d,) or (1, d) looks to the cohort; 0 without one. Raises as `thresholds` does."""
        if self.cohort is None:
            return 0.0
        if query is None:
            raise ArrayError("the calibration has a cohort, which needs the vector of the query; give it, too")
        return float(self.cohort.commonness(np.atleast_2d(np.asarray(query)))[0])

    def thresholds(self, query: ArrayLike | None = None, people: int | None = None) -> tuple[float, float]:
        """Distances up to which a sighting is a match, and possible, for one query.

        Parameters
        ----------
        query : float array of shape (d,) or (1, d), optional
            Vector of the query; a cohort needs it.
        people : int, optional
            People in the gallery, for which the thresholds are moved; by default as many as the calibration had.

        Raises
        ------
        ArrayError
            If there is a cohort, and the query is missing, has another dimension, or holds NaN or infinity.
        """
        return self.thresholds_at(self.commonness(query), people)

    def thresholds_at(self, common: float, people: int | None = None) -> tuple[float, float]:
        """Return `thresholds` of a query whose `commonness` is known."""
        match, possible = self._among(people)
        return max(match + common, NOTHING), max(possible + common, NOTHING)

    def measured_on(self, others: LabelledSearches) -> tuple[OperatingPoint, OperatingPoint]:
        """Measure match and possible on other people, at the thresholds that a search in a gallery of so many people uses.

        A threshold is `NOTHING` if none keeps the rate.
        """
        match, possible = (
            replace(measure(others, point.wanted, among, self.confidence), threshold=among if among > -math.inf else NOTHING)
            for point, among in zip((self.match, self.possible), self._among(others.enrolled), strict=True)
        )
        return match, possible

    def _among(self, people: int | None) -> tuple[float, float]:
        """Thresholds in a gallery of so many people, less the query's commonness; minus infinity if none keeps the rate."""
        match, possible = self.match.threshold, self.possible.threshold
        if people is not None and self.growth is not None and people != self.growth.people:
            # The law is proved for larger galleries only.
            among = max(people, self.growth.people if self.promise == GUARANTEED else 1)
            match, possible = (self.growth.threshold(at.wanted, among) for at in (self.match, self.possible))
        return match, possible

    def reckon(self, named: int, unnamed: int) -> int:
        """Return about how many people a gallery has, from its numbers of people with a name and of sightings without.

        Sightings without a name count in proportion to those of a person in the calibration. Since that is not certain, they never
        make the gallery smaller than the calibration's.
        """
        if unnamed == 0 or self.growth is None:
            return named + unnamed
        return max(self.growth.people, named + math.ceil(unnamed / self.growth.per_person))

    def save(self, path: str | Path) -> None:
        """Write it as JSON. Raises `StorageError`."""
        write_json(path, {"format": _FORMAT} | self.to_dict())

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        values = {
            **vars(self),
            MATCH: self.match.to_dict(),
            POSSIBLE: self.possible.to_dict(),
            "instead": None if self.instead is None else [point.to_dict() for point in self.instead],
            "growth": None if self.growth is None else self.growth.to_dict(),
            "cohort": None if self.cohort is None else self.cohort.to_dict(),
            "joined": None if self.joined is None else self.joined.to_dict(),
        }
        if self.tracklets is not None:
            values["tracklets"] = {name: value for name, value in self.tracklets.to_dict().items() if name in _OF_ASKER}
        return values

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a file that `save` wrote.

        Raises
        ------
        GalleryError
            If the file cannot be read or is not a calibration.
        """
        try:
            if not Path(path).is_file() and Path(path).exists():
                raise ValueError("it is not a file")  # reading a pipe would wait without end
            values = read_json(path)
            if values["format"] != _FORMAT:
                raise ValueError(f"its format is {values['format']!r}")
            whole = cls(
                model=str(values["model"]),
                model_sha256=str(values["model_sha256"]),
                height=int(values["height"]),
                width=int(values["width"]),
                distance=str(values["distance"]),
                confidence=float(values["confidence"]),
                promise=PROMISES[PROMISES.index(values["promise"])],
                cohort=None if values["cohort"] is None else Cohort.from_dict(values["cohort"]),
                provenance=dict(values["provenance"]),
                asks=KINDS[KINDS.index(values["asks"])],
                sightings=KINDS[KINDS.index(values["sightings"])],
                joined=None if values["joined"] is None else LinkPoint.from_dict(values["joined"]),
                labelled=bool(values.get("labelled", True)),
                **_of_asker(values),
            )
            if (of_tracklets := values["tracklets"]) is None:
                return whole
            return replace(whole, tracklets=replace(whole, asks=TRACKLET, **_of_asker(of_tracklets)))
        except OSError as error:
            raise GalleryError(
                f"{path}: cannot be read: {error.strerror or error}; name a file that `resight calibrate` wrote"
            ) from error
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            raise GalleryError(f"{path} is not a calibration ({error}); write one with `resight calibrate`") from error


def _of_asker(values: Mapping[str, Any]) -> dict[str, Any]:
    """Read the part of a calibration that depends on who asks."""
    match, possible = (OperatingPoint.from_dict(values[name]) for name in (MATCH, POSSIBLE))
    if not -np.inf < match.threshold <= possible.threshold < np.inf:
        raise ValueError(f"its thresholds are {match.threshold} and {possible.threshold}")
    instead, growth = values["instead"], values["growth"]
    return {
        "people": int(values["people"]),
        "images": int(values["images"]),
        "match": match,
        "possible": possible,
        "instead": None if instead is None else tuple(OperatingPoint.from_dict(instead[place]) for place in (0, 1)),
        "growth": None if growth is None else Growth.from_dict(growth),
    }


def _named(of: Calibration | Settings) -> str:
    return f"{of.model} ({of.model_sha256[:12]}, {of.height}x{of.width}, {of.distance} distance)"
