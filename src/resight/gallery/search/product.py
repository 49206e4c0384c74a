"""Several queries at once: the fast form of the distance finds the few rows that can be near each of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from resight.distances.distance import Distance
from resight.distances.vectors import squared_norms
from resight.gallery.search.segment import Mask, Segment

__all__ = ["near_rows"]

_ROWS = 4096  # rows at a time

Places = list[NDArray[np.int64]]


def near_rows(
    queries: NDArray[np.float32], parts: Sequence[tuple[Segment, Mask | None, slice]], k: int, distance: Distance
) -> list[Places]:
    """Rows that include the k nearest of each query, or all if there are fewer, and all that are as near as the last.

    A row's fast gap differs from its exact gap by at most the margin. So the exact gaps of k rows are within a bound and a margin,
    and the fast gap of any row as near as these is within the bound and two margins.

    Parameters
    ----------
    queries : float32 array of shape (q, d)
    parts : sequence of (Segment, Mask or None, slice)
        Rows to search: those in the slice that the mask holds.
    k : int
    distance : Distance

    Returns
    -------
    list of lists of int64 arrays
        Rows of each part, for each query.
    """
    largest = float(max(segment.squares.max() for segment, *_ in parts))
    margin = distance.margin(squared_norms(queries), largest, queries.shape[1])
    bound = np.full(len(queries), np.inf)
    rows: list[list[Places]] = [[[] for _ in parts] for _ in queries]
    rough: list[list[list[NDArray[np.float32]]]] = [[[] for _ in parts] for _ in queries]
    for number, (segment, mask, span) in enumerate(parts):
        for start in range(span.start, span.stop, _ROWS):
            block: NDArray[np.int64] | slice = slice(start, min(start + _ROWS, span.stop))
            if mask is not None:
                block = start + np.flatnonzero(mask[block])
            squares = segment.squares[block]
            if not len(squares):
                continue
            values = np.empty((len(squares), len(queries)), np.float32)  # a column a query: faster than a row a query
            distance.fast(queries, segment.rows.vectors[block], squares, values.T)
            if len(squares) > k and np.isinf(bound).any():
                bound = np.minimum(bound, np.partition(values, k - 1, axis=0)[k - 1])
            hits, askers = np.nonzero(values <= _upwards(bound + 2 * margin))
            for query in np.unique(askers).tolist():
                some = hits[askers == query]
                rows[query][number].append(some + start if mask is None else np.asarray(block)[some])
                rough[query][number].append(values[some, query])
                kept = np.concatenate([some for several in rough[query] for some in several])
                if len(kept) >= k:
                    bound[query] = np.partition(kept, k - 1)[k - 1]
    found: list[Places] = []
    for query, limit in enumerate(_upwards(bound + 2 * margin).tolist()):
        found.append([])
        for several, roughly in zip(rows[query], rough[query], strict=True):
            some = np.concatenate([np.empty(0, np.int64), *several])
            found[-1].append(some[np.concatenate([np.empty(0, np.float32), *roughly]) <= limit])
    return found


def _upwards(limits: NDArray[np.float64]) -> NDArray[np.float32]:
    """Round up to float32."""
    return np.nextafter(limits.astype(np.float32), np.float32(np.inf))
