"""Vectors become distances: smaller is more alike."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from resight.distances import euclidean

__all__ = ["DISTANCES"]

DISTANCES: dict[str, Callable[[ArrayLike, ArrayLike], NDArray[np.float32]]] = {
    "euclidean": euclidean.euclidean,
    "cosine": euclidean.cosine,
}
"""What needs no fitting, by name: (q, d) and (g, d) arrays to (q, g) distances."""
