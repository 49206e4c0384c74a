"""Evaluate a model on a data set: every image is embedded once, and every split is scored."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from resight.datasets.records import JUNK, Dataset, Records
from resight.evaluation.blocks import Distance
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

    Gallery images of identity -1 count neither for nor against, so they are not embedded.

    Parameters
    ----------
    extractor : Model
    dataset : Dataset
        With several splits, as VIPeR has, the result is the mean over them.
    distance : str
        ``"euclidean"``, ``"cosine"``, or empty for the model's own. ``"kissme"`` and ``"xqda"`` are learned from the training
        images of each split.
    reranking : Reranking, optional
        Re-rank by k-reciprocal encoding; see `resight.ranking.rerank.rerank.rerank`.
    progress : Progress

    Returns
    -------
    Scores

    Raises
    ------
    ImageError
        If an image cannot be read.
    NoMatchError
        If no query has a match in the gallery.
    ArrayError, DatasetError
        If a distance cannot be learned from the training images.
    """
    parts = [(split.train, split.query, split.gallery.select(split.gallery.identities != JUNK)) for split in dataset.splits]
    learned = distance in ("kissme", "xqda")
    needed = [records for part in parts for records in (part if learned else part[1:])]
    paths = sorted({path for records in needed for path in records.paths})
    vectors = embed_files(extractor, paths, progress=progress)
    place = {path: row for row, path in enumerate(paths)}

    def of(records: Records) -> Vectors:
        return vectors[[place[path] for path in records.paths]]

    def score(query: Records, gallery: Records, sides: tuple[Vectors, Vectors], distance: str | Distance) -> Scores:
        if reranking is None:
            return evaluate(*sides, query, gallery, distance)
        started = time.perf_counter()
        distances = rerank(*sides, distance, reranking, progress=progress)
        found = score_distances(distances, query.identities, query.cameras, gallery.identities, gallery.cameras)
        return replace(found, seconds_ranking=time.perf_counter() - started)

    scores = []
    for train, query, gallery in parts:
        sides = of(query), of(gallery)
        if learned:
            from resight.distances.fitted import fit_distance

            fitted = fit_distance(distance, of(train), train.identities, train.cameras, progress=progress)
            projected = fitted.transform(sides[0]), fitted.transform(sides[1])
            scores.append(score(query, gallery, projected, fitted.compare))
        else:
            scores.append(score(query, gallery, sides, distance or extractor.distance))
    return mean_scores(scores)
