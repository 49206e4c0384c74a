"""XQDA against the published code's matrices, and its fast routes against the plain algorithm."""

import numpy as np
import pytest

from resight.distances import xqda
from resight.distances.xqda import XQDA
from resight.errors import ArrayError, ConfigurationError, DatasetError
from support import SHARED, market1501, needs_market1501, needs_shared

CASES = ("a_60x2x2_d100", "b_dims10_d100", "c_qr_d400", "d_lambda01", "e_unbalanced")


def case(name):
    with np.load(SHARED / "golden/xqda_golden.npz") as golden:
        arrays = {key.split("/")[1]: golden[key] for key in golden.files if key.startswith(f"{name}/")}
    return {key: value.astype(int) if key.endswith("L") else value for key, value in arrays.items()}


def fitted(golden):
    """The two views of the released code are two cameras."""
    asked = int(golden["qdaDims"])
    features, identities = (np.concatenate([golden["gal" + what], golden["prob" + what]]) for what in "XL")
    model = XQDA(asked if asked > 0 else None, float(golden["lambda"]))
    return model.fit(features, identities, np.repeat([1, 2], [len(golden["galX"]), len(golden["probX"])]))


@pytest.fixture
def krylov(monkeypatch):
    """Every problem goes to a Krylov subspace."""
    monkeypatch.setattr(xqda, "DENSE_LIMIT", 0)


@pytest.fixture(params=["dense", "krylov"])
def solver(request, monkeypatch):
    """Every problem is solved one way."""
    monkeypatch.setattr(xqda, "DENSE_LIMIT", {"dense": 10**6, "krylov": 0}[request.param])


@needs_shared("golden/xqda_golden.npz")
@pytest.mark.parametrize("name", CASES)
def test_golden(name):
    golden = case(name)
    model = fitted(golden)
    assert model.dimensions_ == golden["W"].shape[1]
    np.testing.assert_allclose(model.spectrum_, golden["singular_values"], rtol=1e-8, atol=1e-8)
    sign = np.sign(np.sum(model.W_ * golden["W"], axis=0))
    np.testing.assert_allclose(model.W_ * sign, golden["W"], rtol=0, atol=1e-8)
    for ours, theirs in ((model.M_, "M"), (model.within_, "inCov"), (model.between_, "exCov")):
        expected = golden[theirs]
        np.testing.assert_allclose(ours * np.outer(sign, sign), expected, rtol=1e-8, atol=1e-8 * np.abs(expected).max())
    distances = model.distances(golden["tgX"], golden["tpX"], dtype=np.float64)
    np.testing.assert_allclose(distances, golden["dist"], rtol=1e-8)
    np.testing.assert_array_equal(np.argsort(distances, axis=0), np.argsort(golden["dist"], axis=0))


@needs_shared("golden/xqda_golden.npz")
@pytest.mark.parametrize("name", ["a_60x2x2_d100", "b_dims10_d100", "d_lambda01", "e_unbalanced"])
def test_golden_by_a_krylov_subspace(name, krylov):
    golden = case(name)
    model = fitted(golden)
    assert model.dimensions_ == golden["W"].shape[1]
    np.testing.assert_allclose(model.spectrum_, golden["singular_values"][: model.dimensions_], rtol=1e-8)
    np.testing.assert_allclose(model.distances(golden["tgX"], golden["tpX"], dtype=np.float64), golden["dist"], rtol=1e-6)


def people(n=180, d=900, cameras=5, seed=0, density=0.3, dtype=np.float64):
    """Descriptors like LOMO's: sparse, not negative, of length sqrt(3)."""
    generator = np.random.default_rng(seed)
    identities = np.sort(generator.integers(1, n // 6, n))
    views = generator.integers(1, cameras + 1, n)
    x = generator.random((n, d)) * (generator.random((n, d)) < density)
    x += 0.8 * generator.random((n, d))[identities] * (generator.random((n, d)) < density)[identities]
    x += 0.3 * generator.random((cameras + 1, d))[views]
    x *= np.sqrt(3) / np.linalg.norm(x, axis=1, keepdims=True)
    return x.astype(dtype), identities, views


def plain(x, identities, views, regularisation=0.001):
    """All pairs as matrices, QR, singular vectors: W, M and the whole spectrum, in float64."""
    x = np.asarray(x, np.float64)
    within, between = np.zeros((2, x.shape[1], x.shape[1])) if x.shape[1] <= len(x) else (None, None)
    basis = np.eye(x.shape[1])
    if within is None:
        basis = np.linalg.qr(x.T)[0]
        x = x @ basis
        within, between = np.zeros((2, len(x), len(x)))
    crossing = views[:, None] != views[None]
    same = identities[:, None] == identities[None]
    for k, chosen in enumerate((crossing & same, crossing & ~same)):
        # Every chosen pair (i, j) adds (x_i - x_j)(x_i - x_j)', here in both orders.
        chosen = chosen.astype(float)
        scatter = 2 * (x.T * chosen.sum(axis=1)) @ x - 2 * x.T @ chosen @ x
        (within, between)[k][:] = scatter / chosen.sum()
    within = within + regularisation * np.eye(len(within))
    vectors, spectrum, _ = np.linalg.svd(np.linalg.inv(within) @ between)
    v = vectors[:, : max(1, int(np.sum(spectrum > 1)))]
    return basis @ v, np.linalg.inv(v.T @ within @ v) - np.linalg.inv(v.T @ between @ v), spectrum


def all_distances(queries, gallery, w, m):
    difference = (np.asarray(queries, np.float64) @ w)[:, None] - (np.asarray(gallery, np.float64) @ w)[None]
    return np.einsum("qgi,ij,qgj->qg", difference, m, difference)


@pytest.mark.parametrize(("n", "d"), [(180, 900), (240, 60)])
def test_both_solvers_equal_the_plain_algorithm(n, d, solver):
    x, identities, views = people(n, d)
    unseen = people(30, d, seed=9)[0]
    w, m, spectrum = plain(x, identities, views)
    model = XQDA().fit(x, identities, views)
    assert model.dimensions_ == w.shape[1] > 1
    np.testing.assert_allclose(model.spectrum_[: model.dimensions_], spectrum[: model.dimensions_], rtol=1e-8)
    expected = all_distances(unseen, x, w, m)
    np.testing.assert_allclose(
        model.distances(unseen, x, dtype=np.float64), expected, rtol=1e-6, atol=1e-6 * np.abs(expected).mean()
    )


def test_float32_in_a_krylov_subspace_keeps_five_digits(krylov):
    x, identities, views = people(400, 3000, dtype=np.float32)
    unseen = people(30, 3000, seed=9)[0]
    w, m, _ = plain(x, identities, views)
    model = XQDA().fit(x, identities, views)
    assert model.dimensions_ == w.shape[1]
    np.testing.assert_allclose(model.distances(unseen, x, dtype=np.float64), all_distances(unseen, x, w, m), rtol=1e-5)


@pytest.mark.slow
@needs_market1501
def test_real_descriptors_keep_five_digits():
    from resight.datasets.market1501 import load
    from resight.images import load_pixels
    from resight.lomo.descriptor import lomo

    train = load(market1501()).train
    train = train.select(np.arange(1700))
    x = lomo(load_pixels(train.paths, (128, 64)))
    w, m, _ = plain(x[:1500], train.identities[:1500], train.cameras[:1500])
    model = XQDA().fit(x[:1500], train.identities[:1500], train.cameras[:1500])
    assert model.dimensions_ == w.shape[1]
    expected = all_distances(x[1500:1550], x[1550:], w, m)
    np.testing.assert_allclose(model.distances(x[1500:1550], x[1550:], dtype=np.float64), expected, rtol=1e-5)


def test_fewer_dimensions_come_free(solver):
    x, identities, views = people()
    model = XQDA(30).fit(x, identities, views)
    assert model.dimensions_ == 30
    for k in (1, 12, 30):
        shorter = model.truncated(k)
        anew = XQDA(k).fit(x, identities, views)
        assert shorter.dimensions_ == shorter.dimensions == k
        np.testing.assert_allclose(shorter.W_, anew.W_, atol=1e-5)
        np.testing.assert_allclose(shorter.distances(x, x[:5]), anew.distances(x, x[:5]), rtol=1e-5, atol=1e-3)
    for k in (0, 31):
        with pytest.raises(ConfigurationError, match=f"got {k} dimensions; this fit has 1 to 30"):
            model.truncated(k)


def test_asking_for_more_than_the_rule_gives_changes_nothing():
    x, identities, views = people()
    by_rule = XQDA().fit(x, identities, views)
    asked = XQDA(10_000).fit(x, identities, views)
    np.testing.assert_array_equal(asked.W_, by_rule.W_)


def test_indefinite_matrix_and_negative_distances_rank_as_the_definition():
    generator = np.random.default_rng(2)
    covariances = {"within": np.diag([1.0, 2, 3, 1, 2]), "between": np.diag([3.0, 1, 5, 0.5, 4])}
    model = XQDA.from_state({"W": generator.standard_normal((60, 5)), "spectrum": np.ones(5), **covariances})
    np.testing.assert_allclose(np.diag(model.M_), [2 / 3, -1 / 2, 2 / 15, -1, 1 / 4])
    queries, gallery = generator.standard_normal((2, 50, 60))
    expected = all_distances(queries, gallery, model.W_, model.M_)
    assert (expected < 0).any()
    assert (expected > 0).any()
    found = model.distances(queries, gallery, dtype=np.float64)
    np.testing.assert_array_equal(np.argsort(found, axis=1), np.argsort(expected, axis=1))


def test_order_and_names_of_the_samples_do_not_matter(monkeypatch):
    x, identities, views = people()
    model = XQDA().fit(x, identities, views)
    order = np.random.default_rng(3).permutation(len(x))
    shuffled = XQDA().fit(x[order], 1000 - identities[order], views[order] * 3)
    np.testing.assert_allclose(shuffled.distances(x[:9], x), model.distances(x[:9], x), rtol=1e-5, atol=1e-4)
    monkeypatch.setattr(xqda, "DENSE_LIMIT", 0)
    krylov = XQDA().fit(x[order], identities[order], views[order])
    np.testing.assert_allclose(krylov.distances(x[:9], x), model.distances(x[:9], x), rtol=1e-5, atol=1e-3)


def test_state_comes_back():
    x, identities, views = people()
    model = XQDA(7, regularisation=0.01).fit(x, identities, views)
    copy = XQDA.from_state(model.state())
    np.testing.assert_array_equal(copy.distances(x, x[:4]), model.distances(x, x[:4]))
    np.testing.assert_array_equal(copy.truncated(3).M_, model.truncated(3).M_)
    with pytest.raises(ArrayError, match="no 'within' among W"):
        XQDA.from_state({"W": model.W_})
    with pytest.raises(ArrayError, match="do not belong together"):
        XQDA.from_state({**model.state(), "within": np.eye(3)})


def test_an_interrupted_or_failing_fit_leaves_the_old_one(krylov):
    x, identities, views = people()
    model = XQDA().fit(x, identities, views)
    before = model.state()

    def interrupt(stage, done, total, note=""):
        if stage == "subspace":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        model.fit(x * 2, identities, views, progress=interrupt)
    with pytest.raises(ArrayError):
        model.fit(np.full_like(x, np.nan), identities, views)
    assert all(model.state()[key] is value for key, value in before.items())


def test_progress_tells_its_stages(krylov):
    x, identities, views = people()
    calls = []
    XQDA().fit(x, identities, views, progress=lambda *call: calls.append(call))
    assert list(dict.fromkeys(call[0] for call in calls)) == ["inner products", "within-person covariance", "subspace"]
    for stage in {call[0] for call in calls}:
        reached = [call[1] >= call[2] for call in calls if call[0] == stage]
        assert reached == [False] * (len(reached) - 1) + [True]


def test_the_callers_array_is_not_changed(solver):
    x, identities, views = people(dtype=np.float32)
    before = x.copy()
    XQDA().fit(x, identities, views).distances(x, x[:3])
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("shape", [(60, 200), (200, 20)])
def test_constant_features_are_refused(solver, shape):
    identities, views = people(*shape)[1:]
    with pytest.raises(ArrayError, match=r"hardly differ between people|nothing to find"):
        XQDA().fit(np.ones(shape), identities, views)


def test_some_constant_and_repeated_dimensions_do_no_harm():
    x, identities, views = people(n=240, d=60)
    model = XQDA().fit(x, identities, views)
    padded = np.concatenate([x, np.ones((240, 3)), np.zeros((240, 2))], axis=1)
    np.testing.assert_allclose(
        XQDA().fit(padded, identities, views).distances(padded[:5], padded), model.distances(x[:5], x), rtol=1e-4, atol=1e-3
    )
    assert np.isfinite(XQDA().fit(np.concatenate([x, x], axis=1), identities, views).M_).all()


def test_a_singular_covariance_without_regularisation_is_refused(solver):
    x, identities, views = people()
    with pytest.raises(ArrayError, match="singular with"):
        XQDA(regularisation=0).fit(x, identities, views)
    x, identities, views = people(240, 60)
    x[:, 7] = 0
    with pytest.raises(ArrayError, match="singular with"):
        XQDA(regularisation=0).fit(x, identities, views)


@needs_shared("golden/xqda_golden.npz")
def test_features_too_large_for_a_krylov_subspace_are_refused_not_mangled(krylov):
    with pytest.raises(ArrayError, match=r"scale (them|the features) to unit length"):
        fitted(case("c_qr_d400"))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"views": np.ones(180, int)}, DatasetError, "by 1 cameras: nobody is seen by two cameras"),
        ({"identities": np.ones(180, int)}, DatasetError, "no two people"),
        ({"identities": np.arange(180)}, DatasetError, "nobody is seen by two cameras"),
        ({"x": np.zeros((179, 9))}, ArrayError, "got 179 features and 180 identities"),
        ({"x": np.full((180, 9), np.nan)}, ArrayError, "row 0 holds NaN"),
        ({"x": np.zeros(180)}, ArrayError, "expected numbers of shape"),
    ],
)
def test_bad_input_is_refused(change, error, message):
    x, identities, views = people()
    given = {"x": x, "identities": identities, "views": views, **change}
    with pytest.raises(error, match=message):
        XQDA().fit(given["x"], given["identities"], given["views"])


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"dimensions": 0}, "dimensions is 0"),
        ({"regularisation": -1}, "regularisation is -1"),
        ({"regularisation": float("nan")}, "regularisation is nan"),
    ],
)
def test_bad_parameters_are_refused(parameters, message):
    with pytest.raises(ConfigurationError, match=message):
        XQDA(**parameters).fit(*people())


def test_queries_of_other_widths_are_refused():
    x, identities, views = people()
    with pytest.raises(ArrayError, match="got 899 dimensions; expected the 900"):
        XQDA().fit(x, identities, views).transform(x[:, 1:])
