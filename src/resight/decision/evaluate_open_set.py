"""Open-set evaluation of a model on a data set; `resight.decision.open_set_scores` says what is measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resight.datasets.records import DISTRACTOR, JUNK, Dataset, Records
from resight.decision.cohort import Cohort
from resight.decision.confidence import Rate
from resight.decision.open_set_scores import FPIRS, OpenSetPoint, OpenSetScores, score_open_set
from resight.decision.people_distances import people_distances
from resight.decision.tracklets import fuse_tracklets
from resight.errors import ConfigurationError
from resight.evaluation.model import embedded_splits
from resight.models.model import Model, Vectors
from resight.progress import Progress, silent

__all__ = ["evaluate_open_set"]


def evaluate_open_set(
    extractor: Model,
    dataset: Dataset,
    distance: str = "",
    *,
    cohort: Cohort | None = None,
    tracklets: bool = False,
    rates: Sequence[float] = FPIRS,
    confidence: float = 0.95,
    progress: Progress = silent,
) -> OpenSetScores:
    """Embed the queries and the gallery of each split, search with every query twice, and score.

    In the mated search the gallery is as the data set has it; images of the person by the query's own camera do not count. In the
    non-mated search nobody in it shows the query's person. Distractors are strangers.

    Parameters
    ----------
    extractor : Model
    dataset : Dataset
        The result is the mean over its splits; VIPeR has several.
    distance : str
        See `resight.evaluation.model.evaluate_model`.
    cohort : Cohort, optional
        All distances of a query are then less its commonness.
    tracklets : bool
        Let tracklets ask and answer: all crops of a person by a camera, fused. A person asks by the cameras of the queries.
    rates, confidence, progress
        See `score_open_set`.

    Returns
    -------
    OpenSetScores

    Raises
    ------
    ConfigurationError
        If `distance` is unknown, or tracklets cannot be made because the cameras are not known.
    NoMatchError
        If nobody was seen by two cameras.
    """
    if tracklets and dataset.protocol != "other cameras":
        raise ConfigurationError("tracklets are of one camera, and here the cameras of the queries do not count; leave them out")
    found = []
    for split in embedded_splits(extractor, dataset, distance, progress=progress):
        asking, answering = split.query, split.gallery
        sides = [(split.query_vectors, *_who(asking)), (split.gallery_vectors, *_who(answering))]
        if tracklets:
            sides = _tracklets(asking, answering, split.query_vectors, split.gallery_vectors)
        searches = people_distances(*sides[0], *sides[1], split.compare, cohort=cohort, progress=progress).among()
        found.append(score_open_set(searches, rates, confidence=confidence))
    return _mean(found)


def _who(records: Records) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return records.identities, records.cameras


def _tracklets(query: Records, gallery: Records, asking: Vectors, answering: Vectors) -> list[tuple[Any, ...]]:
    """Both sides as tracklets. All crops of a person by a camera ask together, those of the gallery, too."""
    everything = Records.concatenate([query, gallery])
    _, of = np.unique(np.stack([everything.identities, everything.cameras]), axis=1, return_inverse=True)
    asked = (everything.identities > DISTRACTOR) & np.isin(of, of[: len(query)])
    vectors = np.concatenate([asking, answering])
    sides = []
    for records, rows in ((everything, asked), (gallery, gallery.identities != JUNK)):
        some, chosen = records.select(rows), (vectors if records is everything else answering)[rows]
        sides.append(fuse_tracklets(chosen, some.identities, some.cameras, some.tracklets)[:3])
    return sides


def _mean(scores: Sequence[OpenSetScores]) -> OpenSetScores:
    if len(scores) == 1:
        return scores[0]

    def rate(several: Sequence[Rate]) -> Rate:
        return Rate(*np.mean(several, axis=0).tolist())

    def point(several: Sequence[OpenSetPoint]) -> OpenSetPoint:
        return OpenSetPoint(
            wanted=several[0].wanted,
            threshold=float(np.mean([one.threshold for one in several])),
            fpir=rate([one.fpir for one in several]),
            fnir=rate([one.fnir for one in several]),
            dir1=rate([one.dir1 for one in several]),
        )

    return OpenSetScores(
        people=round(float(np.mean([one.people for one in scores]))),
        searches=round(float(np.mean([one.searches for one in scores]))),
        mated=round(float(np.mean([one.mated for one in scores]))),
        enrolled=round(float(np.mean([one.enrolled for one in scores]))),
        points=tuple(map(point, zip(*(one.points for one in scores), strict=True))),
        curve=tuple(map(point, zip(*(one.curve for one in scores), strict=True))),
        confidence=scores[0].confidence,
        splits=len(scores),
    )
