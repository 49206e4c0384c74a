"""Euclidean and cosine distance."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from resight.errors import ArrayError

__all__ = ["both_embeddings", "cosine", "embeddings_of", "euclidean", "inverse_norms", "squared_norms"]

_ROWS = 1024  # rows that are handled at a time, so that float64 copies stay small
_LARGEST = 1e16  # squares of larger numbers, summed, may be beyond float32


def euclidean(queries: ArrayLike, gallery: ArrayLike) -> NDArray[np.float32]:
    """Euclidean distances.

    Parameters
    ----------
    queries : array of shape (q, d)
    gallery : array of shape (g, d)

    Returns
    -------
    float32 array of shape (q, g)
        Computed in float64: the square is a difference of large numbers, in which float32 leaves only noise of two images
        that are nearly equal.

    Raises
    ------
    ArrayError
        If the shapes do not fit, or a number is NaN or infinite.

    Examples
    --------
    >>> euclidean([[0, 0], [3, 0]], [[0, 4]]).tolist()
    [[4.0], [5.0]]
    """
    query, images = both_embeddings(queries, gallery)
    result = np.empty((len(query), len(images)), np.float32)
    for columns in _parts(len(images)):
        several = images[columns].astype(np.float64)
        for rows in _parts(len(query)):
            some = query[rows].astype(np.float64)
            squares = some @ several.T
            squares *= -2
            squares += squared_norms(several)
            squares += squared_norms(some)[:, None]
            np.maximum(squares, 0, out=squares)
            result[rows, columns] = np.sqrt(squares, out=squares)
    return result


def cosine(queries: ArrayLike, gallery: ArrayLike) -> NDArray[np.float32]:
    """One minus the cosine of the angle between vectors.

    Parameters
    ----------
    queries : array of shape (q, d)
    gallery : array of shape (g, d)

    Returns
    -------
    float32 array of shape (q, g)
        In [0, 2]; a zero vector has no direction and is at distance 1 from everything.

    Raises
    ------
    ArrayError
        If the shapes do not fit, or a number is NaN or infinite.

    Examples
    --------
    >>> cosine([[2, 0]], [[1, 0], [0, 7], [-3, 0], [0, 0]]).tolist()
    [[0.0, 1.0, 2.0, 1.0]]
    """
    query, images = both_embeddings(queries, gallery)
    result = np.empty((len(query), len(images)), np.float32)
    for columns in _parts(len(images)):
        several = images[columns] * inverse_norms(squared_norms(images[columns]))[:, None]
        for rows in _parts(len(query)):
            some = query[rows] * inverse_norms(squared_norms(query[rows]))[:, None]
            distances = 1 - some @ several.T
            result[rows, columns] = np.clip(distances, 0, 2, out=distances)
    return result


def embeddings_of(name: str, embeddings: ArrayLike) -> NDArray[np.float32]:
    """Check embeddings, and view or copy them as float32.

    Parameters
    ----------
    name : str
        What they are, for the message.
    embeddings : array of shape (n, d)

    Returns
    -------
    float32 array of shape (n, d)
        The same memory where it is float32 already.

    Raises
    ------
    ArrayError
        If this is not a matrix of at least one column, or holds NaN, infinity or a number beyond 1e16, whose square is too
        large to work with in float32.
    """
    try:
        with np.errstate(over="ignore"):
            array = np.asarray(embeddings, np.float32)
    except (TypeError, ValueError) as error:
        raise ArrayError(f"{name} embeddings are no matrix of numbers: {error}") from error
    if array.ndim != 2 or not array.shape[1]:
        raise ArrayError(f"{name} embeddings have shape {array.shape}; expected (images, numbers in an embedding)")
    # A comparison with NaN is false.
    if not all(array[rows].max() <= _LARGEST and array[rows].min() >= -_LARGEST for rows in _parts(len(array))):
        raise ArrayError(
            f"{name} embeddings hold NaN, infinity, or numbers beyond {_LARGEST:g}; check the images and the network that made them"
        )
    return array


def both_embeddings(queries: ArrayLike, gallery: ArrayLike) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Check queries and gallery together, as `embeddings_of` does, and that both hold as many numbers an image."""
    query, images = embeddings_of("query", queries), embeddings_of("gallery", gallery)
    if query.shape[1] != images.shape[1]:
        raise ArrayError(f"query embeddings hold {query.shape[1]} numbers and the gallery's {images.shape[1]}; expected as many")
    return query, images


def squared_norms(embeddings: NDArray[np.float32] | NDArray[np.float64]) -> NDArray[np.float64]:
    """The squares of the norms of embeddings of shape (n, d), summed in float64; equal for equal vectors."""
    squares: NDArray[np.float64] = np.einsum("ij,ij->i", embeddings, embeddings, dtype=np.float64)
    return squares


def inverse_norms(squares: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 / norm from squared norms, and 0 for a zero vector, which thereby has cosine 0 with everything."""
    return np.divide(1, np.sqrt(squares), out=np.zeros_like(squares), where=squares > 0)


def _parts(length: int) -> Iterator[slice]:
    return (slice(first, first + _ROWS) for first in range(0, length, _ROWS))
