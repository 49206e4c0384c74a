"""The field's protocol: rank the gallery for every query, leave junk out, and score the order.

One core, `score_blocks`, consumes distances block by block, so that neither a data set's size nor the kind of distance matters;
`evaluate` feeds it from embeddings and `score_distances` from a ready matrix.

The protocol is that of Market-1501 [1]_. For each query, gallery images of identity -1, and images of the same person by the
same camera, are junk: they count neither for nor against. Distractors (identity 0) are wrong matches. VIPeR, CUHK01 and the
others need nothing special: the first right image in the ranking counts.

Where distances tie, wrong matches stand first. So no score depends on the order of the gallery, and an embedding that is the
same for everybody gets the worst score instead of an accidental one.

.. [1] L. Zheng et al., "Scalable Person Re-identification: A Benchmark", ICCV 2015.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Literal, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from resight.compute import usable_cores
from resight.datasets.records import JUNK, Records
from resight.distances import DISTANCES
from resight.distances.euclidean import both_embeddings
from resight.errors import ArrayError, ConfigurationError, NoMatchError
from resight.evaluation.average_precision import (
    average_precision_of_ranks,
    average_precision_trapezoidal_of_ranks,
    inverse_negative_penalty_of_ranks,
)
from resight.evaluation.blocks import BLOCK_BYTES, Block, Distance, embedding_blocks, function_blocks
from resight.evaluation.cmc import cmc
from resight.evaluation.relations import MatchRanks, Relations
from resight.evaluation.scores import Scores
from resight.progress import Progress, silent

__all__ = ["evaluate", "score_blocks", "score_distances"]

MAX_RANK = 50
"""How far the stored CMC curve reaches, unless told otherwise."""


def evaluate(
    query_embeddings: ArrayLike,
    gallery_embeddings: ArrayLike,
    query: Records,
    gallery: Records,
    distance: str | Distance = "euclidean",
    *,
    block_bytes: int = BLOCK_BYTES,
    max_rank: int = MAX_RANK,
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
        Who is on the images, and which camera saw them.
    distance : str or callable
        A key of `resight.distances.DISTANCES`, or a function of (queries, d) and (gallery, d) arrays that returns distances
        of shape (queries, gallery), such as a fitted XQDA's; it is given some queries at a time, and the gallery without junk.
    block_bytes : int
        Bound on the block of distances that is held at a time, or one query's if they are more.
    max_rank : int
        Length of the CMC curve, at least 20.
    progress : Progress
        Called with the stage ``"rank"`` and the number of queries done.

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
    if callable(distance):
        blocks = function_blocks(queries, images[kept], distance, block_bytes)
    elif distance in DISTANCES:
        blocks = embedding_blocks(queries, images, kept, cast(Literal["euclidean", "cosine"], distance), block_bytes)
    else:
        raise ConfigurationError(f"distance {distance!r} is unknown; expected {', '.join(DISTANCES)}, or a function")
    return _score(blocks, relations, max_rank, progress, started)


def score_distances(
    distances: ArrayLike,
    query_identities: ArrayLike,
    query_cameras: ArrayLike,
    gallery_identities: ArrayLike,
    gallery_cameras: ArrayLike,
    *,
    max_rank: int = MAX_RANK,
) -> Scores:
    """Score a ready matrix of distances.

    Parameters
    ----------
    distances : float array of shape (queries, gallery)
        Smaller is more alike; negative values are as good as any. Kept in its precision.
    query_identities, query_cameras : int arrays of shape (queries,)
    gallery_identities, gallery_cameras : int arrays of shape (gallery,)
    max_rank : int
        Length of the CMC curve, at least 20.

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
    return score_blocks(
        [(slice(0, len(matrix)), matrix)],
        query_identities,
        query_cameras,
        gallery_identities,
        gallery_cameras,
        max_rank=max_rank,
    )


def score_blocks(
    blocks: Iterable[tuple[slice, ArrayLike]],
    query_identities: ArrayLike,
    query_cameras: ArrayLike,
    gallery_identities: ArrayLike,
    gallery_cameras: ArrayLike,
    *,
    max_rank: int = MAX_RANK,
    progress: Progress = silent,
) -> Scores:
    """Score distances that come some queries at a time; see `score_distances` for what is not explained here.

    Parameters
    ----------
    blocks : iterable of (slice, array of shape (rows, gallery))
        Which queries, and their distances to the whole gallery; together they cover every query once, in any order. A block
        is only read, and only until the next is asked for, so its memory may be used again.
    progress : Progress
        Called with the stage ``"rank"`` and the number of queries done.
    """
    started = time.perf_counter()
    relations = Relations(query_identities, query_cameras, gallery_identities, gallery_cameras)
    return _score(((rows, np.asarray(block)) for rows, block in blocks), relations, max_rank, progress, started)


def _score(blocks: Iterable[Block], relations: Relations, max_rank: int, progress: Progress, started: float) -> Scores:
    """The core: rank the matches of every block, on all processors, and make figures of the ranks."""
    if max_rank < 20:
        raise ArrayError(f"max_rank is {max_rank}; expected at least 20, for Rank-20")
    queries, gallery = len(relations.query_identities), len(relations.gallery_identities)
    processors = usable_cores()
    ranks = MatchRanks(relations)
    done = 0
    with ThreadPoolExecutor(processors) as pool:
        for rows, block in blocks:
            numbers = range(queries)[rows]
            if block.shape != (len(numbers), gallery):
                raise ArrayError(
                    f"distances of queries {rows.start} to {rows.stop} have shape {block.shape}; expected "
                    f"({len(numbers)}, {gallery}): a row for each query and a column for each gallery image with an identity"
                )
            exact = block if block.dtype in (np.float32, np.float64) else block.astype(np.float64)
            # NumPy works outside the interpreter's lock: each thread takes every so-many-th row.
            parts = [range(first, len(numbers), processors) for first in range(processors)]
            for work in [pool.submit(ranks.add, exact, numbers, part) for part in parts]:
                work.result()
            done += len(numbers)
            progress("rank", done, queries)
    return _figures(*ranks.result(), int((relations.gallery_identities != JUNK).sum()), max_rank, started)


def _figures(ranks: NDArray[np.int64], counts: NDArray[np.int64], gallery: int, max_rank: int, started: float) -> Scores:
    """Figures from the ranks of the matches, query by query, and how many matches each query has."""
    scored = counts > 0
    if not scored.any():
        raise NoMatchError(
            f"none of {len(counts)} queries has a match: no gallery image of another camera shows the same person; "
            "check that query and gallery belong together"
        )
    some = counts[scored]
    curve = cmc(ranks[np.cumsum(some) - some], max_rank)
    average_precisions = np.full(len(counts), np.nan)
    average_precisions[scored] = average_precision_of_ranks(ranks, some)
    return Scores(
        rank1=float(curve[0]),
        rank5=float(curve[4]),
        rank10=float(curve[9]),
        rank20=float(curve[19]),
        map=float(average_precisions[scored].mean()),
        map_trapezoidal=float(average_precision_trapezoidal_of_ranks(ranks, some).mean()),
        minp=float(inverse_negative_penalty_of_ranks(ranks, some).mean()),
        queries=len(some),
        queries_without_match=len(counts) - len(some),
        gallery=gallery,
        cmc=curve,
        average_precisions=average_precisions,
        seconds_ranking=time.perf_counter() - started,
    )
