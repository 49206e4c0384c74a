"""From distances to answers: match, possible or unknown."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from resight.decision.calibration import MATCH, POSSIBLE, UNKNOWN, Calibration
from resight.errors import ArrayError

__all__ = ["bands", "decide"]


def decide(
    distances: ArrayLike, calibration: Calibration, query: ArrayLike | None = None, *, images: int = 1, people: int | None = None
) -> NDArray[np.str_]:
    """Turn distances into answers.

    Parameters
    ----------
    distances : float array of any shape
        Distances from one query, by the calibration's model and distance. The first of a ranked list answers the search.
    calibration : Calibration
    query : float array of shape (d,) or (1, d), optional
        Vector of the query; a calibration with a cohort needs it.
    images : int
        Images that ask, fused into one query; see `Calibration.asked_with`.
    people : int, optional
        People in the gallery; see `Calibration.thresholds`.

    Returns
    -------
    str array of the same shape
        "match", "possible" or "unknown".

    Raises
    ------
    ArrayError
        If a distance is NaN, or the query is missing or does not fit the cohort.
    """
    return bands(distances, *calibration.asked_with(images).thresholds(query, people))


def bands(distances: ArrayLike, match: float, possible: float) -> NDArray[np.str_]:
    """Turn distances into answers by the thresholds of one query; see `decide` and `Calibration.thresholds`."""
    given = np.asarray(distances, np.float64)
    if np.isnan(given).any():
        raise ArrayError("a distance is NaN; check the embeddings that it is between")
    return np.select([given <= match, given <= possible], [MATCH, POSSIBLE], UNKNOWN)
