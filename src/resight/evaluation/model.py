"""Evaluate a model on a data set: embed every image once, and score every split."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from resight.datasets.records import JUNK, Dataset, Records
from resight.distances import LEARNED, distance_named
from resight.evaluation.protocol import evaluate, score_distances
from resight.evaluation.scores import Scores, mean_scores
from resight.models.embedding import embed_files
from resight.models.model import Model
from resight.progress import Progress, silent
from resight.ranking.rerank import Reranking, rerank

__all__ = ["evaluate_model"]

Vectors = NDArray[np.float32]


def evaluate_model(
    extractor: Model,
    dataset: Dataset,
    distance: str = "",
    *,
    reranking: Reranking | None = None,
    progress: Progress = silent,
) -> Scores:
    """Embed the queries and the gallery of each split, rank and score.

    Gallery images of identity -1 are not embedded, because they count neither for nor against.

    Parameters
    ----------
    extractor : Model
    dataset : Dataset
        The result is the mean over its splits; VIPeR has several.
    distance : str
        A key of `resight.distances.DISTANCES`, or empty for the model's own. ``"kissme"`` and ``"xqda"`` are learned from the
        training images of each split.
    reranking : Reranking, optional
        Re-rank by k-reciprocal encoding; see `resight.ranking.rerank.rerank`.
    progress : Progress

    Returns
    -------
    Scores

    Raises
    ------
    ImageError
        If an image cannot be read.
    ConfigurationError
        If `distance` is unknown.
    NoMatchError
        If no query has a match in the gallery.
    ArrayError, DatasetError
        If a distance cannot be learned from the training images.
    """
    measure = distance or extractor.distance
    learned = measure in LEARNED
    if isinstance(measure, str) and not learned:
        distance_named(measure, *LEARNED)  # refused now, not after all images are embedded
    parts = [(split.train, split.query, split.gallery.select(split.gallery.identities != JUNK)) for split in dataset.splits]
    needed = [records for part in parts for records in (part if learned else part[1:])]
    paths = sorted({path for records in needed for path in records.paths})
    vectors = embed_files(extractor, paths, progress=progress)
    place = {path: row for row, path in enumerate(paths)}

    def of(records: Records) -> Vectors:
        return vectors[[place[path] for path in records.paths]]

    scores = []
    for train, query, gallery in parts:
        sides, compare = (of(query), of(gallery)), measure
        if learned:
            from resight.distances.fitted import fit_distance

            fitted = fit_distance(str(measure), of(train), train.identities, train.cameras, progress=progress)
            sides, compare = (fitted.transform(sides[0]), fitted.transform(sides[1])), fitted.compare
        if reranking is None:
            scores.append(evaluate(*sides, query, gallery, compare))
            continue
        started = time.perf_counter()
        distances = rerank(*sides, compare, reranking, progress=progress)
        found = score_distances(distances, query.identities, query.cameras, gallery.identities, gallery.cameras)
        scores.append(replace(found, seconds_ranking=time.perf_counter() - started))
    return replace(mean_scores(scores), distance=measure if isinstance(measure, str) else "fitted")
