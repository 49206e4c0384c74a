"""KISSME against the published code's matrices."""

import numpy as np
import pytest

from resight.distances.kissme import KISSME
from resight.distances.pairs import sample_pairs
from resight.errors import ArrayError, DatasetError
from support import SHARED, needs_shared


@pytest.fixture(scope="module")
def people():
    """Four images of each of 30 people by two cameras: people differ more than images of one do."""
    generator = np.random.default_rng(0)
    identities = np.repeat(np.arange(1, 31), 4)
    cameras = np.tile([1, 1, 2, 2], 30)
    x = generator.standard_normal((30, 8))[identities - 1] + 0.4 * generator.standard_normal((120, 8))
    return x, identities, cameras


@needs_shared("golden/kissme_golden.npz")
def test_golden():
    with np.load(SHARED / "golden/kissme_golden.npz") as golden:
        model = KISSME().fit(golden["X"], golden["idxa"], golden["idxb"], golden["match"])
        np.testing.assert_allclose(model.similar_, golden["covMatches"], rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(model.dissimilar_, golden["covNonMatches"], rtol=1e-10, atol=1e-12)
        expected = golden["Mpsd"]
        np.testing.assert_allclose(model.M_, expected, rtol=0, atol=1e-10 * np.abs(expected).max())
        assert np.abs(golden["Mpsd"] - golden["Mraw"]).max() > 1e-6  # some eigenvalues were raised


def test_distances_are_those_of_the_definition(people):
    x, identities, cameras = people
    model = KISSME().fit(x, *sample_pairs(identities, cameras))
    expected = [[(u - v) @ model.M_ @ (u - v) for v in x[20:50]] for u in x[:6]]
    np.testing.assert_allclose(model.distances(x[:6], x[20:50], dtype=np.float64), expected, rtol=1e-9, atol=1e-9)
    assert model.distances(x[:6], x[20:50]).dtype == np.float32
    assert np.linalg.eigvalsh(model.M_).min() > 0


def test_it_finds_the_direction_that_tells_people_apart():
    """Two dimensions: people differ along the first, images of one person along the second."""
    generator = np.random.default_rng(1)
    identities, cameras = np.repeat(np.arange(1, 201), 2), np.tile([1, 2], 200)
    x = np.stack([np.repeat(generator.standard_normal(200), 2) * 3, np.zeros(400)], axis=1)
    x += generator.standard_normal((400, 2)) * [0.3, 3]
    model = KISSME().fit(x, *sample_pairs(identities, cameras))
    assert model.M_[0, 0] > 50 * abs(model.M_[1, 1])


def test_state_comes_back(people):
    x, identities, cameras = people
    model = KISSME().fit(x, *sample_pairs(identities, cameras))
    copy = KISSME.from_state(model.state())
    np.testing.assert_array_equal(copy.distances(x, x), model.distances(x, x))
    with pytest.raises(ArrayError, match="no 'similar' among"):
        KISSME.from_state({"M": np.eye(2)})
    with pytest.raises(ArrayError, match="have shapes"):
        KISSME.from_state({**model.state(), "M": np.eye(2)})


def test_a_fit_that_fails_leaves_the_old_one(people):
    x, identities, cameras = people
    model = KISSME().fit(x, *sample_pairs(identities, cameras))
    before = model.M_.copy()
    with pytest.raises(ArrayError, match="singular"):
        model.fit(np.ones_like(x), *sample_pairs(identities, cameras))
    np.testing.assert_array_equal(model.M_, before)


def test_singular_covariances_are_refused(people):
    x, identities, cameras = people
    pairs = sample_pairs(identities, cameras)
    repeated = np.concatenate([x, x], axis=1)
    with pytest.raises(ArrayError, match="similar pairs is singular \\(16 dimensions, 120 pairs\\): reduce"):
        KISSME().fit(repeated, *pairs)
    with pytest.raises(ArrayError, match="\\(300 dimensions, 120 pairs\\)"):
        KISSME().fit(np.random.default_rng(0).standard_normal((120, 300)), *pairs)


@pytest.mark.parametrize(
    ("pairs", "error", "message"),
    [
        (([0, 1], [1, 2], [True, True]), DatasetError, "got 2 similar pairs of 2"),
        (([0, 1], [1, 2], [False, False]), DatasetError, "got 0 similar pairs of 2"),
        (([0, 1], [1], [True, False]), ArrayError, "equally long"),
        (([0, 1], [1, 2], [1, 0]), ArrayError, "one of bool"),
        (([0, 1], [1, 999], [True, False]), ArrayError, "expected 0 to 119"),
        (([0, -1], [1, 2], [True, False]), ArrayError, "expected 0 to 119"),
        (([0.5, 1], [1, 2], [True, False]), ArrayError, "expected 0 to 119"),
        (([], [], np.zeros(0, bool)), DatasetError, "expected similar and dissimilar"),
    ],
)
def test_pairs_that_cannot_be_used_are_refused(people, pairs, error, message):
    with pytest.raises(error, match=message):
        KISSME().fit(people[0], *pairs)


def test_nan_and_other_dimensions_are_refused(people):
    x, identities, cameras = people
    pairs = sample_pairs(identities, cameras)
    bad = x.copy()
    bad[5, 2] = np.nan
    with pytest.raises(ArrayError, match="row 5 holds NaN"):
        KISSME().fit(bad, *pairs)
    with pytest.raises(ArrayError, match="expected the 8"):
        KISSME().fit(x, *pairs).distances(x[:, :7], x)
