"""Distances (u - v)' M (u - v) between many queries and a prepared gallery."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from resight.errors import ArrayError

__all__ = ["QuadraticDistance", "QuadraticGallery"]

_QUERIES = 128  # rows of a block of distances that stays in the processor's cache

Matrix = NDArray[np.float64]


class QuadraticGallery:
    """A gallery, ready to be compared under a symmetric matrix that may be indefinite.

    u'Mu + v'Mv - 2u'Mv is one matrix product of rows (u, 1, u'Mu) and columns (-2Mv, v'Mv, 1). Vectors are taken about the
    gallery's mean: it changes no distance, and smaller terms lose fewer digits in their sum.

    Parameters
    ----------
    gallery : float array of shape (g, k)
    matrix : float64 array of shape (k, k)
        Symmetric. If it is indefinite, distances can be negative; they rank all the same.
    """

    def __init__(self, gallery: NDArray[Any], matrix: Matrix) -> None:
        gallery = np.asarray(gallery, np.float64)
        self._matrix = matrix
        self._mean = gallery.mean(axis=0)
        centred = gallery - self._mean
        weighted = centred @ matrix
        own = np.einsum("ij,ij->i", weighted, centred)
        self._columns = np.ascontiguousarray(np.vstack([-2 * weighted.T, own, np.ones(len(gallery))]))

    def __len__(self) -> int:
        return len(self._columns.T)

    def distances(self, queries: NDArray[Any], *, dtype: type[np.floating[Any]] = np.float32) -> NDArray[Any]:
        """Distances of every query to every gallery image.

        Parameters
        ----------
        queries : float array of shape (q, k)
        dtype : type
            Type of the result. The arithmetic is float64; rounding to float32 keeps the order, up to ties.

        Returns
        -------
        array of shape (q, g)

        Raises
        ------
        ArrayError
            If the queries have another number of dimensions.
        """
        queries = np.asarray(queries, np.float64)
        if queries.ndim != 2 or queries.shape[1] != len(self._mean):
            raise ArrayError(f"queries have shape {queries.shape}; expected (queries, {len(self._mean)})")
        centred = queries - self._mean
        own = np.einsum("ij,ij->i", centred @ self._matrix, centred)
        rows = np.column_stack([centred, np.ones(len(queries)), own])
        out = np.empty((len(queries), len(self)), dtype)
        for start in range(0, len(queries), _QUERIES):
            stop = start + _QUERIES
            out[start:stop] = rows[start:stop] @ self._columns
        return out


class QuadraticDistance:
    """A learned distance (u - v)' M (u - v) in the space of its `transform`.

    Attributes
    ----------
    M_ : float64 array of shape (k, k)
        Symmetric.
    """

    M_: Matrix

    def transform(self, features: NDArray[Any]) -> Matrix:
        """Features (n, d) to the space in which M compares, float64 (n, k). Raises `ArrayError`."""
        raise NotImplementedError

    def prepare(self, gallery: NDArray[Any]) -> QuadraticGallery:
        """Prepare a gallery for many queries, which `transform` must project first. Raises `ArrayError`."""
        return QuadraticGallery(self.transform(gallery), self.M_)

    def distances(
        self, queries: NDArray[Any], gallery: NDArray[Any], *, dtype: type[np.floating[Any]] = np.float32
    ) -> NDArray[Any]:
        """Distances; smaller is more alike. They can be negative if M is not positive.

        Parameters
        ----------
        queries : float array of shape (q, d)
        gallery : float array of shape (g, d)
        dtype : type
            Type of the result; the arithmetic is float64.

        Returns
        -------
        array of shape (q, g)

        Raises
        ------
        ArrayError
            If the features hold NaN or have another number of dimensions.
        """
        return self.prepare(gallery).distances(self.transform(queries), dtype=dtype)
