"""Mean vector of each camera, which is taken off before vectors of several cameras are compared: it says where, not who."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["CameraMeans", "centred"]

SHRUNK = 5.0
"""Passages' worth of the mean of all cameras in the mean of each, so that a few people do not make a camera's mean."""
ENOUGH = 5
"""Passages by which a camera's mean is known."""


class CameraMeans:
    """Running mean of the unit vectors that each camera made, one vote for each passage.

    Light, colours and the angle of view move all vectors of a camera the same way. That part says where somebody was, not who it
    is. A mean is shrunk towards the mean of all cameras.
    """

    def __init__(self) -> None:
        self._sums: dict[str, NDArray[np.float64]] = {}
        self._counts: Counter[str] = Counter()

    def add(self, camera: str, vector: NDArray[np.floating], votes: int = 1) -> None:
        """Count the unit vector (d,) of a passage; with -1 vote, take it back."""
        self._sums[camera] = self._sums.get(camera, np.zeros(len(vector))) + votes * vector
        self._counts[camera] += votes
        if not self._counts[camera]:
            del self._sums[camera], self._counts[camera]

    @property
    def known(self) -> bool:
        """True if the means of two cameras are known. With one camera, there is nothing to tell apart."""
        return sum(count >= ENOUGH for count in self._counts.values()) > 1

    def of(self, cameras: Iterable[str]) -> NDArray[np.float64]:
        """Means of some cameras, (cameras, d); that of all cameras for one that made no vector."""
        total: NDArray[np.float64] = np.sum(list(self._sums.values()), axis=0) / max(self._counts.total(), 1)
        rows = [(self._sums.get(name, 0) + SHRUNK * total) / (self._counts[name] + SHRUNK) for name in cameras]
        means: NDArray[np.float64] = np.stack(rows)
        return means


def centred(vectors: ArrayLike, cameras: ArrayLike) -> NDArray[np.float32]:
    """Vectors less the mean of their camera, as a linker compares them.

    Parameters
    ----------
    vectors : float array of shape (n, d)
        One for each passage, of any length.
    cameras : array of shape (n,)
        Camera of each.

    Returns
    -------
    float32 array of shape (n, d)
        Vectors of length 1. A vector that is zero, or its camera's mean, gives zeros.
    """
    units, means = _unit(np.asarray(vectors, np.float64)), CameraMeans()
    names, at = np.unique(np.asarray(cameras).astype(str), return_inverse=True)
    for vector, name in zip(units, names[at].tolist(), strict=True):
        means.add(name, vector)
    return _unit(units - means.of(names.tolist())[at]).astype(np.float32)


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    units: NDArray[np.float64] = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    return units
