"""Learned distances by name: what each consists of, and that it survives being saved."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from resight.distances import LEARNED
from resight.distances.fitted import FITTED, FittedDistance, fit_distance
from resight.distances.kissme import KISSME
from resight.distances.pairs import sample_pairs
from resight.distances.pca import PCA
from resight.distances.xqda import XQDA
from resight.errors import ArrayError, ConfigurationError, DatasetError

People = tuple[np.ndarray, np.ndarray, np.ndarray]


@pytest.fixture(scope="module")
def people() -> People:
    """Four images of each of 40 people by two cameras."""
    rng = np.random.default_rng(0)
    identities, cameras = np.repeat(np.arange(1, 41), 4), np.tile([1, 1, 2, 2], 40)
    features = rng.standard_normal((40, 20))[identities - 1] + 0.5 * rng.standard_normal((160, 20))
    return features.astype(np.float32), identities, cameras


def test_the_names_are_those_that_need_no_scipy() -> None:
    assert tuple(FITTED) == LEARNED


@pytest.mark.parametrize("dimensions", [0, 6])
def test_kissme_is_pca_and_then_kissme_on_sampled_pairs(people: People, dimensions: int) -> None:
    features, identities, cameras = people
    fitted = fit_distance("kissme", features, identities, cameras, dimensions=dimensions, seed=3)
    pca = PCA(dimensions or 20).fit(features)
    reduced = pca.transform(features)
    metric = KISSME().fit(reduced, *sample_pairs(identities, cameras, 3))
    assert fitted.dimensions == (dimensions or 20)
    assert fitted.parameters == 20 * fitted.dimensions + fitted.dimensions**2
    expected = [[(u - v) @ metric.M_ @ (u - v) for v in reduced[:30]] for u in reduced[90:95]]
    found = fitted.compare(fitted.transform(features[90:95]), fitted.transform(features[:30]))
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    other = fit_distance("kissme", features, identities, cameras, dimensions=dimensions, seed=4)
    assert not np.allclose(other.metric.M_, fitted.metric.M_)


def test_kissme_of_few_images_takes_fewer_dimensions() -> None:
    """With two images of each person the pairs span at most one dimension for each; half of that can be relied on."""
    rng = np.random.default_rng(0)
    identities, cameras = np.repeat(np.arange(200), 2), np.tile([1, 2], 200)
    features = rng.standard_normal((200, 150))[identities] + rng.standard_normal((400, 150))
    known, new = identities < 100, identities >= 100
    for seed in range(10):
        fitted = fit_distance("kissme", features[known], identities[known], cameras[known], seed=seed)
        assert 45 <= fitted.dimensions <= 50
    vectors = fitted.transform(features[new])
    own = fitted.compare(vectors[::2], vectors[1::2])
    assert (own.argmin(axis=1) == np.arange(100)).mean() > 0.3


def test_xqda_is_xqda_alone(people: People) -> None:
    features, identities, cameras = people
    fitted = fit_distance("xqda", features, identities, cameras, dimensions=5)
    metric = XQDA(5).fit(features, identities, cameras)
    assert (fitted.reduction, fitted.dimensions, fitted.parameters) == (None, 5, 20 * 5 + 25)
    projected = features.astype(np.float64) @ metric.W_
    expected = [[(u - v) @ metric.M_ @ (u - v) for v in projected[:30]] for u in projected[90:95]]
    found = fitted.compare(fitted.transform(features[90:95]), fitted.transform(features[:30]))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", LEARNED)
def test_a_learned_distance_tells_people_apart_and_comes_back_from_its_state(people: People, kind: str) -> None:
    features, identities, cameras = people
    fitted = fit_distance(kind, features, identities, cameras)
    vectors = fitted.transform(features)
    assert vectors.dtype == np.float32
    distances = fitted.compare(vectors, vectors)
    same = identities[:, None] == identities
    assert np.median(distances[~same]) > 5 * np.median(distances[same & ~np.eye(160, dtype=bool)])
    again = FittedDistance.from_state(kind, fitted.state())
    np.testing.assert_array_equal(again.compare(again.transform(features), vectors), distances)


@pytest.mark.parametrize(
    ("kind", "change", "message"),
    [
        ("pca", {}, "distance 'pca'; expected kissme or xqda"),
        ("xqda", {"metric.W": np.full((20, 3), np.nan)}, "'metric.W' does not belong to a fitted distance, or holds NaN"),
        ("xqda", {"other.W": np.ones(3)}, "'other.W' does not belong"),
        ("kissme", {}, "no 'M' among"),
    ],
)
def test_a_foreign_state_is_refused(people: People, kind: str, change: dict[str, Any], message: str) -> None:
    state = fit_distance("xqda", *people, dimensions=3).state()
    with pytest.raises(ArrayError, match=message):
        FittedDistance.from_state(kind, state | change)


def test_mistakes(people: People) -> None:
    features, identities, cameras = people
    for kind, dimensions in (("euclidean", 0), ("xqda", -1)):
        with pytest.raises(
            ConfigurationError, match=f"'{kind}' with {dimensions} dimensions; expected kissme or xqda, and 0 or more"
        ):
            fit_distance(kind, features, identities, cameras, dimensions=dimensions)
    for kind in LEARNED:
        with pytest.raises(DatasetError, match="nobody is seen by two cameras"):
            fit_distance(kind, features, identities, np.ones_like(cameras))
