"""Distances against a float64 loop over pairs and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from resight.distances import DISTANCES, distance_named
from resight.errors import ArrayError, ConfigurationError

euclidean, cosine = DISTANCES["euclidean"].between, DISTANCES["cosine"].between


def embeddings(rows: int, dimensions: int = 24, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((rows, dimensions)).astype(np.float32)


@pytest.mark.parametrize("name", DISTANCES)
@pytest.mark.parametrize(("queries", "gallery"), [(7, 9), (1, 1), (1030, 3), (3, 2100)])
def test_equals_scipy(name: str, queries: int, gallery: int) -> None:
    query, images = embeddings(queries), embeddings(gallery, seed=1)
    distances = DISTANCES[name].between(query, images)
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
    DISTANCES[name].between(query, images)
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
        ([["a", "b"]], [[1.0, 2.0]], "not a matrix of numbers"),
        ([[1.0], [1.0, 2.0]], [[1.0, 2.0]], "not a matrix of numbers"),
    ],
)
def test_bad_arrays(name: str, query: list, images: list, message: str) -> None:
    with pytest.raises(ArrayError, match=message):
        DISTANCES[name].between(query, images)


@pytest.mark.parametrize("name", DISTANCES)
@pytest.mark.parametrize("dimensions", [1, 7, 512, 20_000])
@pytest.mark.parametrize("scale", [1e-36, 1.0, 1e12])
def test_the_two_forms_differ_by_less_than_the_margin(name: str, dimensions: int, scale: float) -> None:
    distance = DISTANCES[name]
    rng = np.random.default_rng(dimensions)
    lengths = scale * 10 ** rng.uniform(-1, 1, (90, 1))
    vectors = (lengths * (1 + rng.standard_normal((90, dimensions)))).astype(np.float32)
    vectors[::13] = 0
    query, images = vectors[:30], vectors[20:]
    squares, image_squares = ((side.astype(float) ** 2).sum(axis=1) for side in (query, images))
    fast = np.empty((30, 70), np.float32)
    distance.fast(query, images, image_squares, fast)
    exact = np.array([distance.exact(vector, images) for vector in query])
    margin = distance.margin(squares, image_squares.max(), dimensions)
    assert (np.abs(fast + distance.share(squares)[:, None] - exact) <= margin[:, None]).all()
    # A margin that says nothing would pass: it must be small beside the gaps.
    assert (margin < 1e-5 * (dimensions + 8) * exact.max(axis=1) + 1e-30).all()
    distances = distance.from_gaps(exact)
    np.testing.assert_allclose(distances, distance.between(query, images), rtol=1e-4, atol=1e-6 * distances.max())


def test_the_exact_forms_by_their_definitions() -> None:
    query, images = embeddings(1)[0], embeddings(50, seed=1)
    u, v = query.astype(float), images.astype(float)
    np.testing.assert_allclose(DISTANCES["euclidean"].exact(query, images), ((v - u) ** 2).sum(axis=1), rtol=1e-14)
    expected = 1 - v @ u / np.linalg.norm(u) / np.linalg.norm(v, axis=1)
    np.testing.assert_allclose(DISTANCES["cosine"].exact(query, images), expected, atol=1e-6)


def test_an_unknown_distance_is_refused_with_the_nearest_known_one() -> None:
    message = r"'euclidian' is unknown \(did you mean 'euclidean'\?\); expected euclidean, cosine"
    with pytest.raises(ConfigurationError, match=message):
        distance_named("euclidian")
    with pytest.raises(ConfigurationError, match=r"'xdqa' is unknown \(did you mean 'xqda'\?\); expected euclidean, cosine, xqda"):
        distance_named("xdqa", "xqda")
    assert distance_named(DISTANCES["cosine"]) is DISTANCES["cosine"]
