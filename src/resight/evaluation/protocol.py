"""The field's protocol: rank the gallery for every query, leave junk out, and score the order.

`score_blocks` consumes distances block by block, so that the size of a data set and the kind of distance do not matter. `evaluate`
computes the distances of embeddings; `score_distances` takes a matrix.

The protocol is that of Market-1501 [1]_. Gallery images of identity -1, and images of the query's person by the query's camera, are
junk: they count neither for nor against. Distractors (identity 0) are wrong matches. VIPeR, CUHK01 and the others need nothing
special: the first right image in the ranking counts.

If distances tie, wrong matches stand first. So no score depends on the order of the gallery, and an embedding that is the same for
everybody gets the worst score instead of an accidental one.

.. [1] L. Zheng et al., "Scalable Person Re-identification: A Benchmark", ICCV 2015.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import ArrayLike, NDArray

from resight.compute import usable_cores
from resight.datasets.records import JUNK, Records
from resight.distances import distance_named
from resight.distances.distance import Distance, DistanceFunction
from resight.distances.vectors import both_embeddings
from resight.errors import ArrayError, NoMatchError
from resight.evaluation.average_precision import average_precision, average_precision_trapezoidal, inverse_negative_penalty
from resight.evaluation.blocks import BLOCK_BYTES, Block, embedding_blocks, function_blocks
from resight.evaluation.cmc import cmc
from resight.evaluation.relations import MatchRanks, Relations
from resight.evaluation.scores import Scores
from resight.progress import Progress, silent

__all__ = ["evaluate", "score_blocks", "score_distances"]

MAX_RANK = 50
"""Length of the CMC curve."""


def evaluate(
    query_embeddings: ArrayLike,
    gallery_embeddings: ArrayLike,
    query: Records,
    gallery: Records,
    distance: str | Distance | DistanceFunction = "euclidean",
    *,
    block_bytes: int = BLOCK_BYTES,
    progress: Progress = silent,
) -> Scores:
    """Rank the gallery for every query by the distance of embeddings, and score the ranking.

    Parameters
    ----------
    query_embeddings : array of shape (queries, d)
        One row for each row of `query`.
    gallery_embeddings : array of shape (gallery, d)
        One row for each row of `gallery`.
    query, gallery : Records
        Identities and cameras of the images.
    distance : str, Distance or callable
        A key of `resight.distances.DISTANCES`, a distance, or a function of (queries, d) and (gallery, d) arrays that returns
        distances (queries, gallery), such as that of a fitted XQDA. The function gets some queries at a time, and the gallery
        without junk.
    block_bytes : int
        Bound on a block of distances; one query's may take more.
    progress : Progress
        Called with the stage ``"rank"`` and the number of ranked queries.

    Returns
    -------
    Scores

    Raises
    ------
    ArrayError
        If shapes do not fit, or an embedding or distance is NaN or infinite.
    ConfigurationError
        If `distance` is unknown.
    NoMatchError
        If no query has a match in the gallery.

    Examples
    --------
    >>> query = Records.from_rows([("a.jpg", 1, 1)])
    >>> gallery = Records.from_rows([("b.jpg", 1, 1), ("c.jpg", 2, 2), ("d.jpg", 1, 2)])
    >>> scores = evaluate([[0.0, 0.0]], [[0.0, 0.1], [0.0, 2.0], [3.0, 0.0]], query, gallery)
    >>> scores.rank1, scores.rank5, scores.map, scores.gallery  # the same camera's image is junk
    (0.0, 1.0, 0.5, 3)
    """
    started = time.perf_counter()
    queries, images = both_embeddings(query_embeddings, gallery_embeddings)
    for name, array, records in (("query", queries, query), ("gallery", images, gallery)):
        if len(array) != len(records):
            raise ArrayError(f"{len(array)} {name} embeddings for {len(records)} {name} images; expected one for each")
    kept = np.flatnonzero(gallery.identities != JUNK)
    relations = Relations(query.identities, query.cameras, gallery.identities[kept], gallery.cameras[kept])
    if isinstance(distance, str | Distance):
        blocks = embedding_blocks(queries, images, kept, distance_named(distance), block_bytes)
    else:
        blocks = function_blocks(queries, images[kept], distance, block_bytes)
    return _score(blocks, relations, progress, started)


def score_distances(
    distances: ArrayLike,
    query_identities: ArrayLike,
    query_cameras: ArrayLike,
    gallery_identities: ArrayLike,
    gallery_cameras: ArrayLike,
) -> Scores:
    """Score a ready matrix of distances.

    Parameters
    ----------
    distances : float array of shape (queries, gallery)
        Smaller is more alike; values may be negative. They keep their precision.
    query_identities, query_cameras : int arrays of shape (queries,)
    gallery_identities, gallery_cameras : int arrays of shape (gallery,)

    Returns
    -------
    Scores

    Raises
    ------
    ArrayError
        If shapes do not fit, or a distance is NaN or infinite.
    NoMatchError
        If no query has a match in the gallery.

    Examples
    --------
    >>> scores = score_distances([[0.3, 0.2, 0.5]], [7], [1], [7, 8, 0], [2, 2, 2])
    >>> scores.rank1, scores.map
    (0.0, 0.5)
    """
    matrix = np.asarray(distances)
    if matrix.ndim != 2:
        raise ArrayError(f"distances have shape {matrix.shape}; expected (queries, gallery)")
    blocks = [(slice(0, len(matrix)), matrix)]
    return score_blocks(blocks, query_identities, query_cameras, gallery_identities, gallery_cameras)


def score_blocks(
    blocks: Iterable[tuple[slice, ArrayLike]],
    query_identities: ArrayLike,
    query_cameras: ArrayLike,
    gallery_identities: ArrayLike,
    gallery_cameras: ArrayLike,
    *,
    progress: Progress = silent,
) -> Scores:
    """Score distances that come some queries at a time; `score_distances` explains the other parameters.

    Parameters
    ----------
    blocks : iterable of (slice, array of shape (rows, gallery))
        Queries, and their distances to the whole gallery. Together the blocks cover every query once, in any order. A block is
        only read, and only until the next is asked for, so that its memory may be used again.
    progress : Progress
        Called with the stage ``"rank"`` and the number of ranked queries.
    """
    started = time.perf_counter()
    relations = Relations(query_identities, query_cameras, gallery_identities, gallery_cameras)
    return _score(((rows, np.asarray(block)) for rows, block in blocks), relations, progress, started)


def _score(blocks: Iterable[Block], relations: Relations, progress: Progress, started: float) -> Scores:
    """Rank the matches of every block, on all usable cores, and compute the figures."""
    queries, gallery = len(relations.query_identities), len(relations.gallery_identities)
    cores = usable_cores()
    ranks = MatchRanks(relations)
    done = 0
    with ThreadPoolExecutor(cores) as pool:
        for rows, block in blocks:
            numbers = range(queries)[rows]
            if block.shape != (len(numbers), gallery):
                raise ArrayError(
                    f"distances of queries {rows.start} to {rows.stop} have shape {block.shape}; expected "
                    f"({len(numbers)}, {gallery}): a row for each query and a column for each gallery image with an identity"
                )
            exact = block if block.dtype in (np.float32, np.float64) else block.astype(np.float64)
            # NumPy works outside the interpreter's lock: each thread takes every so-many-th row.
            parts = [range(first, len(numbers), cores) for first in range(cores)]
            for work in [pool.submit(ranks.add, exact, numbers, part) for part in parts]:
                work.result()
            done += len(numbers)
            progress("rank", done, queries)
    return _figures(*ranks.result(), int((relations.gallery_identities != JUNK).sum()), started)


def _figures(ranks: NDArray[np.int64], counts: NDArray[np.int64], gallery: int, started: float) -> Scores:
    """Compute the figures from the ranks of the matches, query by query, and the number of matches of each query."""
    scored = counts > 0
    if not scored.any():
        raise NoMatchError(
            f"none of {len(counts)} queries has a match: no gallery image of another camera shows the same person; "
            "check that query and gallery belong together"
        )
    some = counts[scored]
    curve = cmc(ranks[np.cumsum(some) - some], MAX_RANK)
    average_precisions = np.full(len(counts), np.nan)
    average_precisions[scored] = average_precision(ranks, some)
    return Scores(
        rank1=float(curve[0]),
        rank5=float(curve[4]),
        rank10=float(curve[9]),
        rank20=float(curve[19]),
        map=float(average_precisions[scored].mean()),
        map_trapezoidal=float(average_precision_trapezoidal(ranks, some).mean()),
        minp=float(inverse_negative_penalty(ranks, some).mean()),
        queries=len(some),
        queries_without_match=len(counts) - len(some),
        gallery=gallery,
        cmc=curve,
        average_precisions=average_precisions,
        seconds_ranking=time.perf_counter() - started,
    )
