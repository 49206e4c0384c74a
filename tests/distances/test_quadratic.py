"""The one-product form of the quadratic distance against the definition, pair by pair."""

import numpy as np
import pytest

from resight.distances.quadratic import QuadraticGallery
from resight.errors import ArrayError


def data(queries=300, gallery=41, k=9, offset=0.0):
    generator = np.random.default_rng(0)
    matrix = generator.standard_normal((k, k))
    return generator.standard_normal((queries, k)) + offset, generator.standard_normal((gallery, k)) + offset, matrix + matrix.T


def brute_force(queries, gallery, matrix):
    return np.array([[(u - v) @ matrix @ (u - v) for v in gallery] for u in queries])


@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_indefinite_distances_and_their_order(offset):
    queries, gallery, matrix = data(offset=offset)
    expected = brute_force(queries, gallery, matrix)
    assert (expected < 0).any()
    assert (expected > 0).any()
    found = QuadraticGallery(gallery, matrix).distances(queries, dtype=np.float64)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)
    np.testing.assert_array_equal(np.argsort(found, axis=1), np.argsort(expected, axis=1))


def test_float32_is_the_default_and_keeps_the_order():
    queries, gallery, matrix = data()
    prepared = QuadraticGallery(gallery, matrix)
    single, double = prepared.distances(queries), prepared.distances(queries, dtype=np.float64)
    assert single.dtype == np.float32
    np.testing.assert_array_equal(single, double.astype(np.float32))
    assert len(prepared) == len(gallery)


def test_one_query_has_the_distances_it_has_among_many():
    queries, gallery, matrix = data()
    prepared = QuadraticGallery(gallery, matrix)
    np.testing.assert_allclose(
        prepared.distances(queries[7:8], dtype=np.float64),
        prepared.distances(queries, dtype=np.float64)[7:8],
        rtol=1e-12,
        atol=1e-12,
    )


@pytest.mark.parametrize("queries", [np.zeros((2, 8)), np.zeros(9)])
def test_other_dimensions_are_refused(queries):
    _, gallery, matrix = data()
    with pytest.raises(ArrayError, match="expected \\(queries, 9\\)"):
        QuadraticGallery(gallery, matrix).distances(queries)
