"""Which models nobody beats."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["pareto_front"]


def pareto_front(cost: ArrayLike, score: ArrayLike) -> NDArray[np.bool_]:
    """Mark the points that no other point beats: none costs at most as much, scores at least as well, and is better in one.

    Parameters
    ----------
    cost : array of shape (n,)
        Smaller is better, for example seconds per image.
    score : array of shape (n,)
        Larger is better, for example mAP.

    Returns
    -------
    bool array of shape (n,)
        Equal points are all on the front or all off it.

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
