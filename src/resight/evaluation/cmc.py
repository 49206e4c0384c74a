"""The cumulative matching characteristic: share of queries with the right person among the first k."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from resight.errors import ArrayError, NoMatchError

__all__ = ["cmc"]


def cmc(first_ranks: ArrayLike, max_rank: int) -> NDArray[np.float64]:
    """Share of the queries whose first match stands at rank k or before, for k = 1 to `max_rank`.

    Rank-1, Rank-5 and so on are its entries 0, 4, ... . If the gallery has several images of a person ("multi-shot"), only the
    first one counts.

    Parameters
    ----------
    first_ranks : int array of shape (queries,)
        Rank of the first match of each query; the best is 1.
    max_rank : int
        Length of the result, at least 1.

    Returns
    -------
    float64 array of shape (max_rank,)
        Increasing, in [0, 1].

    Raises
    ------
    NoMatchError
        If there is no query.
    ArrayError
        If `first_ranks` is not a list of whole numbers from 1, or `max_rank` is less than 1.

    References
    ----------
    .. [1] D. Gray, S. Brennan, H. Tao, "Evaluating Appearance Models for Recognition, Reacquisition, and Tracking", PETS 2007.

    Examples
    --------
    >>> cmc([1, 3, 1, 7], max_rank=4).tolist()
    [0.5, 0.5, 0.75, 0.75]
    """
    ranks = np.asarray(first_ranks)
    if ranks.ndim == 1 and not len(ranks):
        raise NoMatchError("no query with a match: there is nothing to score")
    if ranks.ndim != 1 or not np.issubdtype(ranks.dtype, np.integer) or ranks.min() < 1 or max_rank < 1:
        raise ArrayError(
            f"first ranks of shape {ranks.shape} and type {ranks.dtype}, max_rank {max_rank}; "
            "expected one list of whole numbers from 1 and max_rank of at least 1"
        )
    found_at = np.bincount(np.minimum(ranks, max_rank + 1), minlength=max_rank + 2)
    return np.cumsum(found_at[1 : max_rank + 1]) / len(ranks)
