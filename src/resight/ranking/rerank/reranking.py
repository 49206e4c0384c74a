"""Re-ranking by k-reciprocal encoding: images that share neighbours with the query come nearer.

The method is that of Zhong et al. [1]_, in bounded memory. Distances are computed in strips, and only the nearest images of each
image are kept. Encodings hold a few dozen numbers an image; an inverted index compares them.

If the released code differs from the paper, this follows the code, as published figures do:

- neighbours come from queries and gallery together, and an image is the first of its own k + 1;
- distances are squared, and divided by the largest distance of the image that they start from;
- a neighbour's reciprocal set joins if *more* than two thirds of it are there (the paper: at least); k1 / 2 is rounded to even;
- an encoding is divided by its sum;
- the k2 encodings of the local query expansion include the image's own.

.. [1] Z. Zhong, L. Zheng, D. Cao, S. Li, "Re-ranking Person Re-identification with k-reciprocal Encoding", CVPR 2017.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from resight.distances import distance_named
from resight.distances.distance import Distance, DistanceFunction, Spatial
from resight.distances.vectors import both_embeddings
from resight.errors import ArrayError, ConfigurationError
from resight.progress import Progress, silent
from resight.ranking.rerank.candidates import Candidates
from resight.ranking.rerank.reciprocal import SparseRows, encode, expand_queries, inverted
from resight.ranking.rerank.rows import in_parts
from resight.ranking.rerank.within import ByFunction, ByPoints, Within, as_bytes

__all__ = ["PAPER", "Reranking", "rerank"]

_STRIP_CELLS = 16 << 20  # distances at a time, beside the result
_STRIP_ROWS = 512  # more at a time make the matrix product no faster


@dataclass(frozen=True, kw_only=True)
class Reranking:
    """Parameters of re-ranking; the defaults are the paper's for Market-1501.

    Attributes
    ----------
    k1 : int
        Most reciprocal neighbours of an image.
    k2 : int
        Images, itself included, over which an encoding is averaged; 1 leaves it alone.
    original_weight : float
        Lambda, the weight of the original distance beside the Jaccard distance: 1 ranks as the original distance does.
    """

    k1: int = 20
    k2: int = 6
    original_weight: float = 0.3

    def __post_init__(self) -> None:
        if self.k1 < 1:
            raise ConfigurationError(f"k1 = {self.k1}; expected at least 1")
        if not 1 <= self.k2 <= self.k1:
            raise ConfigurationError(f"k2 = {self.k2}; expected 1 to k1, which is {self.k1}")
        if not 0 <= self.original_weight <= 1:
            raise ConfigurationError(f"the original distance's weight (lambda) is {self.original_weight}; expected 0 to 1")


PAPER = Reranking()
"""k1 = 20, k2 = 6, lambda = 0.3."""


def rerank(
    queries: ArrayLike,
    gallery: ArrayLike,
    distance: str | Distance | DistanceFunction = "euclidean",
    reranking: Reranking = PAPER,
    *,
    progress: Progress = silent,
) -> NDArray[np.float32]:
    """Re-rank: distances between queries and gallery, for `resight.evaluation.protocol.score_distances`.

    Queries lend each other their neighbourhoods, so a query's distances differ from those it would have alone.

    Parameters
    ----------
    queries : array of shape (q, d)
    gallery : array of shape (g, d)
        Without junk.
    distance : str, Distance or callable
        A key of `resight.distances.DISTANCES`, a distance, or a symmetric function of two arrays of embeddings, such as that of a
        fitted XQDA. Euclidean distances are squared, as in the paper; those of a function are not.
    reranking : Reranking
    progress : Progress
        Called with the stage ``"re-rank"`` and the number of images with known neighbours.

    Returns
    -------
    float32 array of shape (q, g)
        (1 - lambda) Jaccard distance + lambda original distance, each at most 1. The rest of the memory grows with
        q + g, not with its square. Neighbours are exact, as in `resight.ranking.nearest.nearest`.

    Raises
    ------
    ArrayError
        If the shapes do not fit, an array is empty, or an embedding or distance is NaN or infinite.
    ConfigurationError
        If `distance` is unknown.

    Notes
    -----
    The result does not depend on the order of the gallery: the order of equally near neighbours depends on their numbers alone,
    and equal embeddings in the gallery get the largest of their distances.

    Examples
    --------
    The nearest image has nearer ones of its own, the second nearest has not: it and the query find each other.

    >>> found = rerank([[0.0]], [[1.0], [-1.1], [1.2], [1.3]], reranking=Reranking(k1=2, k2=1, original_weight=0))
    >>> found.astype(float).round(2).tolist()
    [[1.0, 0.37, 1.0, 1.0]]
    """
    query, images = both_embeddings(queries, gallery)
    if not len(query) or not len(images):
        raise ArrayError(f"{len(query)} queries and {len(images)} gallery images; expected at least one of each")
    order, first = _by_content(images)
    distances = _within(np.concatenate([query, images[order]]), distance)
    neighbours, farthest, result = _look(distances, len(query), reranking.k1 + 1, progress)

    def normalised(rows: slice, columns: NDArray[np.int64]) -> NDArray[np.float32]:
        return distances.between(rows, columns) / farthest[rows, None]

    encoding = encode(neighbours, round(reranking.k1 / 2) + 1, normalised)
    encoding = expand_queries(encoding, neighbours[:, : reranking.k2])
    _blend(result, encoding, reranking.original_weight, order, first)
    return result


def _within(embeddings: NDArray[np.float32], distance: str | Distance | DistanceFunction) -> Within:
    if not isinstance(distance, str | Distance):
        return ByFunction(embeddings, distance)
    measure = distance_named(distance)
    return ByPoints(embeddings, measure) if isinstance(measure, Spatial) else ByFunction(embeddings, measure.between)


def _by_content(embeddings: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Order of the rows that depends on their numbers alone, and the first place of each different row in it."""
    values = as_bytes(embeddings)
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    return order, np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))


def _look(
    distances: Within, queries: int, k: int, progress: Progress
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]:
    """Look once at all distances between all images; the queries come first.

    Returns
    -------
    neighbours : int64 array of shape (n, k), or (n, n) if there are fewer images
    farthest : float32 array of shape (n,)
        Largest distance of each image; 1 if all are 0.
    original : float32 array of shape (queries, gallery)
        Distances, divided by the query's largest.
    """
    images = len(distances)
    candidates = Candidates(images, k + distances.spare)
    farthest = np.zeros(images, np.float32)
    original = np.empty((queries, images - queries), np.float32)
    height = max(1, min(_STRIP_ROWS, _STRIP_CELLS // images))
    for start in range(0, images, height):
        stop = min(start + height, images)
        strip = distances.between(slice(start, stop), slice(start, images))
        if start < queries:
            original[start:stop] = strip[: queries - start, queries - start :]
        np.maximum(farthest[start:stop], strip.max(axis=1), out=farthest[start:stop])
        np.maximum(farthest[start:], strip.max(axis=0), out=farthest[start:])
        candidates.add(start, strip)
        progress("re-rank", stop, images)
    farthest[farthest == 0] = 1
    original /= farthest[:queries, None]
    return distances.decide(candidates, min(k, images)), farthest, original


def _blend(
    distances: NDArray[np.float32], encoding: SparseRows, weight: float, order: NDArray[np.int64], first: NDArray[np.int64]
) -> None:
    """Add the Jaccard distances of the encodings to the original ones, and put the gallery back into the caller's order.

    The Jaccard distance is 1 - sum of minima / sum of maxima. The latter is 2 - sum of minima, because each encoding has the sum 1.
    """
    queries, gallery = distances.shape
    encoded_by = inverted(encoding, queries)
    place = np.argsort(order)
    copies = np.diff(np.append(first, gallery))

    def part(rows: slice) -> None:
        entries, row = encoding.entries(np.arange(rows.start, rows.stop))
        others, source = encoded_by.entries(encoding.columns[entries])
        minima = np.minimum(encoding.values[entries][source], encoded_by.values[others])
        overlap = np.zeros(distances[rows].shape, np.float32)
        np.add.at(overlap.reshape(-1), row[source] * gallery + encoded_by.columns[others], minima)
        block = np.float32(weight) * distances[rows] + np.float32(1 - weight) * (1 - overlap / (2 - overlap))
        if len(first) < gallery:
            block = np.repeat(np.maximum.reduceat(block, first, axis=1), copies, axis=1)
        np.take(block, place, axis=1, out=distances[rows])

    # An image in everybody's encoding makes its queries as wide as the whole gallery.
    compared = np.diff(encoded_by.starts)[encoding.columns[: encoding.starts[queries]]]
    widest = np.add.reduceat(compared, encoding.starts[:queries]).max()
    in_parts(part, 0, queries, max(gallery, int(widest)))
