"""The Pareto front: models that no other model beats."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["pareto_front"]


def pareto_front(cost: ArrayLike, score: ArrayLike) -> NDArray[np.bool_]:
    """Mark the points that no other point beats.

    A point beats another if it costs at most as much, scores at least as well, and is better in one of the two.

    Parameters
    ----------
    cost : array of shape (n,)
        Cost, for example seconds per image; smaller is better.
    score : array of shape (n,)
        Score, for example mAP; larger is better.

    Returns
    -------
    bool array of shape (n,)
        True for points on the front. Equal points are all on it or all off it.

    Examples
    --------
    >>> pareto_front([1, 2, 3, 4], [0.3, 0.2, 0.5, 0.5]).tolist()
    [True, False, True, False]
    """
    costs, scores = np.asarray(cost, np.float64), np.asarray(score, np.float64)
    no_worse = (costs[:, None] <= costs) & (scores[:, None] >= scores)
    better = (costs[:, None] < costs) | (scores[:, None] > scores)
    beaten = np.asarray(np.any(no_worse & better, axis=0), np.bool_)
    return ~beaten
