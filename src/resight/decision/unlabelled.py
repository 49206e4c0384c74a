"""Calibration without labels: from tracklets of a gallery or a table in which nobody has a name.

Tracklets are joined into people roughly, with each camera's mean taken off. Then `resight.decision.strangers` predicts how near
strangers come. The rate of false answers is predicted, not measured, and who is missed stays unknown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from resight.cameras.links import Limits, Linker
from resight.decision.calibrate import assemble, check_rates
from resight.decision.calibration import EXPECTED, IMAGE, TRACKLET, Calibration, Kind
from resight.decision.cohort import Cohort
from resight.decision.confidence import Rate
from resight.decision.growth import Growth
from resight.decision.links import fit_links
from resight.decision.operating_point import OperatingPoint
from resight.decision.strangers import Side, StrangerLaw, fit_strangers
from resight.decision.tracklets import Tracklets
from resight.distances.vectors import embeddings_of
from resight.errors import ArrayError, GalleryError
from resight.gallery.gallery import Gallery
from resight.gallery.matches import fuse
from resight.gallery.passes import read_passes
from resight.gallery.strip import crops_in
from resight.models.model import Model
from resight.progress import Progress, silent

__all__ = ["ENOUGH", "MOST", "OFF", "Unnamed", "calibrate_unlabelled", "fuse_unnamed", "join_unnamed", "read_unnamed"]

OFF = 0.5, 2.0
"""Least and largest ratio of the measured rate to the wanted one, where labels checked it; see ``results/decision.json``."""

MOST = 3000
"""Tracklets that are looked at; of more, the last."""

ENOUGH = 100
"""People without whom nothing is predicted: with fewer, thresholds for larger galleries come out too strict."""

_ONE_PERSON = 0.4  # mean cosine distance of one person's tracklets, less the mean of their cameras; chosen on training people
_GRID = 64  # thresholds whose rates are kept
_LEAST, _LARGEST = 1e-6, 0.9  # rates from which on, and up to which, they are kept
_SMALLER = 0.25  # of the gallery, to see how the rate grows


class Unnamed(NamedTuple):
    """Tracklets of nobody knows whom.

    Attributes
    ----------
    vectors : float32 array of shape (t, d)
        One for each tracklet, as a gallery keeps them.
    cameras : int64 array of shape (t,)
        Numbers from 0.
    crops : float32 array of shape (n, d)
    of : int64 array of shape (n,)
        Row of each crop's tracklet.
    kept : str
        What a gallery keeps of them: each ``"image"``, or a ``"tracklet"``.
    left_out : int
        Tracklets that were left out, because there are more than `MOST`.
    """

    vectors: NDArray[np.float32]
    cameras: NDArray[np.int64]
    crops: NDArray[np.float32]
    of: NDArray[np.int64]
    kept: Kind = IMAGE
    left_out: int = 0


def fuse_unnamed(vectors: ArrayLike, cameras: ArrayLike, tracklets: Sequence[str]) -> Unnamed:
    """Fuse crops into tracklets.

    Parameters
    ----------
    vectors : array of shape (n, d)
    cameras : int array of shape (n,)
    tracklets : sequence of str
        Name of each crop's tracklet; a crop without one is alone.

    Raises
    ------
    ArrayError
        If shapes do not fit, or a vector holds NaN or infinity.
    """
    images, seen_by = embeddings_of("crops", vectors), np.asarray(cameras, np.int64)
    if not seen_by.shape == (len(images),) == (len(tracklets),):
        raise ArrayError(f"{len(images)} vectors, cameras of shape {seen_by.shape}, {len(tracklets)} tracklets; expected as many")
    rows: dict[tuple[int, str | int], list[int]] = {}
    for row, key in enumerate(zip(seen_by.tolist(), tracklets, strict=True)):
        rows.setdefault((key[0], key[1] or row), []).append(row)
    some = list(rows.values())[-MOST:]
    if not some:
        raise ArrayError("no crops; expected some")
    together = np.concatenate([np.array(part) for part in some])
    return Unnamed(
        vectors=np.concatenate([fuse(images[part]) for part in some]),
        cameras=seen_by[[part[0] for part in some]],
        crops=images[together],
        of=np.repeat(np.arange(len(some)), [len(part) for part in some]),
        left_out=len(rows) - len(some),
    )


def read_unnamed(gallery: Gallery, extractor: Model, *, progress: Progress = silent) -> Unnamed:
    """Read the last tracklets of a gallery. Names are not looked at.

    If the gallery keeps tracklets, as `resight watch` does, the crops in their pictures are embedded; otherwise its sightings are
    the crops.

    Raises
    ------
    ModelMismatchError
        If `extractor` is not the gallery's model.
    GalleryError
        If a sighting does not fit its checksum, or there is none of a known camera.
    """
    found = [one for one in read_passes(gallery, progress=progress) if one.camera and one.embedding.any()]
    passes = found[-MOST:]
    if not passes:
        raise GalleryError("the gallery has no sighting of a known camera; watch cameras, or add crops with --camera")
    watched = all(one.tracklet and len(one.ids) == 1 for one in passes)
    crops, of = [], []
    for row, one in enumerate(passes):
        several = gallery.sightings(one.ids).values()
        made = [gallery.embed(extractor, crops_in(seen.thumbnail)) if watched else seen.embedding[None] for seen in several]
        crops += made
        of += [row] * sum(map(len, made))
        progress("crops", row + 1, len(passes))
    _, cameras = np.unique([one.camera for one in passes], return_inverse=True)
    vectors = np.stack([one.embedding for one in passes])
    kept: Kind = TRACKLET if watched else IMAGE
    return Unnamed(vectors, cameras, np.concatenate(crops), np.array(of), kept, len(found) - len(passes))


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
    return OperatingPoint(wanted=wanted, threshold=law.threshold_for(wanted), false_positives=rates, misses=None)


def _growth(law: StrangerLaw, per_person: float) -> Growth:
    """The law at several thresholds, as a calibration keeps it."""
    thresholds = np.linspace(law.threshold_for(_LEAST), law.threshold_for(_LARGEST), _GRID).tolist()
    rates = [law.rate(threshold) for threshold in thresholds]
    fewer = [law.rate(threshold, times=_SMALLER) for threshold in thresholds]
    exponents = np.log(np.log1p(-np.array(fewer)) / np.log1p(-np.array(rates))) / np.log(_SMALLER)
    return Growth(
        people=law.people - 1,
        per_person=per_person,
        measured=rates[0],
        rates=tuple(rates),
        thresholds=tuple(thresholds),
        exponents=tuple(np.clip(exponents, 0.5, 1.0).tolist()),
    )
