"""Calibration without labels: from tracklets of a gallery or a table in which nobody has a name.

Tracklets are joined into people roughly, with each camera's mean taken off. Then `resight.decision.strangers` predicts how near
strangers come. The rate of false answers is predicted, not measured, and who is missed stays unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from resight.cameras.links import Limits, Linker
from resight.decision.calibrate import assemble, check_rates
from resight.decision.calibration import EXPECTED, IMAGE, TRACKLET, Calibration
from resight.decision.cohort import Cohort
from resight.decision.confidence import Rate
from resight.decision.growth import Growth
from resight.decision.links import fit_links
from resight.decision.operating_point import OperatingPoint
from resight.decision.strangers import Side, StrangerLaw, fit_strangers
from resight.decision.tracklets import Tracklets
from resight.decision.unnamed import Unnamed
from resight.errors import GalleryError
from resight.models.model import Model

__all__ = ["ENOUGH", "OFF", "calibrate_unlabelled", "join_unnamed"]

OFF = 0.4, 1.0
"""Range of the measured rate over the wanted one, where labels checked it (``results/decision-*.json``), and 1."""

ENOUGH = 100
"""People without whom nothing is predicted: with fewer, thresholds for larger galleries come out too strict."""

_ONE_PERSON = 0.4  # mean cosine distance of one person's tracklets, less the mean of their cameras; chosen on training people
_ASKED = 1.2  # times the wanted rate are asked of the law: it is too strict on cameras and people that a model never saw
_GRID = 64  # thresholds whose rates are kept
_LEAST, _LARGEST = 1e-6, 0.9  # rates from which on, and up to which, they are kept
_SMALLER = 0.25  # of the gallery, to see how the rate grows


def calibrate_unlabelled(
    tracklets: Unnamed,
    extractor: Model,
    distance: str,
    *,
    model: str = "",
    rate: float = 0.01,
    possible_rate: float = 0.1,
    people: NDArray[np.int64] | None = None,
    cohort: Cohort | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> Calibration:
    """Choose thresholds at which the predicted rate of false answers is the wanted one.

    Parameters
    ----------
    tracklets : Unnamed
    extractor : Model
        Model of the vectors.
    distance : str
        Distance of the gallery.
    people : int64 array of shape (t,), optional
        Person of each tracklet; by default that of `join_unnamed`.
    model, rate, possible_rate, cohort, provenance
        See `resight.decision.calibrate`.

    Returns
    -------
    Calibration
        With `labelled` false. Its limits are those of `OFF`, not of a measurement.

    Raises
    ------
    ConfigurationError
        If the rates are not 0 < `rate` <= `possible_rate` < 1.
    GalleryError
        If there is one camera only, or there are too few people.
    ModelMismatchError
        If the cohort is of another model.
    """
    check_rates(rate, possible_rate)
    if len(np.unique(tracklets.cameras)) < 2:
        raise GalleryError("all tracklets are of one camera; without labels, it takes two that see the same people, or label some")
    people = join_unnamed(tracklets) if people is None else people
    if (count := int(people.max())) < ENOUGH:
        raise GalleryError(
            f"{len(people)} tracklets of about {count} people; without labels, it takes {ENOUGH}: watch for longer, or label them"
        )
    of, crops = tracklets.of, tracklets.crops
    sides = {
        IMAGE: Side(crops, people[of], tracklets.cameras[of]),
        TRACKLET: Side(tracklets.vectors, people, tracklets.cameras),
    }
    gallery = sides[tracklets.kept]
    chosen = {}
    for asks, queries in sides.items():
        law = fit_strangers(queries, gallery, distance, cohort=cohort)
        points = (_point(law, wanted) for wanted in (rate, possible_rate))
        chosen[asks] = dict(zip(("match", "possible"), points, strict=True)) | {
            "people": law.people,
            "images": len(queries.vectors),
            "growth": _growth(law, len(gallery.vectors) / law.people),
        }
    joined = Tracklets(tracklets.vectors, people, tracklets.cameras, np.bincount(of, minlength=len(people)))
    return assemble(
        chosen,
        extractor,
        model=model,
        distance=distance,
        confidence=0.95,
        promise=EXPECTED,
        cohort=cohort,
        provenance=dict(provenance or {}),
        sightings=tracklets.kept,
        joined=fit_links(joined) if distance == "cosine" else None,
        labelled=False,
    )


class _Seen(NamedTuple):
    """A tracklet for the linker, one after the other."""

    name: str
    camera: str
    start: float
    end: float
    embedding: NDArray[np.float32]


def join_unnamed(tracklets: Unnamed) -> NDArray[np.int64]:
    """Join tracklets into people roughly; return the number of each tracklet's person, (t,), from 1."""
    linker = Linker(Limits(lambda _: -1.0, lambda _: _ONE_PERSON), memory=np.inf)
    for row, (vector, camera) in enumerate(zip(tracklets.vectors, tracklets.cameras.tolist(), strict=True)):
        linker.add(_Seen(str(row), str(camera), row, row, vector))
    numbers = [linker.person_of(str(row)) or 0 for row in range(len(tracklets.vectors))]
    return np.unique(numbers, return_inverse=True)[1] + 1


def _point(law: StrangerLaw, wanted: float) -> OperatingPoint:
    rates = Rate(wanted, *(min(wanted * times, 1.0) for times in OFF))
    return OperatingPoint(wanted=wanted, threshold=law.threshold_for(_asked(wanted)), false_positives=rates, misses=None)


def _asked(wanted: float) -> float:
    return min(_ASKED * wanted, _LARGEST)


def _growth(law: StrangerLaw, per_person: float) -> Growth:
    """The law at several thresholds, as a calibration keeps it."""
    thresholds = np.linspace(law.threshold_for(_LEAST), law.threshold_for(_LARGEST), _GRID).tolist()
    rates = [law.rate(threshold) for threshold in thresholds]
    fewer = [law.rate(threshold, times=_SMALLER) for threshold in thresholds]
    exponents = np.log(np.log1p(-np.array(fewer)) / np.log1p(-np.array(rates))) / np.log(_SMALLER)
    wanted = [rate / _ASKED for rate in rates]
    return Growth(
        people=law.people - 1,
        per_person=per_person,
        measured=wanted[0],
        rates=tuple(wanted),
        thresholds=tuple(thresholds),
        exponents=tuple(np.clip(exponents, 0.5, 1.0).tolist()),
    )
