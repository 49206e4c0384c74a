"""Scores of a ranked list: average precision, in both of the field's definitions, and the inverse negative penalty.

All three depend only on the ranks of the matches. Each formula stands once, in its ``..._of_ranks`` form, for the lists of all
queries together; the form for one list of booleans calls it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from resight.errors import ArrayError, NoMatchError

__all__ = [
    "average_precision",
    "average_precision_of_ranks",
    "average_precision_trapezoidal",
    "average_precision_trapezoidal_of_ranks",
    "inverse_negative_penalty",
    "inverse_negative_penalty_of_ranks",
]


def average_precision(matches: ArrayLike) -> float:
    """Non-interpolated average precision of one ranked list.

    The mean, over the matches, of the precision at their ranks: with the j-th match at rank r_j, the mean of j / r_j.

    Parameters
    ----------
    matches : bool array of shape (n,)
        True if the image at that rank shows the query's person; rank 1 first.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    NoMatchError
        If no entry is true.
    ArrayError
        If `matches` is not a list of booleans.

    References
    ----------
    .. [1] L. Zheng et al., "Scalable Person Re-identification: A Benchmark", ICCV 2015. Their released code integrates by
           trapezoids instead; see `average_precision_trapezoidal`.

    Examples
    --------
    >>> average_precision([True, False, False, True])
    0.75
    """
    ranks = _ranks(matches)
    return float(average_precision_of_ranks(ranks, [len(ranks)])[0])


def average_precision_trapezoidal(matches: ArrayLike) -> float:
    """Average precision by trapezoids under the precision-recall curve, as the released Market-1501 code computes it.

    The curve starts at precision 1 for recall 0. At the j-th match, at rank r_j, recall grows by one share. The mean of the
    precisions just before, (j - 1) / (r_j - 1), and after, j / r_j, counts. The result may be lower or higher than
    `average_precision`; with few matches it is usually lower by about a percent point.

    Parameters
    ----------
    matches : bool array of shape (n,)
        True if the image at that rank shows the query's person; rank 1 first.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    NoMatchError
        If no entry is true.
    ArrayError
        If `matches` is not a list of booleans.

    References
    ----------
    .. [1] L. Zheng et al., "Scalable Person Re-identification: A Benchmark", ICCV 2015, released code (after J. Philbin's for
           Oxford Buildings).

    Examples
    --------
    >>> average_precision_trapezoidal([False, True])  # the precision falls to 0, then rises to 1/2
    0.25
    """
    ranks = _ranks(matches)
    return float(average_precision_trapezoidal_of_ranks(ranks, [len(ranks)])[0])


def inverse_negative_penalty(matches: ArrayLike) -> float:
    """Inverse negative penalty: number of matches divided by the rank of the last.

    Its mean over the queries is mINP.

    Parameters
    ----------
    matches : bool array of shape (n,)
        True if the image at that rank shows the query's person; rank 1 first.

    Returns
    -------
    float
        In (0, 1]; 1 if nothing wrong stands before the last match.

    Raises
    ------
    NoMatchError
        If no entry is true.
    ArrayError
        If `matches` is not a list of booleans.

    References
    ----------
    .. [1] M. Ye, J. Shen, G. Lin, T. Xiang, L. Shao, S. C. H. Hoi, "Deep Learning for Person Re-identification: A Survey and
           Outlook", TPAMI 2021.

    Examples
    --------
    >>> inverse_negative_penalty([True, False, False, True])
    0.5
    """
    ranks = _ranks(matches)
    return float(inverse_negative_penalty_of_ranks(ranks, [len(ranks)])[0])


def average_precision_of_ranks(ranks: ArrayLike, counts: ArrayLike) -> NDArray[np.float64]:
    """`average_precision` of many lists at once.

    Parameters
    ----------
    ranks : int array of shape (sum of counts,)
        Ranks of the matches, from 1: those of the first list in increasing order, then those of the second, ...
    counts : int array of shape (lists,)
        Matches in each list; at least one.

    Returns
    -------
    float64 array of shape (lists,)

    Raises
    ------
    NoMatchError
        If a list has no match.
    ArrayError
        If `counts` do not add up to the number of ranks.
    """
    position, rank, starts, count = _layout(ranks, counts)
    return np.add.reduceat(position / rank, starts) / count


def average_precision_trapezoidal_of_ranks(ranks: ArrayLike, counts: ArrayLike) -> NDArray[np.float64]:
    """`average_precision_trapezoidal` of many lists at once; otherwise as `average_precision_of_ranks`."""
    position, rank, starts, count = _layout(ranks, counts)
    before = np.ones_like(rank)
    np.divide(position - 1, rank - 1, out=before, where=rank > 1)
    return np.add.reduceat((before + position / rank) / 2, starts) / count


def inverse_negative_penalty_of_ranks(ranks: ArrayLike, counts: ArrayLike) -> NDArray[np.float64]:
    """`inverse_negative_penalty` of many lists at once; otherwise as `average_precision_of_ranks`."""
    _, rank, starts, count = _layout(ranks, counts)
    last: NDArray[np.float64] = rank[starts + count - 1]
    return count / last


def _ranks(matches: ArrayLike) -> NDArray[np.int64]:
    """Ranks, from 1, of the true entries of one list."""
    array = np.asarray(matches)
    if array.ndim != 1 or (array.dtype != np.bool_ and array.size):
        raise ArrayError(f"matches have shape {array.shape} and type {array.dtype}; expected one list of booleans, rank 1 first")
    ranks = np.flatnonzero(array) + 1
    if not len(ranks):
        raise NoMatchError("no entry of this ranked list is a match: its average precision is undefined; leave the query out")
    return ranks


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
