"""Vectors as bytes: exact, or in half or a quarter of the space at a measurable loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resight.errors import ArrayError, GalleryDamagedError
from resight.ranking.nearest import nearest

__all__ = ["PRECISIONS", "decode_vectors", "encode_vectors", "recall"]

PRECISIONS = ("float32", "float16", "int8")
"""Types of stored numbers: 4, 2 or 1 bytes each; int8 adds a scale of 4 bytes to each vector."""

_LITTLE_ENDIAN: dict[str, np.dtype[np.floating[Any]]] = {"float32": np.dtype("<f4"), "float16": np.dtype("<f2")}
_INT8 = 127


def encode_vectors(vectors: NDArray[np.float32], precision: str) -> list[bytes]:
    """Encode vectors, float32 (n, d), as n byte strings.

    Raises
    ------
    ArrayError
        If a number is too large for float16.
    """
    if precision == "int8":
        scales = (np.abs(vectors).max(axis=1) / _INT8).astype("<f4")
        numbers = np.rint(np.divide(vectors, scales[:, None], out=np.zeros_like(vectors), where=scales[:, None] > 0))
        return [scale.tobytes() + row.tobytes() for scale, row in zip(scales, numbers.astype(np.int8), strict=True)]
    with np.errstate(over="ignore"):
        stored = vectors.astype(_LITTLE_ENDIAN[precision])
    if not np.isfinite(stored).all():
        raise ArrayError(f"vectors hold numbers up to {np.abs(vectors).max():g}, too large for {precision}; store float32")
    return [row.tobytes() for row in stored]


def decode_vectors(stored: Sequence[bytes], precision: str, dimension: int) -> NDArray[np.float32]:
    """Decode the result of `encode_vectors`: float32 (n, d), at the accuracy of the precision.

    Raises
    ------
    GalleryDamagedError
        If a byte string does not have the length of such a vector.
    """
    length = 4 + dimension if precision == "int8" else dimension * _LITTLE_ENDIAN[precision].itemsize
    if any(len(row) != length for row in stored):
        raise GalleryDamagedError(f"a stored vector does not have the {length} bytes of {dimension} numbers as {precision}")
    raw = np.frombuffer(b"".join(stored), np.uint8).reshape(len(stored), length)
    if precision == "int8":
        scales = np.ascontiguousarray(raw[:, :4]).view("<f4")
        return np.asarray(raw[:, 4:].view(np.int8) * scales, np.float32)
    return np.asarray(raw.view(_LITTLE_ENDIAN[precision]), np.float32)


def recall(vectors: NDArray[np.float32], precision: str, distance: str, k: int = 10) -> float:
    """Measure the share of each vector's k nearest neighbours that stay nearest after storing.

    Parameters
    ----------
    vectors : float32 array of shape (n, d)
        More than k of them. The querying vector stays exact, as a query is.
    precision : str
        One of `PRECISIONS`.
    distance : str
        A key of `resight.distances.DISTANCES`.
    k : int

    Returns
    -------
    float
        In [0, 1]; 1 for float32.
    """
    stored = decode_vectors(encode_vectors(vectors, precision), precision, vectors.shape[1])
    own = np.arange(len(vectors))[:, None]
    before, after = (nearest(vectors, gallery, k + 1, distance)[0] for gallery in (vectors, stored))
    # The vector itself is left out of both lists; where it is in none, the last is.
    kept = [np.take_along_axis(rows, np.argsort(rows == own, axis=1, kind="stable")[:, :k], axis=1) for rows in (before, after)]
    return float(np.mean([len(np.intersect1d(*pair)) / k for pair in zip(*kept, strict=True)]))
