"""Evaluate a model on a data set: embed every image once, and score every split."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from resight.datasets.records import JUNK, Dataset, Records
from resight.distances import LEARNED, distance_named
from resight.distances.distance import DistanceFunction
from resight.evaluation.protocol import evaluate, score_distances
from resight.evaluation.scores import Scores, mean_scores
from resight.models.embedding import embed_files
from resight.models.model import Model
from resight.progress import Progress, silent
from resight.ranking.rerank import Reranking, rerank

__all__ = ["EmbeddedSplit", "embedded_splits", "evaluate_model"]

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
    scores = []
    for split in embedded_splits(extractor, dataset, distance, progress=progress):
        query, gallery, sides = split.query, split.gallery, (split.query_vectors, split.gallery_vectors)
        if reranking is None:
            scores.append(evaluate(*sides, query, gallery, split.compare))
            continue
        started = time.perf_counter()
        distances = rerank(*sides, split.compare, reranking, progress=progress)
        found = score_distances(distances, query.identities, query.cameras, gallery.identities, gallery.cameras)
        scores.append(replace(found, seconds_ranking=time.perf_counter() - started))
    measure = distance or extractor.distance
    return replace(mean_scores(scores), distance=measure if isinstance(measure, str) else "fitted")


class EmbeddedSplit(NamedTuple):
    """A split with its vectors, and what compares them.

    Attributes
    ----------
    query, gallery : Records
        Images; the gallery without those of identity -1.
    query_vectors, gallery_vectors : float32 arrays of shape (n, d)
    compare : str or callable
        See `resight.evaluation.protocol.evaluate`.
    """

    query: Records
    gallery: Records
    query_vectors: Vectors
    gallery_vectors: Vectors
    compare: str | DistanceFunction


def embedded_splits(
    extractor: Model, dataset: Dataset, distance: str = "", *, progress: Progress = silent
) -> Iterator[EmbeddedSplit]:
    """Embed every image once, and yield split by split; `evaluate_model` explains parameters and errors."""
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

    for train, query, gallery in parts:
        if not learned:
            yield EmbeddedSplit(query, gallery, of(query), of(gallery), measure)
            continue
        from resight.distances.fitted import fit_distance

        fitted = fit_distance(str(measure), of(train), train.identities, train.cameras, progress=progress)
        yield EmbeddedSplit(query, gallery, fitted.transform(of(query)), fitted.transform(of(gallery)), fitted.compare)
