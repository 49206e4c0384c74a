"""PCA against scikit-learn's and against the definition."""

import numpy as np
import pytest
import sklearn.decomposition

from resight.distances.pca import PCA
from resight.errors import ArrayError, ConfigurationError


def features(n, d, dtype=np.float64):
    generator = np.random.default_rng(0)
    return (generator.standard_normal((n, d)) @ np.diag(1.02 ** -np.arange(d)) + generator.random(d) * 3).astype(dtype)


@pytest.mark.parametrize(("n", "d"), [(300, 40), (60, 500), (50, 50)])
def test_equals_scikit_learn(n, d):
    x = features(n, d)
    ours, theirs = PCA(12).fit(x), sklearn.decomposition.PCA(12, svd_solver="full").fit(x)
    np.testing.assert_allclose(ours.mean_, theirs.mean_, atol=1e-12)
    np.testing.assert_allclose(ours.variance_, theirs.explained_variance_, rtol=1e-9)
    sign = np.sign(np.sum(ours.components_ * theirs.components_, axis=1))
    np.testing.assert_allclose(ours.components_ * sign[:, None], theirs.components_, atol=1e-8)
    np.testing.assert_allclose(ours.transform(x[:9]) * sign, theirs.transform(x[:9]), atol=1e-8)


@pytest.mark.parametrize(("n", "d"), [(150, 700), (900, 160)])
def test_large_problems_equal_small_ones(n, d, monkeypatch):
    x = features(n, d)
    dense = PCA(20).fit(x)
    monkeypatch.setattr("resight.distances.pca.DENSE_LIMIT", 10)
    krylov = PCA(20).fit(x)
    np.testing.assert_allclose(krylov.variance_, dense.variance_, rtol=1e-9)
    np.testing.assert_allclose(krylov.transform(x), dense.transform(x), atol=1e-5)


def test_float32_keeps_its_digits_and_is_not_changed():
    x = features(80, 900, np.float32)
    before = x.copy()
    single, double = PCA(10).fit(x), PCA(10).fit(x.astype(np.float64))
    np.testing.assert_array_equal(x, before)
    np.testing.assert_allclose(single.variance_, double.variance_, rtol=1e-5)
    np.testing.assert_allclose(single.transform(x), double.transform(x), atol=5e-4)
    np.testing.assert_allclose(single.components_ @ single.components_.T, np.eye(10), atol=1e-5)


def test_projections_are_uncorrelated_with_the_stated_variance():
    x = features(200, 30)
    projected = PCA(5).fit(x).transform(x)
    np.testing.assert_allclose(np.cov(projected.T), np.diag(PCA(5).fit(x).variance_), atol=1e-9)
    np.testing.assert_allclose(projected.mean(axis=0), 0, atol=1e-10)


def test_all_components_keep_all_distances():
    x = features(20, 64)
    projected = PCA(19).fit(x).transform(x)
    np.testing.assert_allclose(np.linalg.norm(projected[3] - projected[8]), np.linalg.norm(x[3] - x[8]), rtol=1e-9)


def test_state_comes_back():
    model = PCA(4).fit(features(30, 9))
    copy = PCA.from_state(model.state())
    np.testing.assert_array_equal(copy.transform(np.ones((2, 9))), model.transform(np.ones((2, 9))))
    assert copy.components == 4
    with pytest.raises(ArrayError, match="no 'mean' among"):
        PCA.from_state({"components": np.eye(2)})
    with pytest.raises(ArrayError, match="do not belong together"):
        PCA.from_state({**model.state(), "mean": np.zeros(3)})


@pytest.mark.parametrize(
    ("x", "components", "message"),
    [
        (np.ones((30, 5)), 2, "vary in 0 directions only"),
        (np.ones((5, 30)), 2, "vary in 0 directions only"),
        (np.outer(np.arange(30.0), np.ones(60)), 2, "vary in 1 directions only"),
        (np.zeros((4, 9)), 4, "at most 3 components; got components = 4"),
        (np.full((9, 4), np.nan), 2, "NaN"),
    ],
)
def test_what_has_no_such_components_is_refused(x, components, message):
    with pytest.raises(ArrayError, match=message):
        PCA(components).fit(x)


def test_an_impossible_parameter_is_refused():
    with pytest.raises(ConfigurationError, match="components is 0"):
        PCA(0).fit(np.eye(3))


def test_other_dimensions_are_refused():
    with pytest.raises(ArrayError, match="got 8 dimensions; expected the 9"):
        PCA(2).fit(features(30, 9)).transform(np.ones((2, 8)))
