"""Exact search in memory against a plain sort of float64 distances, on data that is meant to mislead its first look."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gallery.fakes import make_id
from resight.distances import DISTANCES
from resight.gallery.search import index as memory
from resight.gallery.search import product, segment
from resight.gallery.search.index import SearchIndex, _Part
from resight.gallery.search.segment import Rows, Segment
from resight.gallery.sighting import EVERYTHING, Where, from_microseconds
from resight.ranking.nearest import nearest

CAMERAS = ["a", "b", "c", "d", "e"]


def spread(rng: np.random.Generator, n: int, d: int) -> np.ndarray:
    return rng.standard_normal((n, d)).astype(np.float32)


def clusters(rng: np.random.Generator, n: int, d: int) -> np.ndarray:
    """A few people, whose images differ by less than a step of the codes."""
    return (spread(rng, 7, d)[rng.integers(0, 7, n)] + 1e-4 * spread(rng, n, d)).astype(np.float32)


def outlier(rng: np.random.Generator, n: int, d: int) -> np.ndarray:
    """One row so far away that all others have nearly one code."""
    vectors = spread(rng, n, d)
    vectors[n // 2] = 1e6
    return vectors


def copies(rng: np.random.Generator, n: int, d: int) -> np.ndarray:
    return spread(rng, 3, d)[rng.integers(0, 3, n)]


def far_from_zero(rng: np.random.Generator, n: int, d: int) -> np.ndarray:
    """Large numbers that hardly differ."""
    return (1000 + spread(rng, n, d) / 64).astype(np.float32)


def rectified(rng: np.random.Generator, n: int, d: int) -> np.ndarray:
    vectors = np.maximum(spread(rng, n, d), 0)
    vectors[:, 0] = 0
    vectors[:5] = 0
    return vectors


DATA = [spread, clusters, outlier, copies, far_from_zero, rectified]


def fill(
    index: SearchIndex, vectors: np.ndarray, rng: np.random.Generator, parts: int = 1
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Adds rows in parts; gives their ids, cameras and times."""
    ids = np.array([make_id(number) for number in range(len(vectors))])
    cameras, times = rng.choice(CAMERAS, len(vectors)), rng.integers(0, 1000, len(vectors))
    for rows in np.array_split(np.arange(len(vectors)), parts):
        index.add(ids[rows].tolist(), cameras[rows].tolist(), times[rows].tolist(), vectors[rows])
    return ids, cameras, times


def oracle(ids: np.ndarray, vectors: np.ndarray, query: np.ndarray, k: int, distance: str) -> tuple[list[str], np.ndarray]:
    """All of them, in the order of their ids, and a stable sort."""
    order = np.argsort(ids)
    u, v = query.astype(np.float64), vectors[order].astype(np.float64)
    if distance == "cosine":  # of the directions as float32, as everywhere in this package
        points = DISTANCES["cosine"].points
        u, v = points(query[None])[0].astype(np.float64), points(vectors[order]).astype(np.float64)
        squares = ((v - u) ** 2).sum(1)
        squares[~(v.any(1) & u.any())] = 2
        values = squares / 2
    else:
        values = np.sqrt(((v - u) ** 2).sum(1))
    first = np.argsort(values, kind="stable")[:k]
    return ids[order][first].tolist(), values[first]


@pytest.mark.parametrize("distance", ["euclidean", "cosine"])
@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize(("together", "worth"), [(1000, 4), (1000, 10**9), (1, 4)], ids=["looks", "one look", "together"])
def test_equals_comparing_with_every_row(  # type: ignore[no-untyped-def]
    data, distance: str, together: int, worth: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "_PART", 300)  # several threads
    monkeypatch.setattr(memory, "_TOGETHER", together)
    monkeypatch.setattr(memory, "_WORTH", worth)
    monkeypatch.setattr(product, "_ROWS", 70)  # several products
    rng = np.random.default_rng(5)
    vectors = data(rng, 2500, 24)
    index = SearchIndex(24, distance, threads=3)
    ids, cameras, times = fill(index, vectors, rng, parts=5)
    queries = np.concatenate([vectors[:2], vectors[3:6] + 0.05 * spread(rng, 3, 24), np.zeros((1, 24), np.float32)])
    where = Where(cameras=frozenset("bd"), since=from_microseconds(100), until=from_microseconds(900))
    chosen = np.isin(cameras, ["b", "d"]) & (times >= 100) & (times < 900)
    some = set(ids[::3].tolist())
    for k in (1, 10, 60, 2500):
        for rows, found in (
            (np.ones(len(ids), bool), index.search(queries, k, EVERYTHING)),
            (chosen, index.search(queries, k, where)),
            (chosen & np.isin(ids, list(some)), index.search(queries, k, where, some)),
        ):
            for number, query in enumerate(queries):
                expected, values = oracle(ids[rows], vectors[rows], query, k, distance)
                assert found[0][number].tolist() == expected
                np.testing.assert_allclose(found[1][number], values, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("distance", ["euclidean", "cosine"])
def test_queries_asked_together_are_answered_bit_for_bit_as_each_by_itself(distance: str) -> None:
    rng = np.random.default_rng(7)
    vectors = spread(rng, 30_000, 64)
    index = SearchIndex(64, distance, threads=1)
    fill(index, vectors, rng, parts=3)
    queries = np.concatenate([vectors[:20] + 0.3 * spread(rng, 20, 64), spread(rng, 20, 64)])
    for where in (EVERYTHING, Where(cameras=frozenset("ac"))):
        ids, distances = index.search(queries, 9, where)
        alone = [index.search(query[None], 9, where) for query in queries]
        assert np.array_equal(ids, np.concatenate([names for names, _ in alone]))
        assert np.array_equal(distances, np.concatenate([values for _, values in alone]))
    few = product.near_rows(
        queries, [(segment, None, slice(0, len(segment))) for segment in index._segments], 9, DISTANCES[distance]
    )
    assert max(sum(map(len, places)) for places in few) < 30  # of 30,000: what is left to compare


def test_most_rows_are_never_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(6)
    vectors = spread(rng, 20_000, 64)
    index = SearchIndex(64, "euclidean", threads=1)
    ids, _, _ = fill(index, vectors, rng)
    sizes = []

    def counted(queries: np.ndarray, gallery: np.ndarray, *rest: object) -> object:
        sizes.append(len(gallery))
        return nearest(queries, gallery, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(memory, "nearest", counted)
    for query in vectors[:20] + 0.1 * spread(rng, 20, 64):
        assert index.search(query[None], 10, EVERYTHING)[0][0].tolist() == oracle(ids, vectors, query, 10, "euclidean")[0]
    assert sum(sizes) < 20 * 0.05 * len(vectors)


def test_the_bound_of_a_first_look_holds() -> None:
    """No row that was left out is nearer than the bound says, for any data."""
    rng = np.random.default_rng(7)
    for data in DATA:
        vectors = data(rng, 400, 12)
        part = Segment(Rows(np.arange(400).astype("S32"), np.zeros(400, np.int64), np.arange(400), vectors), DISTANCES["euclidean"])
        for query in (vectors[0], vectors[5] + 0.3, np.full(12, -50, np.float32)):
            look = _Part(part, slice(0, 400), None, *part.code_of(query))
            rows, bound = look.look(20)
            others = np.setdiff1d(np.arange(400), rows)
            distances = np.linalg.norm(part.rows.vectors[others].astype(np.float64) - query, axis=1)
            assert distances.min() >= bound - 1e-9
            assert len(rows) == 20


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_filter_is_what_it_says(data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 40))
    cameras = data.draw(st.lists(st.sampled_from("abc"), min_size=n, max_size=n))
    times = data.draw(st.lists(st.none() | st.integers(-5, 5), min_size=n, max_size=n))
    index = SearchIndex(1, "euclidean")
    for start in range(0, n, 7):
        part = slice(start, start + 7)
        ids = [make_id(number) for number in range(n)][part]
        index.add(ids, cameras[part], times[part], np.arange(n, dtype=np.float32)[part, None])
    since, until = (data.draw(st.none() | st.integers(-6, 6)) for _ in range(2))
    wanted = data.draw(st.none() | st.frozensets(st.sampled_from("abcd")))
    where = Where(
        cameras=wanted,
        since=None if since is None else from_microseconds(since),
        until=None if until is None else from_microseconds(until),
    )
    found = index.search(np.zeros((1, 1), np.float32), n, where)[1][0].tolist()
    expected = [
        float(row)
        for row, (camera, time) in enumerate(zip(cameras, times, strict=True))
        if (wanted is None or camera in wanted)
        and (since is None or (time is not None and time >= since))
        and (until is None or (time is not None and time < until))
    ]
    assert found == expected


def test_rows_that_are_not_kept_are_gone_from_memory() -> None:
    rng = np.random.default_rng(8)
    vectors = spread(rng, 1000, 8)
    index = SearchIndex(8, "euclidean")
    ids, _, _ = fill(index, vectors, rng, parts=3)
    left = set(ids[::2].tolist())
    index.remove_all_but(left)
    assert len(index) == 500
    assert index.ids() == left
    held = np.concatenate([part.rows.vectors for part in index._segments])
    assert not (held[:, None] == vectors[1::2][None, :50]).all(2).any()
    for query in vectors[:5]:
        assert index.search(query[None], 7, EVERYTHING)[0][0].tolist() == oracle(ids[::2], vectors[::2], query, 7, "euclidean")[0]
    index.remove_all_but(set())
    assert len(index) == 0
    assert index.search(vectors[:1], 7, EVERYTHING)[0].shape == (1, 0)


def test_rows_added_one_by_one_are_in_few_segments() -> None:
    rng = np.random.default_rng(9)
    vectors = spread(rng, 600, 4)
    index = SearchIndex(4, "cosine")
    ids, _, _ = fill(index, vectors, rng, parts=600)
    assert len(index._segments) <= 6  # log4(600)
    assert index.search(vectors[77:78], 9, EVERYTHING)[0][0].tolist() == oracle(ids, vectors, vectors[77], 9, "cosine")[0]


def test_long_vectors_are_compared_with_every_row() -> None:
    """Squares of codes of so many numbers do not fit into 32 bits."""
    rng = np.random.default_rng(10)
    dimension = memory._LONGEST + 1
    assert dimension * 255**2 > 2**31 - 1
    vectors = rng.choice([-1.0, 1.0], (150, dimension)).astype(np.float32)
    index = SearchIndex(dimension, "euclidean")
    ids, _, _ = fill(index, vectors, rng)
    assert index.search(-vectors[:1], 3, EVERYTHING)[0][0].tolist() == oracle(ids, vectors, -vectors[0], 3, "euclidean")[0]


def test_blocks_of_quantisation_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(11)
    rows = Rows(np.arange(100).astype("S32"), np.zeros(100, np.int64), np.arange(100), spread(rng, 100, 8))
    whole = Segment(rows, DISTANCES["cosine"])
    monkeypatch.setattr(segment, "_BLOCK", 24)
    parts = Segment(rows, DISTANCES["cosine"])
    np.testing.assert_array_equal(whole.codes, parts.codes)
    assert whole.error == parts.error


def test_a_search_during_additions_sees_one_state() -> None:
    rng = np.random.default_rng(12)
    vectors = spread(rng, 3000, 8)
    index = SearchIndex(8, "euclidean")
    done = threading.Event()

    def add() -> None:
        fill(index, vectors, np.random.default_rng(0), parts=60)
        done.set()

    thread = threading.Thread(target=add)
    thread.start()
    sizes = []
    while not done.is_set():
        sizes.append(index.search(vectors[:1], 5000, EVERYTHING)[0].shape[1])
    thread.join()
    assert sizes == sorted(sizes)
    assert all(size % 50 == 0 for size in sizes)
