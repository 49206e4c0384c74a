"""Distances against a float64 loop over pairs and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from resight.distances import DISTANCES
from resight.distances.euclidean import cosine, euclidean
from resight.errors import ArrayError


def embeddings(rows: int, dimensions: int = 24, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((rows, dimensions)).astype(np.float32)


@pytest.mark.parametrize("name", DISTANCES)
@pytest.mark.parametrize(("queries", "gallery"), [(7, 9), (1, 1), (1030, 3), (3, 2100)])
def test_equals_scipy(name: str, queries: int, gallery: int) -> None:
    query, images = embeddings(queries), embeddings(gallery, seed=1)
    distances = DISTANCES[name](query, images)
    assert distances.shape == (queries, gallery)
    assert distances.dtype == np.float32
    np.testing.assert_allclose(distances, cdist(query.astype(float), images.astype(float), name), rtol=2e-7, atol=1e-7)


def test_near_images_far_from_the_origin_keep_their_distance() -> None:
    # In float32 the square of this distance, 0.25, is lost in squares of norms about 2e7.
    images = np.full((2, 32), 1000, np.float32)
    images[1, 0] += 0.5
    np.testing.assert_allclose(euclidean(images, images), [[0, 0.5], [0.5, 0]], atol=1e-4)


def test_properties() -> None:
    images = embeddings(40)
    np.testing.assert_allclose(euclidean(images, images).diagonal(), 0, atol=1e-6)
    assert cosine(images, -3 * images).max() <= 2
    np.testing.assert_allclose(cosine(images, -3 * images).diagonal(), 2, atol=1e-6)
    np.testing.assert_allclose(cosine(images, images), cosine(images, images).T, atol=1e-6)


def test_zero_vectors_are_at_cosine_distance_one() -> None:
    images = embeddings(3)
    images[1] = 0
    assert cosine(images, images)[1].tolist() == [1, 1, 1]
    assert cosine(images, images)[:, 1].tolist() == [1, 1, 1]


@pytest.mark.parametrize("name", DISTANCES)
def test_arguments_are_not_changed(name: str) -> None:
    query, images = embeddings(5), embeddings(6)
    query.setflags(write=False)
    images.setflags(write=False)
    before = query.copy(), images.copy()
    DISTANCES[name](query, images)
    np.testing.assert_array_equal(query, before[0])
    np.testing.assert_array_equal(images, before[1])


@pytest.mark.parametrize("name", DISTANCES)
@pytest.mark.parametrize(
    ("query", "images", "message"),
    [
        ([[1.0, np.nan]], [[1.0, 2.0]], "query embeddings hold NaN"),
        ([[1.0, 2.0]], [[1.0, -np.inf]], "gallery embeddings hold NaN, infinity"),
        ([[1.0, 2.0]], [[1e300, 2.0]], "gallery embeddings hold NaN, infinity"),
        ([[1.0, 2.0]], [[-1e17, 2.0]], "beyond 1e"),
        ([1.0, 2.0], [[1.0, 2.0]], r"shape \(2,\)"),
        ([[1.0, 2.0]], [[1.0, 2.0, 3.0]], "hold 2 numbers and the gallery's 3"),
        ([[], []], [[]], r"shape \(2, 0\)"),
        ([["a", "b"]], [[1.0, 2.0]], "no matrix of numbers"),
        ([[1.0], [1.0, 2.0]], [[1.0, 2.0]], "no matrix of numbers"),
    ],
)
def test_bad_arrays(name: str, query: list, images: list, message: str) -> None:
    with pytest.raises(ArrayError, match=message):
        DISTANCES[name](query, images)
