"""Training pairs against their enumeration."""

import numpy as np
import pytest

from resight.distances.pairs import CrossCameraPairs, sample_pairs
from resight.errors import DatasetError


def labels(n=70, people=9, cameras=4, seed=0):
    generator = np.random.default_rng(seed)
    return generator.integers(1, people + 1, n) * 7, generator.integers(0, cameras, n) + 3


def enumerated(identities, cameras):
    """Both Laplacians, pair by pair."""
    n = len(identities)
    same, different = np.zeros((n, n)), np.zeros((n, n))
    for i in range(n):
        for j in range(i):
            if cameras[i] != cameras[j]:
                laplacian = same if identities[i] == identities[j] else different
                laplacian[[i, j], [i, j]] += 1
                laplacian[[i, j], [j, i]] -= 1
    return same, different


@pytest.mark.parametrize(("people", "cameras"), [(9, 4), (2, 2), (60, 2), (3, 30)])
def test_laplacians_are_those_of_the_enumerated_pairs(people, cameras):
    identities, views = labels(people=people, cameras=cameras)
    pairs = CrossCameraPairs(identities, views)
    same, different = enumerated(identities, views)
    identity = np.eye(len(identities))
    np.testing.assert_allclose(pairs.apply_same(identity), same, atol=1e-12)
    np.testing.assert_allclose(pairs.apply_different(identity), different, atol=1e-12)
    assert pairs.same == np.trace(same) / 2
    assert pairs.different == np.trace(different) / 2


def test_factor_of_the_laplacian():
    identities, views = labels()
    pairs = CrossCameraPairs(identities, views)
    total = np.zeros((len(identities), len(identities)))
    for rows, block in pairs.same_factor():
        total[np.ix_(rows, rows)] += block @ block.T
    np.testing.assert_allclose(total, enumerated(identities, views)[0], atol=1e-12)


def test_sampled_pairs_are_all_of_one_person_and_as_many_of_two():
    identities, views = labels()
    first, second, similar = sample_pairs(identities, views, seed=5)
    assert (views[first] != views[second]).all()
    assert ((identities[first] == identities[second]) == similar).all()
    listed = {frozenset(pair) for pair in zip(first[similar].tolist(), second[similar].tolist(), strict=True)}
    every = {
        frozenset((i, j)) for i in range(len(views)) for j in range(i) if identities[i] == identities[j] and views[i] != views[j]
    }
    assert listed == every
    assert len(listed) == similar.sum() == (~similar).sum()


def test_sampling_depends_on_the_seed_only():
    identities, views = labels()
    one, again, other = (sample_pairs(identities, views, seed=seed) for seed in (1, 1, 2))
    for a, b in zip(one, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert (one[1] != other[1]).any()


def test_random_pairs_are_equally_likely():
    """Four images, three pairs of two people by two cameras: a chi-square test with a fixed seed."""
    identities, views = np.array([1, 1, 1, 2] + [1] * 60 + [3]), np.array([1, 2, 3, 1] + [1] * 60 + [2])
    allowed = {frozenset((i, j)) for i in range(65) for j in range(i) if identities[i] != identities[j] and views[i] != views[j]}
    drawn = []
    for seed in range(60):
        first, second, similar = sample_pairs(identities, views, seed=seed)
        drawn += [frozenset(pair) for pair in zip(first[~similar].tolist(), second[~similar].tolist(), strict=True)]
    counts = np.array([drawn.count(pair) for pair in allowed])
    assert counts.sum() == len(drawn)
    expected = len(drawn) / len(allowed)
    statistic = np.sum((counts - expected) ** 2) / expected
    assert statistic < len(allowed) + 4 * np.sqrt(2 * len(allowed))


def test_rare_partners_are_found():
    identities, views = np.ones(3001, int), np.repeat([1, 2], [3000, 1])
    identities[0] = 2  # its only partner is the last image
    first, second, similar = sample_pairs(identities, views)
    assert {frozenset(pair) for pair in zip(first[~similar].tolist(), second[~similar].tolist(), strict=True)} == {
        frozenset((0, 3000))
    }


@pytest.mark.parametrize("function", [CrossCameraPairs, sample_pairs])
@pytest.mark.parametrize(
    ("identities", "cameras", "message"),
    [
        ([1, 1, 2, 2], [1, 1, 1, 1], "4 images of 2 people by 1 cameras: nobody is seen by two cameras"),
        ([1, 2, 3, 4], [1, 2, 1, 2], "nobody is seen by two cameras"),
        ([1, 1, 1], [1, 2, 3], "no two people"),
        ([1, 1], [1, 2, 3], "got 2 identities and 3 cameras"),
        ([], [], "expected one whole number for each image"),
        ([1.5, 1.5], [1, 2], "expected one whole number for each image"),
        ([[1, 1]], [1, 2], "expected one whole number for each image"),
    ],
)
def test_labels_without_pairs_are_refused(function, identities, cameras, message):
    with pytest.raises(DatasetError, match=message):
        function(identities, cameras)
