"""Blockwise search against sorting the whole matrix of float64 distances, pair by pair."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resight.errors import ArrayError, ConfigurationError
from resight.ranking.nearest import nearest


def oracle(queries: np.ndarray, gallery: np.ndarray, k: int, distance: str) -> tuple[np.ndarray, np.ndarray]:
    """All distances of pairs in float64, and a stable sort."""
    distances = np.empty((len(queries), len(gallery)))
    for i, query in enumerate(queries.astype(np.float64)):
        for j, image in enumerate(gallery.astype(np.float64)):
            if distance == "euclidean":
                distances[i, j] = np.sqrt(((query - image) ** 2).sum())
            else:
                lengths = np.linalg.norm(query) * np.linalg.norm(image)
                distances[i, j] = 1 - (query @ image) / lengths if lengths else 1
    rows = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return rows, np.take_along_axis(distances, rows, axis=1)


@pytest.mark.parametrize("distance", ["euclidean", "cosine"])
@pytest.mark.parametrize("k", [1, 5, 90])
def test_equals_the_oracle_whatever_the_block(distance: str, k: int) -> None:
    rng = np.random.default_rng(0)
    queries = rng.standard_normal((11, 16)).astype(np.float32)
    gallery = rng.standard_normal((90, 16)).astype(np.float32)
    gallery[7] = 0
    rows, distances = oracle(queries, gallery, k, distance)
    for block in (1, 7, 64, 16384):
        found = nearest(queries, gallery, k, distance, block)
        np.testing.assert_array_equal(found[0], rows)
        np.testing.assert_allclose(found[1], distances, rtol=1e-5, atol=1e-6)
        assert found[1].dtype == np.float32


@pytest.mark.parametrize("distance", ["euclidean", "cosine"])
def test_copies_of_an_image_come_in_the_order_of_their_rows(distance: str) -> None:
    # 512 numbers, for which a float32 matrix product gives copies of one image different distances.
    rng = np.random.default_rng(1)
    images = rng.standard_normal((5, 512)).astype(np.float32)
    which = rng.integers(0, 5, 1003)
    for block in (64, 100, 2000):
        rows, distances = nearest(images[:3], images[which], 200, distance, block)
        for query in range(3):
            copies = np.flatnonzero(which == query)[:200]
            np.testing.assert_array_equal(rows[query, : len(copies)], copies)
            assert (distances[query, : len(copies)] == 0).all()


def test_noise_of_float32_does_not_decide() -> None:
    # Squares of norms of 3e7 differ by 0.01 to 0.3: float32 alone, with steps of 2, would order them at random.
    gallery = np.full((40, 32), 1000, np.float32)
    gallery[:, 0] += np.random.default_rng(2).permutation(40).astype(np.float32) / 64
    queries = np.full((1, 32), 1000, np.float32)
    expected = oracle(queries, gallery, 10, "euclidean")
    rows, distances = nearest(queries, gallery, 10, block=16)
    np.testing.assert_array_equal(rows, expected[0])
    np.testing.assert_allclose(distances, expected[1], rtol=1e-6)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_many_ties(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 12))
    numbers = st.lists(st.lists(st.integers(-2, 2), min_size=2, max_size=2), min_size=size, max_size=size)
    gallery = np.array(data.draw(numbers), np.float32)
    queries = gallery[: data.draw(st.integers(1, size))] + 1
    k = data.draw(st.integers(1, size))
    rows, _ = nearest(queries, gallery, k, block=data.draw(st.integers(1, 13)))
    np.testing.assert_array_equal(rows, oracle(queries, gallery, k, "euclidean")[0])


def test_more_queries_than_are_done_at_a_time() -> None:
    gallery = np.random.default_rng(3).standard_normal((700, 4)).astype(np.float32)
    rows, distances = nearest(gallery, gallery, 1)
    assert rows[:, 0].tolist() == list(range(700))
    assert not distances.any()


def test_memory_is_bounded_by_the_block_not_by_the_gallery() -> None:
    rng = np.random.default_rng(4)
    queries, gallery = rng.standard_normal((64, 8), np.float32), rng.standard_normal((60_000, 8), np.float32)
    tracemalloc.start()
    nearest(queries, gallery, 10, block=1000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3e6  # the whole matrix is 15 MB


def test_mistakes() -> None:
    images = np.eye(3, dtype=np.float32)
    for k in (0, 4):
        with pytest.raises(ArrayError, match=f"k is {k} in a gallery of 3 images; expected 1 to 3"):
            nearest(images, images, k)
    with pytest.raises(ConfigurationError, match="'manhattan' is unknown; expected euclidean, cosine"):
        nearest(images, images, 1, "manhattan")
    with pytest.raises(ConfigurationError, match="block is 0"):
        nearest(images, images, 1, block=0)
    with pytest.raises(ArrayError, match="NaN"):
        nearest(images * np.nan, images, 1)
    with pytest.raises(ArrayError, match="hold 3 numbers and the gallery's 2"):
        nearest(images, images[:, :2], 1)
