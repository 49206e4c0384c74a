"""The protocol against the official Market-1501 code's results, and against a slow and obvious oracle."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resight.datasets.records import Records
from resight.distances import DISTANCES
from resight.errors import ArrayError, ConfigurationError, NoMatchError
from resight.evaluation import protocol
from resight.evaluation.protocol import evaluate, score_blocks, score_distances
from resight.evaluation.scores import FIGURES, Scores
from support import SHARED, needs_shared


def oracle(distances: np.ndarray, query: Records, gallery: Records) -> dict[str, float]:
    """Seven figures from plain lists, one query and one rank after the other."""
    first, plain, trapezoidal, penalty = [], [], [], []
    for row in range(len(query)):
        ranked = []
        for column in range(len(gallery)):
            same = gallery.identities[column] == query.identities[row]
            if gallery.identities[column] == -1 or (same and gallery.cameras[column] == query.cameras[row]):
                continue
            ranked.append((distances[row, column], bool(same and query.identities[row] > 0)))
        ranked.sort()  # at equal distances False, a wrong match, stands first
        matches = [match for _, match in ranked]
        if not any(matches):
            continue
        first.append(matches.index(True) + 1)
        precisions = [sum(matches[: rank + 1]) / (rank + 1) for rank in range(len(matches))]
        at_matches = [rank for rank, match in enumerate(matches) if match]
        plain.append(np.mean([precisions[rank] for rank in at_matches]))
        trapezoidal.append(np.mean([(precisions[rank] + (precisions[rank - 1] if rank else 1)) / 2 for rank in at_matches]))
        penalty.append(len(at_matches) / (at_matches[-1] + 1))
    if not first:
        return {}
    shares = {f"rank{k}": np.mean([rank <= k for rank in first]) for k in (1, 5, 10, 20)}
    return shares | {"map": np.mean(plain), "map_trapezoidal": np.mean(trapezoidal), "minp": np.mean(penalty)}


def records(identities: Any, cameras: Any) -> Records:
    return Records(tuple(map(str, range(len(identities)))), np.array(identities, int), np.array(cameras, int))


def scene(
    seed: int, queries: int = 40, gallery: int = 700, dimensions: int = 32
) -> tuple[np.ndarray, np.ndarray, Records, Records]:
    """Embeddings around a centre for each of 20 people, with junk (-1) and distractors (0); the last query has no match."""
    rng = np.random.default_rng(seed)
    query = records([*rng.integers(1, 21, queries - 1), 99], rng.integers(1, 4, queries))
    images = records(rng.integers(-1, 21, gallery), rng.integers(1, 4, gallery))
    centres = rng.standard_normal((101, dimensions))
    vectors = [
        (centres[part.identities] + 1.5 * rng.standard_normal((len(part), dimensions))).astype(np.float32)
        for part in (query, images)
    ]
    return vectors[0], vectors[1], query, images


def figures(scores: Scores) -> dict[str, float]:
    return {name: getattr(scores, name) for name in FIGURES}


def columns(query: Records, gallery: Records) -> tuple[Any, ...]:
    return query.identities, query.cameras, gallery.identities, gallery.cameras


@needs_shared("golden/eval_golden.npz")
def test_official_market1501_evaluation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "MAX_RANK", 600)
    with np.load(SHARED / "golden/eval_golden.npz") as golden:
        people = golden["query_id"], golden["query_cam"], golden["gallery_id"], golden["gallery_cam"]
        scores = score_distances(golden["dist"], *people)
        assert scores.map_trapezoidal == pytest.approx(float(golden["mAP"]), abs=1e-12)
        np.testing.assert_allclose(scores.cmc, golden["cmc"], atol=1e-12)
        assert (scores.rank1, scores.rank20) == (scores.cmc[0], scores.cmc[19])
        for row, expected in enumerate(golden["ap"]):
            one = score_distances(golden["dist"][row : row + 1], people[0][row : row + 1], people[1][row : row + 1], *people[2:])
            assert one.map_trapezoidal == pytest.approx(expected, abs=1e-12)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_equals_the_oracle_with_ties_junk_and_distractors(data: st.DataObject) -> None:
    queries, gallery = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 12))

    def draw(low: int, high: int, size: int) -> list[int]:
        return data.draw(st.lists(st.integers(low, high), min_size=size, max_size=size))

    query = records(draw(-1, 3, queries), draw(1, 2, queries))
    images = records(draw(-1, 3, gallery), draw(1, 2, gallery))
    distances = np.array(draw(-2, 2, queries * gallery), float).reshape(queries, gallery)
    expected = oracle(distances, query, images)
    if not expected:
        with pytest.raises(NoMatchError, match=f"none of {queries} queries"):
            score_distances(distances, *columns(query, images))
        return
    scores = score_distances(distances, *columns(query, images))
    assert figures(scores) == pytest.approx(expected, abs=1e-12)
    assert scores.queries + scores.queries_without_match == queries
    assert np.isnan(scores.average_precisions).sum() == scores.queries_without_match
    # The order of the gallery does not matter, whatever ties.
    order = np.array(data.draw(st.permutations(range(gallery))))
    assert figures(score_distances(distances[:, order], *columns(query, images.select(order)))) == figures(scores)


def test_many_matches_of_one_query() -> None:
    # More than are counted one by one.
    rng = np.random.default_rng(0)
    query, images = records([1, 2], [1, 1]), records(rng.integers(0, 3, 300), rng.integers(1, 4, 300))
    distances = rng.integers(0, 60, (2, 300)).astype(float)
    assert figures(score_distances(distances, *columns(query, images))) == pytest.approx(oracle(distances, query, images))


@pytest.mark.parametrize("distance", ["euclidean", "cosine"])
def test_embeddings_equal_the_oracle(distance: str) -> None:
    queries, images, query, gallery = scene(0)
    scores = evaluate(queries, images, query, gallery, distance)
    expected = oracle(DISTANCES[distance].between(queries, images), query, gallery)
    assert figures(scores) == pytest.approx(expected, abs=1e-12)
    assert scores.gallery == (gallery.identities != -1).sum() < len(gallery)
    assert (scores.queries, scores.queries_without_match) == (39, 1)
    assert np.isnan(scores.average_precisions[-1])
    assert np.nanmean(scores.average_precisions) == pytest.approx(scores.map)
    assert 0.2 < scores.map < 0.9, "neither hopeless nor perfect, or the comparison says little"


@pytest.mark.parametrize(("distance", "offset"), [("euclidean", 10.0), ("euclidean", 1000.0), ("cosine", 1000.0)])
def test_embeddings_far_from_zero_equal_the_oracle(distance: str, offset: float) -> None:
    queries, gallery, query, images = scene(4)
    spread = 1.0 if distance == "cosine" else 0.1
    queries, gallery = (np.float32(offset) + np.float32(spread) * vectors for vectors in (queries, gallery))
    exact = np.stack([DISTANCES[distance].exact(vector, gallery) for vector in queries])
    assert figures(evaluate(queries, gallery, query, images, distance)) == pytest.approx(oracle(exact, query, images))


@pytest.mark.parametrize("distance", ["euclidean", "cosine"])
def test_size_of_blocks_and_kind_of_input_do_not_matter(distance: str) -> None:
    queries, images, query, gallery = scene(1)
    matrix = DISTANCES[distance].between(queries, images)
    expected = figures(score_distances(matrix, *columns(query, gallery)))
    for block_bytes in (1, 4 * 700 * 7, 1 << 30):
        assert figures(evaluate(queries, images, query, gallery, distance, block_bytes=block_bytes)) == expected
        assert figures(evaluate(queries, images, query, gallery, DISTANCES[distance].between, block_bytes=block_bytes)) == expected
    blocks = ((slice(first, first + 9), matrix[first : first + 9]) for first in reversed(range(0, 40, 9)))
    assert figures(score_blocks(blocks, *columns(query, gallery))) == expected


@pytest.mark.parametrize("distance", ["euclidean", "cosine"])
def test_copies_of_an_image_tie_wherever_they_stand(distance: str) -> None:
    # 512 numbers, for which a float32 matrix product gives copies of one image different distances: every image of the gallery
    # is one of 7 vectors, so that a right one always ties with wrong ones.
    rng = np.random.default_rng(2)
    vectors = rng.standard_normal((7, 512)).astype(np.float32)
    query, gallery = records(range(1, 6), [1] * 5), records(rng.integers(-1, 6, 1003), rng.integers(1, 4, 1003))
    which = rng.integers(0, 7, 1003)
    distances = np.array([DISTANCES[distance].between(vectors[:5], vectors)[:, column] for column in which]).T
    expected = oracle(distances, query, gallery)
    for _ in range(3):
        order = rng.permutation(1003)
        scores = evaluate(vectors[:5], vectors[which[order]], query, gallery.select(order), distance)
        assert figures(scores) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("distance", ["euclidean", "cosine"])
def test_a_network_that_says_nothing_scores_worst(distance: str) -> None:
    _, _, query, gallery = scene(3)
    flat = np.full((700, 64), 0.1, np.float32)
    expected = []
    for identity, camera in zip(query.identities[:-1], query.cameras[:-1], strict=True):
        matches = ((gallery.identities == identity) & (gallery.cameras != camera)).sum()
        wrong = ((gallery.identities != identity) & (gallery.identities != -1)).sum()
        expected.append(np.mean([match / (wrong + match) for match in range(1, matches + 1)]))
    scores = evaluate(flat[:40], flat, query, gallery, distance)
    assert scores.rank20 == 0
    assert scores.map == pytest.approx(np.mean(expected))


def test_any_function_may_be_the_distance() -> None:
    queries, images, query, gallery = scene(4)

    def manhattan(some: np.ndarray, several: np.ndarray) -> np.ndarray:
        return np.abs(some[:, None] - several[None]).sum(axis=2)

    scores = evaluate(queries, images, query, gallery, manhattan, block_bytes=8 * 700 * 11)
    assert figures(scores) == pytest.approx(oracle(manhattan(queries, images), query, gallery), abs=1e-12)


def test_whole_numbers_are_distances_too() -> None:
    assert score_distances([[3, 1]], [5], [1], [5, 6], [2, 2]).map == 0.5


def test_arguments_are_not_changed() -> None:
    queries, images, query, gallery = scene(5)
    matrix = DISTANCES["euclidean"].between(queries, images)
    copies = queries.copy(), images.copy(), matrix.copy()
    for distance in DISTANCES:
        evaluate(queries, images, query, gallery, distance)
    score_distances(matrix, *columns(query, gallery))
    for array, copy in zip((queries, images, matrix), copies, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_tells_its_progress() -> None:
    queries, images, query, gallery = scene(6)
    calls: list[tuple[str, int, int]] = []
    evaluate(queries, images, query, gallery, block_bytes=4 * 700 * 15, progress=lambda *call: calls.append(call))
    assert len(calls) >= 3
    assert calls[-1] == ("rank", 40, 40)
    assert [done for _, done, _ in calls] == sorted(done for _, done, _ in calls)


@pytest.mark.parametrize("distance", ["euclidean", "cosine"])
def test_memory_is_bounded(distance: str) -> None:
    queries, images, query, gallery = scene(7, queries=256, gallery=60_000, dimensions=8)
    identities = np.where(np.arange(60_000) < 3000, gallery.identities, 0)
    gallery = Records(gallery.paths, identities, gallery.cameras)
    tracemalloc.start()
    evaluate(queries, images, query, gallery, distance, block_bytes=2 << 20)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12e6  # the whole matrix is 61 MB


def test_bad_embeddings() -> None:
    queries, images, query, gallery = scene(8)
    broken = images.copy()
    broken[3, 3] = np.nan
    with pytest.raises(ArrayError, match="gallery embeddings hold NaN"):
        evaluate(queries, broken, query, gallery)
    with pytest.raises(ArrayError, match="700 gallery embeddings for 699 gallery images"):
        evaluate(queries, images, query, gallery.select(range(699)))
    with pytest.raises(ArrayError, match="hold 32 numbers and the gallery's 31"):
        evaluate(queries, images[:, :31], query, gallery)
    with pytest.raises(ConfigurationError, match="'hamming' is unknown; expected euclidean, cosine"):
        evaluate(queries, images, query, gallery, "hamming")
    with pytest.raises(ArrayError, match=r"have shape \(40, 3\)"):
        evaluate(queries, images, query, gallery, lambda some, several: np.zeros((len(some), 3)))


def test_nothing_to_score() -> None:
    none = records([], [])
    with pytest.raises(NoMatchError, match="none of 0 queries"):
        evaluate(np.empty((0, 4)), np.ones((2, 4)), none, records([1, 2], [1, 1]))
    with pytest.raises(NoMatchError, match="none of 2 queries"):
        evaluate(np.ones((2, 4)), np.empty((0, 4)), records([1, 2], [1, 1]), none)
    with pytest.raises(NoMatchError, match="none of 1 queries"):
        evaluate(np.ones((1, 4)), np.ones((2, 4)), records([1], [1]), records([-1, -1], [2, 2]))


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("column", [0, 1, 2])
def test_bad_distances_are_refused_even_of_junk(value: float, column: int) -> None:
    distances = np.array([[0.1, 0.2, 0.3]])
    distances[0, column] = value
    with pytest.raises(ArrayError, match="query 0 has a distance that is NaN or infinite"):
        score_distances(distances, [1], [1], [1, 2, -1], [2, 2, 2])


def test_distances_that_do_not_fit() -> None:
    people = [1, 2], [1, 1], [1, 2, 3], [2, 2, 2]
    with pytest.raises(ArrayError, match=r"shape \(6,\); expected \(queries, gallery\)"):
        score_distances(np.zeros(6), *people)
    with pytest.raises(ArrayError, match=r"have shape \(2, 4\); expected \(2, 3\)"):
        score_distances(np.zeros((2, 4)), *people)
    with pytest.raises(ArrayError, match=r"have shape \(3, 3\); expected \(2, 3\)"):
        score_distances(np.zeros((3, 3)), *people)
    with pytest.raises(ArrayError, match="query identities"):
        score_distances(np.zeros((2, 3)), [1, 2], [1], [1, 2, 3], [2, 2, 2])
    with pytest.raises(ArrayError, match="expected whole numbers"):
        score_distances(np.zeros((2, 3)), [1, 2.5], [1, 1], [1, 2, 3], [2, 2, 2])
    with pytest.raises(ArrayError, match="1 of 2 queries"):
        score_blocks([(slice(0, 1), np.zeros((1, 3)))], *people)
    with pytest.raises(ArrayError, match="query 1 were given twice"):
        score_blocks([(slice(0, 2), np.zeros((2, 3))), (slice(1, 2), np.zeros((1, 3)))], *people)
