"""Checked embeddings, and their norms."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from resight.errors import ArrayError

__all__ = ["both_embeddings", "embeddings_of", "inverse_norms", "row_blocks", "squared_norms"]

_ROWS = 1024  # rows at a time, so that float64 copies stay small
_LARGEST = 1e16  # the squares of larger numbers may add up to more than float32 holds
_SHORTEST = 2.0**-126  # float32 cannot hold the direction of a shorter vector


def embeddings_of(name: str, embeddings: ArrayLike) -> NDArray[np.float32]:
    """Check embeddings, and view or copy them as float32.

    Parameters
    ----------
    name : str
        Name in the message.
    embeddings : array of shape (n, d)

    Returns
    -------
    float32 array of shape (n, d)
        The same memory if it is float32 already.

    Raises
    ------
    ArrayError
        If this is not a matrix with a column, or holds NaN, infinity or a number beyond 1e16, whose square is too large for
        float32.
    """
    try:
        with np.errstate(over="ignore"):
            array = np.asarray(embeddings, np.float32)
    except (TypeError, ValueError) as error:
        raise ArrayError(f"{name} embeddings are not a matrix of numbers: {error}") from error
    if array.ndim != 2 or not array.shape[1]:
        raise ArrayError(f"{name} embeddings have shape {array.shape}; expected (images, numbers in an embedding)")
    # A comparison with NaN is false.
    if not all(array[rows].max() <= _LARGEST and array[rows].min() >= -_LARGEST for rows in row_blocks(len(array))):
        raise ArrayError(
            f"{name} embeddings hold NaN, infinity, or numbers beyond {_LARGEST:g}; check the images and the network that made them"
        )
    return array


def both_embeddings(queries: ArrayLike, gallery: ArrayLike) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Check queries and gallery as `embeddings_of` does, and that their embeddings are equally long."""
    query, images = embeddings_of("query", queries), embeddings_of("gallery", gallery)
    if query.shape[1] != images.shape[1]:
        raise ArrayError(f"query embeddings hold {query.shape[1]} numbers and the gallery's {images.shape[1]}; expected as many")
    return query, images


def squared_norms(embeddings: NDArray[np.float32] | NDArray[np.float64]) -> NDArray[np.float64]:
    """Squared norms of embeddings (n, d), summed in float64; equal vectors have equal ones."""
    squares: NDArray[np.float64] = np.einsum("ij,ij->i", embeddings, embeddings, dtype=np.float64)
    return squares


def inverse_norms(squares: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 / norm from squared norms; 0 for a vector that is zero or too short to have a direction in float32."""
    return np.divide(1, np.sqrt(squares), out=np.zeros_like(squares), where=squares >= _SHORTEST**2)


def row_blocks(length: int) -> Iterator[slice]:
    """Slices that cover some rows, a thousand at a time."""
    return (slice(first, first + _ROWS) for first in range(0, length, _ROWS))
