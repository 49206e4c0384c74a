"""Inner products of sparse and dense features, and what is refused as features."""

import numpy as np
import pytest

from resight.distances.gram import centred_gram, checked_features, combine, project
from resight.errors import ArrayError


def features(n, d, density, dtype, seed=0):
    generator = np.random.default_rng(seed)
    return (generator.random((n, d)) * (generator.random((n, d)) < density)).astype(dtype)


@pytest.mark.parametrize("n", [5, 130, 1100])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sparse_and_dense_columns_make_the_same_products(n, dtype):
    density = np.repeat([0.0, 0.01, 0.09, 0.5, 1.0], 40)  # columns of every kind
    x = features(n, 200, density, dtype)
    centred = x.astype(np.float64) - x.mean(axis=0, dtype=np.float64)
    products = centred_gram(x)
    np.testing.assert_allclose(products, centred @ centred.T, rtol=0, atol=1e-12 if dtype == np.float64 else 3e-5)
    np.testing.assert_array_equal(products, products.T)


def test_only_dense_and_only_sparse_columns():
    for density in (0.02, 1.0):
        x = features(90, 300, density, np.float64)
        centred = x - x.mean(axis=0)
        np.testing.assert_allclose(centred_gram(x), centred @ centred.T, atol=1e-11)


def test_progress_ends_at_its_total():
    calls = []
    centred_gram(features(2100, 8, 1, np.float32), progress=lambda *call: calls.append(call))
    assert calls == [("inner products", 1, 6), ("inner products", 3, 6), ("inner products", 6, 6)]


def test_projection_is_float64_for_one_row_and_many():
    x = features(40, 500, 0.1, np.float32)
    w = np.random.default_rng(1).standard_normal((500, 7))
    expected = x.astype(np.float64) @ w
    np.testing.assert_allclose(project(x, w), expected, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(project(x[:1], w), expected[:1], rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(project(np.ones((1, 500), np.float32), w), w.sum(axis=0)[None], rtol=1e-10)


def test_combination_of_centred_samples():
    x = features(1500, 30, 0.5, np.float32)
    a = np.random.default_rng(2).standard_normal((1500, 4))
    centred = x.astype(np.float64) - x.mean(axis=0, dtype=np.float64)
    np.testing.assert_allclose(combine(x, a), centred.T @ a, atol=1e-10)


def test_features_are_passed_on_without_a_copy_where_they_can_be():
    x = np.ones((3, 2), np.float32)
    assert checked_features(x) is x
    assert checked_features([[1, 2], [3, 4]]).dtype == np.float64


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.zeros(4), "shape \\(4,\\)"),
        (np.zeros((0, 4)), "not empty"),
        (np.array([["a"]]), "expected numbers"),
        (np.array([[1.0], [np.nan]]), "row 1 holds NaN"),
        (np.array([[np.inf, 1.0]]), "row 0 holds NaN or infinity"),
    ],
)
def test_what_are_no_features_is_refused(bad, message):
    with pytest.raises(ArrayError, match=message):
        checked_features(bad)


def test_another_width_is_refused():
    with pytest.raises(ArrayError, match="got 3 dimensions; expected the 4"):
        checked_features(np.ones((2, 3)), columns=4)
