"""The block Krylov subspace against a dense decomposition."""

import numpy as np
import pytest
import scipy.linalg

from resight.distances.krylov import leading_eigenpairs
from resight.errors import ArrayError


def symmetric(size, values, seed=0):
    basis = np.linalg.qr(np.random.default_rng(seed).standard_normal((size, size)))[0]
    return (basis * values) @ basis.T, basis


@pytest.mark.parametrize("block", [1, 7, 32])
@pytest.mark.parametrize("count", [1, 20])
def test_leading_pairs(block, count):
    values = np.sort(np.random.default_rng(1).exponential(size=300))[::-1]
    matrix, basis = symmetric(300, values)
    found, vectors = leading_eigenpairs(lambda x: matrix @ x, lambda x: x, 300, count=count, block=block, tolerance=1e-9)
    np.testing.assert_allclose(found, values[:count], rtol=1e-10)
    np.testing.assert_allclose(np.abs(np.sum(vectors * basis[:, :count], axis=0)), 1, atol=1e-7)


def test_threshold_counts_exactly_those_above():
    values = np.concatenate([np.linspace(9, 1.001, 40), np.linspace(0.999, 0, 260)])
    matrix, _ = symmetric(300, values)
    found, vectors = leading_eigenpairs(lambda x: matrix @ x, lambda x: x, 300, above=1.0, block=8)
    np.testing.assert_allclose(found, values[:40], rtol=1e-6)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(40), atol=1e-10)


def test_one_is_returned_even_if_none_is_above():
    matrix, _ = symmetric(50, np.linspace(0.5, 0, 50))
    found, _ = leading_eigenpairs(lambda x: matrix @ x, lambda x: x, 50, above=1.0)
    np.testing.assert_allclose(found, [0.5])


def test_another_inner_product():
    """A generalised problem A x = v B x: inv(B) A is self-adjoint in the inner product of B."""
    a, _ = symmetric(120, np.linspace(5, 0, 120))
    b, _ = symmetric(120, np.linspace(2, 0.5, 120), seed=3)
    expected = scipy.linalg.eigh(a, b, eigvals_only=True)[::-1]

    def with_image(x):
        return np.concatenate([x, b @ x])

    found, vectors = leading_eigenpairs(
        lambda x: with_image(np.linalg.solve(b, a @ x[:120])), with_image, 120, count=9, tolerance=1e-9
    )
    np.testing.assert_allclose(found, expected[:9], rtol=1e-10)
    x = vectors[:120]
    np.testing.assert_allclose(x.T @ b @ x, np.eye(9), atol=1e-9)
    np.testing.assert_allclose(a @ x, b @ x * found, atol=1e-6)


def test_low_rank_ends_early_and_repeated_values_are_all_found():
    values = np.concatenate([np.full(5, 3.0), np.full(3, 2.0), np.zeros(92)])
    matrix, _ = symmetric(100, values)
    found, _ = leading_eigenpairs(lambda x: matrix @ x, lambda x: x, 100, count=8, block=6)
    np.testing.assert_allclose(found, values[:8], rtol=1e-9)


def test_the_same_seed_gives_the_same_bits():
    matrix, _ = symmetric(80, np.linspace(5, 0, 80))
    runs = [leading_eigenpairs(lambda x: matrix @ x, lambda x: x, 80, count=5, seed=4)[1] for _ in range(2)]
    np.testing.assert_array_equal(*runs)


def test_a_zero_inner_product_and_a_subspace_that_grows_too_large_are_refused():
    with pytest.raises(ArrayError, match="nothing to find"):
        leading_eigenpairs(lambda x: x, np.zeros_like, 20)
    values = np.linspace(1.001, 1, 400)
    matrix, _ = symmetric(400, values)
    with pytest.raises(ArrayError, match="in a subspace of 64"):
        leading_eigenpairs(lambda x: matrix @ x, lambda x: x, 400, count=20, block=32, largest=64)
