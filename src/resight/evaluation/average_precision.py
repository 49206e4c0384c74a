"""Scores of ranked lists: average precision, in both of the field's definitions, and the inverse negative penalty.

All three depend only on the ranks of the matches, and are computed for the lists of all queries together.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from resight.errors import ArrayError, NoMatchError

__all__ = ["average_precision", "average_precision_trapezoidal", "inverse_negative_penalty"]


def average_precision(ranks: ArrayLike, counts: ArrayLike) -> NDArray[np.float64]:
    """Non-interpolated average precision of each ranked list.

    The mean, over the matches, of the precision at their ranks: with the j-th match at rank r_j, the mean of j / r_j.

    Parameters
    ----------
    ranks : int array of shape (sum of counts,)
        Ranks of the matches, from 1: those of the first list in increasing order, then those of the second, ...
    counts : int array of shape (lists,)
        Matches in each list; at least one.

    Returns
    -------
    float64 array of shape (lists,)
        In [0, 1].

    Raises
    ------
    NoMatchError
        If a list has no match.
    ArrayError
        If `counts` do not add up to the number of ranks.

    References
    ----------
    .. [1] L. Zheng et al., "Scalable Person Re-identification: A Benchmark", ICCV 2015. Their released code integrates by
           trapezoids instead; see `average_precision_trapezoidal`.

    Examples
    --------
    >>> average_precision([1, 4, 1], [2, 1]).tolist()
    [0.75, 1.0]
    """
    position, rank, starts, count = _layout(ranks, counts)
    return np.add.reduceat(position / rank, starts) / count


def average_precision_trapezoidal(ranks: ArrayLike, counts: ArrayLike) -> NDArray[np.float64]:
    """Average precision by trapezoids under the precision-recall curve, as the released Market-1501 code computes it.

    The curve starts at precision 1 for recall 0. At the j-th match, at rank r_j, recall grows by one share. The mean of the
    precisions just before, (j - 1) / (r_j - 1), and after, j / r_j, counts. The result may be lower or higher than
    `average_precision`, whose parameters and errors these are; with few matches it is usually lower by about a percent point.

    References
    ----------
    .. [1] L. Zheng et al., "Scalable Person Re-identification: A Benchmark", ICCV 2015, released code (after J. Philbin's for
           Oxford Buildings).

    Examples
    --------
    >>> average_precision_trapezoidal([2], [1]).tolist()  # the precision falls to 0, then rises to 1/2
    [0.25]
    """
    position, rank, starts, count = _layout(ranks, counts)
    before = np.ones_like(rank)
    np.divide(position - 1, rank - 1, out=before, where=rank > 1)
    return np.add.reduceat((before + position / rank) / 2, starts) / count


def inverse_negative_penalty(ranks: ArrayLike, counts: ArrayLike) -> NDArray[np.float64]:
    """Inverse negative penalty: number of matches divided by the rank of the last.

    Its mean over the queries is mINP. It is 1 if nothing wrong stands before the last match. Parameters and errors are those of
    `average_precision`.

    References
    ----------
    .. [1] M. Ye, J. Shen, G. Lin, T. Xiang, L. Shao, S. C. H. Hoi, "Deep Learning for Person Re-identification: A Survey and
           Outlook", TPAMI 2021.

    Examples
    --------
    >>> inverse_negative_penalty([1, 4], [2]).tolist()
    [0.5]
    """
    _, rank, starts, count = _layout(ranks, counts)
    last: NDArray[np.float64] = rank[starts + count - 1]
    return count / last


def _layout(
    ranks: ArrayLike, counts: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Number within its list, from 1, and rank of every match; start and count of every list."""
    rank = np.asarray(ranks, np.float64)
    count = np.asarray(counts, np.int64)
    if rank.ndim != 1 or count.ndim != 1 or count.sum() != len(rank):
        raise ArrayError(f"{rank.shape} ranks and {count.shape} counts that sum to {count.sum()}; expected as many ranks")
    if not len(count) or count.min() < 1:
        raise NoMatchError("a ranked list without a match has no average precision; leave such queries out")
    starts = np.cumsum(count) - count
    position = np.arange(1, len(rank) + 1) - np.repeat(starts, count)
    return position.astype(np.float64), rank, starts, count
