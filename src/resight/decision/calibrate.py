"""Choice of a calibration's thresholds for wanted rates of false answers.

The promised rate counts searches: of searches for a person who is not in the gallery, at most this share gets a false answer. A
rate per pair of images would promise nothing, because every search compares thousands of pairs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from resight.decision.calibration import EXPECTED, GUARANTEED, IMAGE, PROMISES, TRACKLET, Calibration, Kind
from resight.decision.cohort import Cohort
from resight.decision.growth import fit_growth
from resight.decision.links import LinkPoint
from resight.decision.open_set import LabelledSearches
from resight.decision.operating_point import measure
from resight.errors import ConfigurationError, GalleryError, ModelMismatchError
from resight.models.model import Model

__all__ = ["assemble", "calibrate", "check_people", "check_rates", "least_people"]


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
    tracklets: LabelledSearches | None = None,
    sightings: Kind = IMAGE,
    joined: LinkPoint | None = None,
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
        Cohort of the searches; see `resight.decision.people_distances.search_everybody`.
    provenance : mapping, optional
    tracklets : LabelledSearches, optional
        Searches that the tracklets of these people ask; see `resight.decision.tracklets`. They get thresholds of their own.
    sightings : str
        Kind of sightings that all searches went through: ``"image"`` or ``"tracklet"``.
    joined : LinkPoint, optional
        Thresholds by which tracklets are joined; see `resight.decision.links.fit_links`.

    Returns
    -------
    Calibration

    Raises
    ------
    ConfigurationError
        If the rates are not 0 < `rate` <= `possible_rate` < 1, or the confidence cannot be used.
    GalleryError
        If there are too few people to promise the rate at any threshold; see `least_people`.
    ModelMismatchError
        If the cohort is of another model.
    """
    check_people(searches.people, rate, possible_rate, confidence, promise)
    asks = {IMAGE: searches} | ({} if tracklets is None else {TRACKLET: tracklets})
    return assemble(
        {kind: _chosen(some, rate, possible_rate, confidence, promise) for kind, some in asks.items()},
        extractor,
        model=model,
        distance=distance,
        confidence=confidence,
        promise=promise,
        cohort=cohort,
        provenance=dict(provenance or {}),
        sightings=sightings,
        joined=joined,
    )


def assemble(
    chosen: Mapping[Kind, Mapping[str, Any]], extractor: Model, *, model: str, cohort: Cohort | None, **known: Any
) -> Calibration:
    """Put a calibration together from what was chosen for each kind of question. Raises what `calibrate` does for a cohort."""
    if cohort is not None and cohort.model_sha256 not in ("", extractor.sha256):
        raise ModelMismatchError(
            f"the cohort is of another model ({cohort.model_sha256[:12]}) than {extractor.name} ({extractor.sha256[:12]}); "
            "make one from crops of strangers with this model, or do without"
        )
    height, width = extractor.size
    about: dict[str, Any] = {"model": model or extractor.name, "model_sha256": extractor.sha256, "height": height, "width": width}
    found = Calibration(**about, cohort=cohort, **known, **chosen[IMAGE])
    return replace(found, tracklets=replace(found, asks=TRACKLET, **chosen[TRACKLET])) if TRACKLET in chosen else found


def _chosen(searches: LabelledSearches, rate: float, possible_rate: float, confidence: float, promise: str) -> dict[str, Any]:
    """Compute the part of a calibration that depends on who asks."""
    curve = searches.false_positives(confidence)
    choose = {EXPECTED: curve.expected_threshold, GUARANTEED: curve.threshold_for}
    points = {
        kind: tuple(measure(searches, wanted, choose[kind](wanted), confidence) for wanted in (rate, possible_rate))
        for kind in PROMISES
        if kind == promise or searches.people >= _least(kind, rate, confidence)
    }
    (other,) = set(PROMISES) - {promise}
    match, possible = points[promise]
    return {
        "people": searches.people,
        "images": len(searches.persons),
        "match": match,
        "possible": possible,
        "instead": points.get(other),
        "growth": fit_growth(searches, confidence, guaranteed=promise == GUARANTEED),
    }


def check_people(people: int, rate: float, possible_rate: float, confidence: float, promise: str = EXPECTED) -> None:
    """Refuse rates that this number of people cannot promise, before any image is embedded. Raises the errors of `calibrate`."""
    if promise not in PROMISES:
        raise ConfigurationError(f"the promise {promise!r}; expected {' or '.join(PROMISES)}")
    check_rates(rate, possible_rate)
    if not 0.5 < confidence < 1:
        raise ConfigurationError(f"a confidence of {confidence:g}; expected more than 0.5 and less than 1")
    if promise == EXPECTED:
        if people < (least := _least(promise, rate, confidence)):
            raise GalleryError(f"{people} people cannot show a rate of {rate:g}; that takes {least}: label more, or accept more")
        return
    if people < (least := least_people(rate, confidence)):
        promised = 1 - (1 - confidence) ** (2 / max(people, 1))
        raise GalleryError(
            f"{people} people cannot promise a rate of {rate:g} with {confidence:.0%} confidence; that takes {least}; "
            f"they can promise {math.ceil(1000 * promised) / 1000:g} at best: label more people, or accept a higher rate"
        )


def check_rates(rate: float, possible_rate: float) -> None:
    """Raise `ConfigurationError` for rates that are not 0 < `rate` <= `possible_rate` < 1."""
    if not 0 < rate <= possible_rate < 1:
        raise ConfigurationError(f"rates {rate:g} and {possible_rate:g}; expected 0 < rate <= possible rate < 1")


def least_people(rate: float, confidence: float) -> int:
    """Return the number of people needed to promise a rate if they show no false match.

    Since false matches come in pairs of people, half as many are independent: (1 - rate)^(people / 2) <= 1 - confidence.

    Examples
    --------
    >>> least_people(0.01, 0.95), least_people(0.1, 0.95)
    (597, 57)
    """
    return max(3, math.ceil(2 * math.log(1 - confidence) / math.log1p(-rate)))


def _least(promise: str, rate: float, confidence: float) -> int:
    """Return the number of people that a promise takes."""
    return max(3, math.ceil(1 / rate)) if promise == EXPECTED else least_people(rate, confidence)
