"""Pairs of training images by two cameras, from which the classical distances learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from resight.errors import DatasetError

__all__ = ["CrossCameraPairs", "sample_pairs"]

Labels = NDArray[np.int64]
Matrix = NDArray[np.float64]


class CrossCameraPairs:
    """All pairs of images by two cameras, as two graph Laplacians that never list a pair.

    The sum of (x_i - x_j)(x_i - x_j)' over a set of pairs is X' L X. L is the Laplacian of the graph whose edges are these pairs:
    a diagonal minus an adjacency matrix. Pairs of one person by two cameras are those of the same person, less those of the same
    person and camera. Pairs of two people by two cameras are all pairs, less same person, less same camera, plus same person and
    camera. Each of these is a sum over groups, so that L Y costs no more than reading Y.

    Parameters
    ----------
    identities, cameras : int array of shape (n,)

    Attributes
    ----------
    same, different : float
        Number of unordered pairs of one person, and of two.
    same_degree, different_degree : float64 array of shape (n,)
        Number of pairs with each image.

    Raises
    ------
    DatasetError
        If labels are missing, nobody is seen by two cameras, or no two people are.
    """

    def __init__(self, identities: Any, cameras: Any) -> None:
        identities, cameras = checked_labels(identities, cameras)
        person, self._person = _groups(identities)
        camera, self._camera = _groups(cameras)
        both, self._both = _groups(person * (camera.max() + 1) + camera)
        sizes = [
            np.asarray(group.sum(axis=1)).ravel()[index]
            for group, index in ((self._person, person), (self._camera, camera), (self._both, both))
        ]
        self.same_degree: Matrix = sizes[0] - sizes[2]
        self.different_degree: Matrix = len(identities) - sizes[0] - sizes[1] + sizes[2]
        self.same = float(self.same_degree.sum()) / 2
        self.different = float(self.different_degree.sum()) / 2
        people, views = self._person.shape[0], self._camera.shape[0]
        found = f"{len(identities)} images of {people} people by {views} cameras"
        if not self.same:
            raise DatasetError(f"{found}: nobody is seen by two cameras; give images of a person by two cameras")
        if not self.different:
            raise DatasetError(f"{found}: no two people are seen by two cameras; give images of two people")

    def apply_same(self, rows: Matrix) -> Matrix:
        """Laplacian of the pairs of one person, times an array of shape (n, k)."""
        out = self.same_degree[:, None] * rows
        out -= self._person.T @ (self._person @ rows)
        out += self._both.T @ (self._both @ rows)
        return out

    def apply_different(self, rows: Matrix) -> Matrix:
        """Laplacian of the pairs of two people, times an array of shape (n, k)."""
        out = self.different_degree[:, None] * rows
        out -= rows.sum(axis=0)
        out += self._person.T @ (self._person @ rows)
        out += self._camera.T @ (self._camera @ rows)
        out -= self._both.T @ (self._both @ rows)
        return out

    def same_factor(self) -> list[tuple[Labels, Matrix]]:
        """A factor C of the Laplacian of the pairs of one person, C C', person by person.

        Returns
        -------
        list of (int array of shape (k,), float64 array of shape (k, r))
            Rows of C, and the block in them. The blocks stand side by side, and the rest is zero. People seen by one camera are
            left out.
        """
        blocks = []
        together = self._both.tocsc().indices  # one group for each image
        for images in np.split(self._person.indices, self._person.indptr[1:-1]):
            other_camera = (together[images][:, None] != together[images]).astype(np.float64)
            weights, vectors = np.linalg.eigh(np.diag(other_camera.sum(axis=1)) - other_camera)
            kept = weights > 1e-9 * max(weights[-1], 1)
            if kept.any():
                blocks.append((images.astype(np.int64), vectors[:, kept] * np.sqrt(weights[kept])))
        return blocks


def _groups(labels: NDArray[Any]) -> tuple[Labels, Any]:
    """Group of each image, from 0, and the groups as a sparse indicator matrix (groups, n)."""
    names, index = np.unique(labels, return_inverse=True)
    ones = np.ones(len(labels))
    return index, scipy.sparse.csr_array((ones, (index, np.arange(len(labels)))), shape=(len(names), len(labels)))


def checked_labels(identities: Any, cameras: Any) -> tuple[Labels, Labels]:
    """Return both as int64 arrays of one length. Raises `DatasetError`."""
    out = []
    for name, labels in (("identities", identities), ("cameras", cameras)):
        array = np.asarray(labels)
        if array.ndim != 1 or array.dtype.kind not in "iu" or not array.size:
            raise DatasetError(f"{name}: got {array.dtype} of shape {array.shape}; expected one whole number for each image")
        out.append(array.astype(np.int64))
    if len(out[0]) != len(out[1]):
        raise DatasetError(f"got {len(out[0])} identities and {len(out[1])} cameras; expected one of each for each image")
    return out[0], out[1]


def sample_pairs(identities: Any, cameras: Any, seed: int = 0) -> tuple[Labels, Labels, NDArray[np.bool_]]:
    """Training pairs for KISSME: every pair of one person by two cameras, and equally many random pairs of two people.

    Parameters
    ----------
    identities, cameras : int array of shape (n,)
    seed : int
        Seed of the random pairs, drawn with replacement from all pairs of two people by two cameras.

    Returns
    -------
    first, second : int64 array of shape (p,)
        Row numbers; the pairs of one person come first.
    similar : bool array of shape (p,)
        True for the pairs of one person.

    Raises
    ------
    DatasetError
        If nobody is seen by two cameras, or no two people are.
    """
    identities, cameras = checked_labels(identities, cameras)
    pairs = CrossCameraPairs(identities, cameras)
    firsts, seconds = [], []
    for rows in np.split(np.argsort(identities, kind="stable"), np.cumsum(np.unique(identities, return_counts=True)[1])[:-1]):
        one, other = np.triu_indices(len(rows), 1)
        crossing = cameras[rows[one]] != cameras[rows[other]]
        firsts.append(rows[one[crossing]])
        seconds.append(rows[other[crossing]])
    first, second = np.concatenate(firsts), np.concatenate(seconds)
    one, other = _random_pairs(pairs, identities, cameras, len(first), np.random.default_rng(seed))
    similar = np.repeat([True, False], len(first))
    return np.concatenate([first, one]), np.concatenate([second, other]), similar


def _random_pairs(
    pairs: CrossCameraPairs, identities: Labels, cameras: Labels, count: int, generator: np.random.Generator
) -> tuple[Labels, Labels]:
    """Draw `count` pairs of two people by two cameras, all equally likely."""
    # Draw an image in proportion to its pairs, then a partner: guess, and guess again if the guess is wrong.
    one = generator.choice(len(identities), count, p=pairs.different_degree / pairs.different_degree.sum())
    other = generator.integers(0, len(identities), count)
    for _ in range(20):
        wrong = np.flatnonzero((identities[one] == identities[other]) | (cameras[one] == cameras[other]))
        other[wrong] = generator.integers(0, len(identities), len(wrong))
    for k in np.flatnonzero((identities[one] == identities[other]) | (cameras[one] == cameras[other])):  # partners are rare
        other[k] = generator.choice(np.flatnonzero((identities != identities[one[k]]) & (cameras != cameras[one[k]])))
    return one, other
