"""When a search may say that it has found somebody: thresholds on the distance, for wanted rates of false answers.

What is promised is the rate per search: of searches for a person who is not in the gallery, at most so many are falsely answered. A
rate per pair of images would promise a user nothing, since every search compares thousands of pairs.

The rate grows with the gallery, so the number of people that it was measured with belongs to the promise. In a gallery of fewer
people, or behind a filter, it is lower. In one of k times as many it is at most k times as high, if those are people of the same
kind: then each of n is within the threshold of a query with the same probability p, and 1 - (1 - p)^n is concave in n.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from resight.decision.confidence import Rate
from resight.decision.open_set import Searches
from resight.errors import ArrayError, ConfigurationError, GalleryError, ModelMismatchError
from resight.files import read_json, write_json
from resight.gallery.settings import Settings
from resight.models.model import Model

__all__ = [
    "MATCH",
    "POSSIBLE",
    "UNKNOWN",
    "Calibration",
    "OperatingPoint",
    "calibrate",
    "check_people",
    "decide",
    "least_people",
    "measure",
]

MATCH, POSSIBLE, UNKNOWN = "match", "possible", "unknown"

_FORMAT = "resight-calibration-1"


@dataclass(frozen=True, kw_only=True)
class OperatingPoint:
    """A threshold and what it does.

    Attributes
    ----------
    wanted : float
        The rate of searches for an absent person that may be falsely answered.
    threshold : float
        Distances up to it are answered.
    false_positives : Rate
        The rate that was measured; its upper limit is at most `wanted` on the people that the threshold was chosen for.
    misses : Rate or None
        Of searches for a present person, how many find no image of that person within the threshold; None if nobody was seen by two
        cameras.
    """

    wanted: float
    threshold: float
    false_positives: Rate
    misses: Rate | None

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        rates = {"false_positives": self.false_positives, "misses": self.misses}
        return asdict(self) | {name: None if rate is None else rate._asdict() for name, rate in rates.items()}


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Two thresholds for the distances of one model.

    Attributes
    ----------
    model, model_sha256, height, width, distance
        Whose distances are meant; see `Settings`.
    confidence : float
        That each limit holds, by itself.
    people, images : int
        That it was fitted to. Every search went to the images of `people - 1` others.
    match, possible : OperatingPoint
    provenance : mapping
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
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def check(self, settings: Settings) -> None:
        """Refuse a gallery of another model's vectors, or of another distance.

        Raises
        ------
        ModelMismatchError
            If it is one.
        """
        mine, given = ((which.model_sha256, which.height, which.width, which.distance) for which in (self, settings))
        if mine != given:
            raise ModelMismatchError(
                f"the calibration is for {_named(self)} and the gallery for {_named(settings)}; "
                "calibrate the gallery's model, by the gallery's distance"
            )

    def notes(self, settings: Settings, images: int = 1) -> tuple[str, ...]:
        """What a user must know because the promise is not made for such a gallery, or for so many images that are fused."""
        notes = []
        if settings.precision == "int8":
            notes.append("the calibration's promise is not made for galleries stored as int8, whose distances are coarser")
        if images > 1:
            notes.append(f"the calibration's promise is made for one image that asks, not for {images} that are fused")
        return tuple(notes)

    def save(self, path: str | Path) -> None:
        """Write it as JSON. Raises `StorageError`."""
        write_json(path, {"format": _FORMAT} | self.to_dict())

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self) | {MATCH: self.match.to_dict(), POSSIBLE: self.possible.to_dict()}

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what `save` wrote.

        Raises
        ------
        GalleryError
            If the file cannot be read, or is no calibration.
        """
        try:
            values = read_json(path)
            if values["format"] != _FORMAT:
                raise ValueError(f"its format is {values['format']!r}")
            match, possible = _point(values[MATCH]), _point(values[POSSIBLE])
            if not -np.inf < match.threshold <= possible.threshold < np.inf:
                raise ValueError(f"its thresholds are {match.threshold} and {possible.threshold}")
            return cls(
                model=str(values["model"]),
                model_sha256=str(values["model_sha256"]),
                height=int(values["height"]),
                width=int(values["width"]),
                distance=str(values["distance"]),
                confidence=float(values["confidence"]),
                people=int(values["people"]),
                images=int(values["images"]),
                match=match,
                possible=possible,
                provenance=dict(values["provenance"]),
            )
        except OSError as error:
            raise GalleryError(
                f"{path}: cannot be read: {error.strerror or error}; name a file that `resight calibrate` wrote"
            ) from error
        except (ValueError, KeyError, TypeError) as error:
            raise GalleryError(f"{path} is no calibration ({error}); write one by `resight calibrate`") from error


def calibrate(
    searches: Searches,
    extractor: Model,
    distance: str,
    *,
    model: str = "",
    rate: float = 0.01,
    possible_rate: float = 0.1,
    confidence: float = 0.95,
    provenance: Mapping[str, Any] | None = None,
) -> Calibration:
    """Choose the thresholds: the largest whose false positive identification rate is, with confidence, at most the wanted one.

    Parameters
    ----------
    searches : Searches
        Of people whom the model was not trained on: those it knows are further from each other than strangers will be.
    extractor : Model
        That made the vectors.
    distance : str
        That they were compared by.
    model : str
        The model as `resight.models.load_model` takes it; its name unless given.
    rate, possible_rate : float
        Of searches for an absent person, how many may be answered "match", and how many "match" or "possible".
    confidence : float
        With which each of the two is promised, in (0.5, 1).
    provenance : mapping, optional

    Returns
    -------
    Calibration

    Raises
    ------
    ConfigurationError
        If the rates are not 0 < `rate` <= `possible_rate` < 1, or the confidence cannot be used.
    GalleryError
        If there are too few people to promise a rate, whatever the threshold; see `least_people`.
    """
    check_people(searches.people, rate, possible_rate, confidence)
    curve = searches.false_positives(confidence)
    height, width = extractor.size
    return Calibration(
        model=model or extractor.name,
        model_sha256=extractor.sha256,
        height=height,
        width=width,
        distance=distance,
        confidence=confidence,
        people=searches.people,
        images=len(searches.persons),
        match=measure(searches, rate, curve.threshold_for(rate), confidence),
        possible=measure(searches, possible_rate, curve.threshold_for(possible_rate), confidence),
        provenance=dict(provenance or {}),
    )


def check_people(people: int, rate: float, possible_rate: float, confidence: float) -> None:
    """Refuse what so many people cannot promise, before they are embedded; see `calibrate` for the errors."""
    if not 0 < rate <= possible_rate < 1:
        raise ConfigurationError(f"rates {rate:g} and {possible_rate:g}; expected 0 < rate <= possible rate < 1")
    if not 0.5 < confidence < 1:
        raise ConfigurationError(f"a confidence of {confidence:g}; expected more than 0.5 and less than 1")
    if people < (least := least_people(rate, confidence)):
        promised = 1 - (1 - confidence) ** (2 / max(people, 1))
        raise GalleryError(
            f"{people} people cannot promise a rate of {rate:g} with {confidence:.0%} confidence, which takes {least}; "
            f"they can promise {math.ceil(1000 * promised) / 1000:g} at best: label more people, or accept a higher rate"
        )


def measure(searches: Searches, wanted: float, threshold: float, confidence: float) -> OperatingPoint:
    """What a threshold does on some people: those that it was chosen for, or better, others."""
    misses = searches.misses(confidence)
    return OperatingPoint(
        wanted=wanted,
        threshold=threshold,
        false_positives=searches.false_positives(confidence).at(threshold),
        misses=None if misses is None else misses.at(threshold),
    )


def least_people(rate: float, confidence: float) -> int:
    """How many people it takes to promise a rate if not one false match is seen among them.

    Since false matches come in pairs of people, half as many are independent: (1 - rate)^(people / 2) <= 1 - confidence.

    Examples
    --------
    >>> least_people(0.01, 0.95), least_people(0.1, 0.95)
    (597, 57)
    """
    return max(3, math.ceil(2 * math.log(1 - confidence) / math.log1p(-rate)))


def decide(distances: ArrayLike, calibration: Calibration) -> NDArray[np.str_]:
    """Say what distances mean.

    Parameters
    ----------
    distances : float array of any shape
        From one image that asks, by the calibration's model and distance. Of a ranked list the first one answers the search.
    calibration : Calibration

    Returns
    -------
    str array of the same shape
        "match", "possible" or "unknown".

    Raises
    ------
    ArrayError
        If a distance is NaN.
    """
    given = np.asarray(distances, np.float64)
    if np.isnan(given).any():
        raise ArrayError("a distance is NaN; check the embeddings that it is between")
    within = [given <= calibration.match.threshold, given <= calibration.possible.threshold]
    return np.select(within, [MATCH, POSSIBLE], UNKNOWN)


def _point(values: Mapping[str, Any]) -> OperatingPoint:
    misses = values["misses"]
    return OperatingPoint(
        wanted=float(values["wanted"]),
        threshold=float(values["threshold"]),
        false_positives=Rate(**values["false_positives"]),
        misses=None if misses is None else Rate(**misses),
    )


def _named(of: Calibration | Settings) -> str:
    return f"{of.model} ({of.model_sha256[:12]}, {of.height}x{of.width}, {of.distance} distance)"
