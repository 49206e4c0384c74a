"""Thresholds on the distance up to which a search answers match or possible, chosen for wanted rates of false answers.

The promised rate counts searches: of searches for a person who is not in the gallery, at most this share gets a false answer. A
rate per pair of images would promise nothing, because every search compares thousands of pairs.

The rate grows with the gallery, so the promise names the number of people it was measured with. With fewer people, or behind a
filter, the rate is lower. With k times as many people of the same kind it is at most k times as high: each of n people is within
the threshold with the same probability p, and 1 - (1 - p)^n is concave in n.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from resight.decision.cohort import Cohort
from resight.decision.confidence import Rate
from resight.decision.open_set import LabelledSearches
from resight.errors import ArrayError, ConfigurationError, GalleryError, ModelMismatchError
from resight.files import read_json, write_json
from resight.gallery.settings import Settings
from resight.models.model import Model

__all__ = [
    "EXPECTED",
    "GUARANTEED",
    "MATCH",
    "POSSIBLE",
    "PROMISES",
    "UNKNOWN",
    "Calibration",
    "OperatingPoint",
    "bands",
    "calibrate",
    "check_people",
    "decide",
    "least_people",
    "measure",
]

MATCH, POSSIBLE, UNKNOWN = "match", "possible", "unknown"
EXPECTED, GUARANTEED = PROMISES = ("expected", "guaranteed")
"""Kinds of rate: the measured one, or one that holds with confidence."""

_FORMAT = "resight-calibration-2"


@dataclass(frozen=True, kw_only=True)
class OperatingPoint:
    """A threshold with its measured error rates.

    Attributes
    ----------
    wanted : float
        Allowed rate of false answers to searches for an absent person.
    threshold : float
        Largest distance that counts; with a cohort, less the query's commonness.
    false_positives : Rate
        Measured rate of false answers. On the people used for the choice it is at most `wanted`; or its upper limit is, if that was
        guaranteed.
    misses : Rate or None
        Rate of searches for a present person that find no image of that person within the threshold; None if no person was seen by
        two cameras.
    """

    wanted: float
    threshold: float
    false_positives: Rate
    misses: Rate | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        rates = {"false_positives": self.false_positives, "misses": self.misses}
        return asdict(self) | {name: None if rate is None else rate._asdict() for name, rate in rates.items()}


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
        People and images used for the choice. Every search went to the images of the `people - 1` others.
    match, possible : OperatingPoint
    promise : str
        One of `PROMISES`.
    cohort : Cohort or None
        Strangers that tell how common an appearance is; see `resight.decision.cohort`.
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
    promise: str = EXPECTED
    cohort: Cohort | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def check(self, settings: Settings) -> None:
        """Raise `ModelMismatchError` for a gallery of another model or distance."""
        mine, given = ((which.model_sha256, which.height, which.width, which.distance) for which in (self, settings))
        if mine != given:
            raise ModelMismatchError(
                f"the calibration is for {_named(self)} and the gallery for {_named(settings)}; "
                "calibrate the gallery's model, by the gallery's distance"
            )

    def notes(self, settings: Settings, images: int = 1) -> tuple[str, ...]:
        """Return notes for cases that the promise does not cover: coarse vectors, and fused query images."""
        notes = []
        if settings.precision == "int8":
            notes.append("the calibration makes no promise for a gallery stored as int8, because its distances are coarser")
        if images > 1:
            notes.append(f"the calibration makes its promise for one query image, not for {images} fused images")
        return tuple(notes)

    def thresholds(self, query: ArrayLike | None = None) -> tuple[float, float]:
        """Distances up to which a sighting is a match, and possible, for one query of shape (d,) or (1, d).

        Raises
        ------
        ArrayError
            If there is a cohort, and the query is missing, has another dimension, or holds NaN or infinity.
        """
        common = 0.0
        if self.cohort is not None:
            if query is None:
                raise ArrayError("the calibration has a cohort, which needs the vector of the query; give it, too")
            common = float(self.cohort.commonness(np.atleast_2d(np.asarray(query)))[0])
        return self.match.threshold + common, self.possible.threshold + common

    def save(self, path: str | Path) -> None:
        """Write it as JSON. Raises `StorageError`."""
        write_json(path, {"format": _FORMAT} | self.to_dict())

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        points = {MATCH: self.match.to_dict(), POSSIBLE: self.possible.to_dict()}
        return {**vars(self), **points, "cohort": None if self.cohort is None else self.cohort.to_dict()}

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
                promise=PROMISES[PROMISES.index(values["promise"])],
                cohort=None if values["cohort"] is None else Cohort.from_dict(values["cohort"]),
                provenance=dict(values["provenance"]),
            )
        except OSError as error:
            raise GalleryError(
                f"{path}: cannot be read: {error.strerror or error}; name a file that `resight calibrate` wrote"
            ) from error
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise GalleryError(f"{path} is not a calibration ({error}); write one with `resight calibrate`") from error


def calibrate(
    searches: LabelledSearches,
    extractor: Model,
    distance: str,
    *,
    model: str = "",
    rate: float = 0.01,
    possible_rate: float = 0.1,
    confidence: float = 0.95,
    promise: str = EXPECTED,
    cohort: Cohort | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> Calibration:
    """Choose the largest thresholds whose false positive identification rate (FPIR) is at most the wanted one.

    Parameters
    ----------
    searches : LabelledSearches
        Searches for people that the model was not trained on. Training people lie further apart than strangers will.
    extractor : Model
        Model of the vectors.
    distance : str
        Distance of the searches.
    model : str
        Name for `resight.models.load_model`; the model's own name by default.
    rate, possible_rate : float
        Allowed rates of searches for an absent person that answer "match", and "match" or "possible".
    confidence : float
        Confidence of each limit, in (0.5, 1).
    promise : str
        ``"expected"``: the measured rate is at most the wanted one. ``"guaranteed"``: its upper limit is.
    cohort : Cohort, optional
        Cohort of the searches; see `resight.decision.open_set.search_everybody`.
    provenance : mapping, optional

    Returns
    -------
    Calibration

    Raises
    ------
    ConfigurationError
        If the rates are not 0 < `rate` <= `possible_rate` < 1, or the confidence cannot be used.
    GalleryError
        If there are too few people to promise the rate at any threshold; see `least_people`.
    """
    check_people(searches.people, rate, possible_rate, confidence, promise)
    curve = searches.false_positives(confidence)
    choose = curve.expected_threshold if promise == EXPECTED else curve.threshold_for
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
        match=measure(searches, rate, choose(rate), confidence),
        possible=measure(searches, possible_rate, choose(possible_rate), confidence),
        promise=promise,
        cohort=cohort,
        provenance=dict(provenance or {}),
    )


def check_people(people: int, rate: float, possible_rate: float, confidence: float, promise: str = EXPECTED) -> None:
    """Refuse rates that this number of people cannot promise, before any image is embedded. Raises the errors of `calibrate`."""
    if promise not in PROMISES:
        raise ConfigurationError(f"the promise {promise!r}; expected {' or '.join(PROMISES)}")
    if not 0 < rate <= possible_rate < 1:
        raise ConfigurationError(f"rates {rate:g} and {possible_rate:g}; expected 0 < rate <= possible rate < 1")
    if not 0.5 < confidence < 1:
        raise ConfigurationError(f"a confidence of {confidence:g}; expected more than 0.5 and less than 1")
    if promise == EXPECTED:
        if people < (least := max(3, math.ceil(1 / rate))):
            raise GalleryError(f"{people} people cannot show a rate of {rate:g}; that takes {least}: label more, or accept more")
        return
    if people < (least := least_people(rate, confidence)):
        promised = 1 - (1 - confidence) ** (2 / max(people, 1))
        raise GalleryError(
            f"{people} people cannot promise a rate of {rate:g} with {confidence:.0%} confidence; that takes {least}; "
            f"they can promise {math.ceil(1000 * promised) / 1000:g} at best: label more people, or accept a higher rate"
        )


def measure(searches: LabelledSearches, wanted: float, threshold: float, confidence: float) -> OperatingPoint:
    """Measure a threshold's error rates on some people; better on others than those it was chosen for."""
    misses = searches.misses(confidence)
    return OperatingPoint(
        wanted=wanted,
        threshold=threshold,
        false_positives=searches.false_positives(confidence).at(threshold),
        misses=None if misses is None else misses.at(threshold),
    )


def least_people(rate: float, confidence: float) -> int:
    """Return the number of people needed to promise a rate if they show no false match.

    Since false matches come in pairs of people, half as many are independent: (1 - rate)^(people / 2) <= 1 - confidence.

    Examples
    --------
    >>> least_people(0.01, 0.95), least_people(0.1, 0.95)
    (597, 57)
    """
    return max(3, math.ceil(2 * math.log(1 - confidence) / math.log1p(-rate)))


def decide(distances: ArrayLike, calibration: Calibration, query: ArrayLike | None = None) -> NDArray[np.str_]:
    """Turn distances into answers.

    Parameters
    ----------
    distances : float array of any shape
        Distances from one query, by the calibration's model and distance. The first of a ranked list answers the search.
    calibration : Calibration
    query : float array of shape (d,) or (1, d), optional
        Vector of the query; a calibration with a cohort needs it.

    Returns
    -------
    str array of the same shape
        "match", "possible" or "unknown".

    Raises
    ------
    ArrayError
        If a distance is NaN, or the query is missing or does not fit the cohort.
    """
    return bands(distances, *calibration.thresholds(query))


def bands(distances: ArrayLike, match: float, possible: float) -> NDArray[np.str_]:
    """Turn distances into answers by the thresholds of one query; see `decide` and `Calibration.thresholds`."""
    given = np.asarray(distances, np.float64)
    if np.isnan(given).any():
        raise ArrayError("a distance is NaN; check the embeddings that it is between")
    return np.select([given <= match, given <= possible], [MATCH, POSSIBLE], UNKNOWN)


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
