"""Re-ranking with strips and sparse encodings against the formula with whole matrices, one image after the other."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resight.distances.fitted import fit_distance
from resight.errors import ArrayError, ConfigurationError
from resight.ranking.rerank import PAPER, Reranking, rerank, within


def distances_among(images: np.ndarray, distance: Any) -> np.ndarray:
    """Of every pair, in float64: squared Euclidean, or cosine, or what a function says."""
    if callable(distance):
        return np.asarray(distance(images, images), np.float64)
    images = images.astype(np.float64)
    table = np.empty((len(images), len(images)))
    for i, u in enumerate(images):
        for j, v in enumerate(images):
            lengths = np.linalg.norm(u) * np.linalg.norm(v)
            table[i, j] = ((u - v) ** 2).sum() if distance == "euclidean" else 1 - u @ v / lengths if lengths else 1
    return table


def oracle(
    queries: np.ndarray, gallery: np.ndarray, distance: Any = "euclidean", k1: int = 20, k2: int = 6, original_weight: float = 0.3
) -> np.ndarray:
    """The paper's formulas, dense, with the conventions of the authors' released Python code.

    Zhong et al., "Re-ranking Person Re-identification with k-reciprocal Encoding", CVPR 2017. The released code deviates from
    the paper in that

    - neighbours are looked for among all queries and the gallery (paper: in the gallery), and N(p, k) are the first k + 1 of a
      ranking in which p itself stands first (equation 1: the first k, without p);
    - distances are squared, and each image's are divided by their maximum, before exp(-d) and before the final sum (equations 5
      and 12 take them as they are; squared Euclidean is the paper's Mahalanobis distance with M = I);
    - R(q, k/2) joins if more than 2/3 of it is in R(p, k) (equation 3: at least 2/3), and k/2 is rounded half to even;
    - an encoding is divided by its sum (equation 5: not);
    - the mean of the local query expansion is over p itself and its k2 - 1 nearest (equation 11: its k2 nearest).

    Neither says what equally near images are: here p itself comes first, then queries before the gallery in the given order,
    then gallery images in the order of their numbers' bytes; and equal gallery images get the largest distance of any of them.
    """
    order = sorted(range(len(gallery)), key=lambda row: (gallery[row] + np.float32(0)).tobytes())
    images = np.concatenate([queries, gallery[order]])
    n = len(images)
    d = distances_among(images, distance)
    ranking = [sorted(range(n), key=lambda j, i=i: (j != i, d[i, j])) for i in range(n)]
    largest = d.max(axis=1)
    d = d / np.where(largest > 0, largest, 1)[:, None]

    def reciprocal(p: int, k: int) -> set[int]:
        return {g for g in ranking[p][: k + 1] if p in ranking[g][: k + 1]}

    encoding = np.zeros((n, n))
    for p in range(n):
        mine = reciprocal(p, k1)
        expanded = set(mine)
        for q in mine:
            theirs = reciprocal(q, round(k1 / 2))
            if 3 * len(mine & theirs) > 2 * len(theirs):
                expanded |= theirs
        for g in expanded:
            encoding[p, g] = np.exp(-d[p, g])
        encoding[p] /= encoding[p].sum()
    encoding = np.array([encoding[ranking[p][:k2]].mean(axis=0) for p in range(n)])
    result = np.empty((len(queries), len(gallery)))
    for q in range(len(queries)):
        for column, row in enumerate(order):
            g = len(queries) + column
            minima, maxima = np.minimum(encoding[q], encoding[g]).sum(), np.maximum(encoding[q], encoding[g]).sum()
            result[q, row] = (1 - original_weight) * (1 - minima / maxima) + original_weight * d[q, g]
    for row in range(len(gallery)):
        copies = (gallery == gallery[row]).all(axis=1)
        result[:, copies] = result[:, copies].max(axis=1, keepdims=True)
    return result


def people(
    seed: int, queries: int = 15, gallery: int = 100, dimensions: int = 16, spread: float = 0.8
) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings around the centres of a dozen people."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((12, dimensions))
    sides = (
        centres[rng.integers(0, 12, count)] + spread * rng.standard_normal((count, dimensions)) for count in (queries, gallery)
    )
    some, others = (side.astype(np.float32) for side in sides)
    return some, others


def agree(queries: np.ndarray, gallery: np.ndarray, distance: Any = "euclidean", **choice: Any) -> np.ndarray:
    found = rerank(queries, gallery, distance, Reranking(**choice))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, oracle(queries, gallery, distance, **choice), rtol=0, atol=1e-5)
    return found


@pytest.mark.parametrize("distance", ["euclidean", "cosine"])
@pytest.mark.parametrize("spread", [0.3, 0.8, 100])
def test_equals_the_formula(distance: str, spread: float) -> None:
    found = agree(*people(0, spread=spread), distance)
    if spread < 1:
        assert len(np.unique(found.round(4))) > 500, "encodings overlap, or the comparison says little"


@pytest.mark.parametrize("distance", ["euclidean", "cosine"])
@pytest.mark.parametrize(("k1", "k2"), [(1, 1), (2, 1), (3, 2), (5, 5), (7, 3), (13, 6), (150, 4), (1000, 1000)])
def test_equals_the_formula_for_few_and_for_many_neighbours(distance: str, k1: int, k2: int) -> None:
    agree(*people(1, 9, 50), distance, k1=k1, k2=k2)


@pytest.mark.parametrize("original_weight", [0, 0.3, 0.9, 1])
def test_equals_the_formula_for_any_lambda(original_weight: float) -> None:
    agree(*people(2, 9, 50), original_weight=original_weight)


@pytest.mark.parametrize(("queries", "gallery"), [(1, 60), (60, 1), (1, 1), (2, 1), (1, 2), (30, 30)])
@pytest.mark.parametrize("distance", ["euclidean", "cosine"])
def test_equals_the_formula_for_one_query_and_one_image(queries: int, gallery: int, distance: str) -> None:
    agree(*people(3, queries, gallery), distance)
    agree(*people(4, queries, gallery), distance, k1=2, k2=2)


@pytest.mark.parametrize("distance", ["euclidean", "cosine"])
def test_equals_the_formula_with_copies(distance: str) -> None:
    # 512 numbers, for which a float32 matrix product gives copies of one image different distances; more copies of an image than
    # neighbours, and images that stand on both sides.
    rng = np.random.default_rng(5)
    images = rng.standard_normal((9, 512)).astype(np.float32)
    images[8] = 0
    which = rng.integers(0, 9, 90)
    agree(images[which[:20]], images[which[20:]], distance, k1=6, k2=3)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_equals_the_formula_on_a_grid(data: st.DataObject) -> None:
    """Ties of all kinds: small whole numbers, of which every distance is exact."""
    queries, gallery = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 12))
    size = queries + gallery
    numbers = st.lists(st.lists(st.integers(-2, 2), min_size=2, max_size=2), min_size=size, max_size=size)
    images = np.array(data.draw(numbers), np.float32)
    k1 = data.draw(st.integers(1, 14))
    agree(images[:queries], images[queries:], k1=k1, k2=data.draw(st.integers(1, k1)))


def manhattan(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    return np.abs(some[:, None] - others[None]).sum(axis=2)


@pytest.mark.parametrize("distance", ["euclidean", "cosine", manhattan])
def test_the_order_of_the_gallery_changes_no_bit(distance: Any) -> None:
    rng = np.random.default_rng(6)
    queries, gallery = people(6, 20, 400, 64)
    gallery[rng.integers(0, 400, 150)] = gallery[rng.integers(0, 10, 150)]  # copies, of which not all can be neighbours
    gallery[17] = queries[3]
    expected = rerank(queries, gallery, distance)
    for _ in range(3):
        order = rng.permutation(400)
        np.testing.assert_array_equal(rerank(queries, gallery[order], distance), expected[:, order])


def test_many_near_ties_are_decided_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    # Far from the origin on a short line, with one image so far away that float32 sees no difference between the others.
    line = np.zeros((70, 8), np.float32)
    line[:, 0] = np.random.default_rng(7).permutation(70) / 64
    line[:, 1] = 3000
    line[69, 1] = -1e6
    asked = []
    search = within.nearest
    monkeypatch.setattr(within, "nearest", lambda queries, *rest: asked.append(len(queries)) or search(queries, *rest))
    agree(line[:10], line[10:], k1=9, k2=3)
    assert asked, "the exact search was not needed"


@pytest.mark.parametrize("distance", ["euclidean", "cosine"])
def test_a_network_that_says_nothing_ranks_nobody_first(distance: str) -> None:
    flat = np.full((300, 32), 0.1, np.float32)
    found = rerank(flat[:7], flat[7:], distance)
    assert (found == found[:, :1]).all()


@pytest.mark.parametrize("distance", ["euclidean", "cosine"])
def test_the_height_of_strips_does_not_matter(distance: str, monkeypatch: pytest.MonkeyPatch) -> None:
    queries, gallery = people(8, 30, 700, 32)
    expected = rerank(queries, gallery, distance)
    for height in (23, 400):
        monkeypatch.setattr("resight.ranking.rerank.reranking._STRIP_ROWS", height)
        np.testing.assert_allclose(rerank(queries, gallery, distance), expected, rtol=0, atol=1e-6)


def test_unit_vectors_are_re_ranked_alike_by_both_distances() -> None:
    queries, gallery = people(9)
    sides = [side / np.linalg.norm(side, axis=1, keepdims=True) for side in (queries, gallery)]
    np.testing.assert_allclose(rerank(*sides), rerank(*sides, "cosine"), rtol=0, atol=1e-6)


def test_scale_and_place_of_the_embeddings_do_not_matter() -> None:
    queries, gallery = people(10)
    expected = rerank(queries, gallery)
    np.testing.assert_allclose(rerank(queries * 2**40, gallery * 2**40), expected, rtol=0, atol=1e-6)
    np.testing.assert_allclose(rerank(queries * 2**-40, gallery * 2**-40), expected, rtol=0, atol=1e-6)
    np.testing.assert_allclose(rerank(queries + 100, gallery + 100), expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("kind", ["xqda", "kissme"])
def test_equals_the_formula_for_learned_distances(kind: str) -> None:
    rng = np.random.default_rng(11)
    identities, cameras = np.repeat(np.arange(40), 6), np.tile([1, 2], 120)
    train = rng.standard_normal((40, 24))[identities] + 0.7 * rng.standard_normal((240, 24))
    learned = fit_distance(kind, train, identities, cameras, dimensions=6)
    queries, gallery = (learned.transform(side) for side in people(11, 12, 80, 24))
    agree(queries, gallery, learned.compare)


def test_a_function_may_give_negative_distances_and_keeps_its_arrays() -> None:
    queries, gallery = people(12, 9, 50)
    images = np.concatenate([queries, gallery])
    table = -(images @ images.T) + np.einsum("ij,ij->i", images, images).mean()

    def similar(some: np.ndarray, others: np.ndarray) -> np.ndarray:
        rows, columns = ([int(np.flatnonzero((images == vector).all(axis=1))[0]) for vector in side] for side in (some, others))
        return table[rows][:, columns]

    before = table.copy()
    agree(queries, gallery, similar)
    np.testing.assert_array_equal(table, before)
    agree(queries, gallery, lambda some, others: np.zeros((len(some), len(others))))


def test_lambda_1_ranks_as_the_original_distance_does() -> None:
    queries, gallery = people(13)
    found = rerank(queries, gallery, reranking=Reranking(original_weight=1))
    original = ((queries[:, None].astype(float) - gallery[None]) ** 2).sum(axis=2)
    np.testing.assert_array_equal(np.argsort(found, axis=1), np.argsort(original, axis=1))


def test_arguments_are_not_changed_and_progress_is_told() -> None:
    queries, gallery = people(14, 30, 700)
    copies = queries.copy(), gallery.copy()
    calls: list[tuple[str, int, int]] = []
    for distance in ("euclidean", "cosine", manhattan):
        rerank(queries, gallery, distance, progress=lambda *call: calls.append(call))
    np.testing.assert_array_equal(queries, copies[0])
    np.testing.assert_array_equal(gallery, copies[1])
    assert calls[:2] == [("re-rank", 512, 730), ("re-rank", 730, 730)]


def test_memory_grows_with_the_images_not_with_their_square() -> None:
    queries, gallery = people(15, 8, 9000, 8)
    tracemalloc.start()
    rerank(queries, gallery)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 130e6  # the whole matrix is 324 MB


def test_the_defaults_are_the_papers() -> None:
    assert (PAPER.k1, PAPER.k2, PAPER.original_weight) == (20, 6, 0.3)


def test_mistakes() -> None:
    queries, gallery = people(16)
    for choice, message in (
        ({"k1": 0}, "k1 = 0; expected at least 1"),
        ({"k2": 0}, "k2 = 0; expected 1 to k1, which is 20"),
        ({"k1": 5}, "k2 = 6; expected 1 to k1, which is 5"),
        ({"original_weight": 1.01}, r"\(lambda\) is 1.01; expected 0 to 1"),
        ({"original_weight": float("nan")}, r"\(lambda\) is nan; expected 0 to 1"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            Reranking(**choice)
    with pytest.raises(ConfigurationError, match="'manhattan' is unknown; expected euclidean, cosine"):
        rerank(queries, gallery, "manhattan")
    broken = gallery.copy()
    broken[3, 3] = np.nan
    with pytest.raises(ArrayError, match="gallery embeddings hold NaN"):
        rerank(queries, broken)
    with pytest.raises(ArrayError, match="hold 16 numbers and the gallery's 15"):
        rerank(queries, gallery[:, :15])
    for some, others in ((queries[:0], gallery), (queries, gallery[:0])):
        with pytest.raises(
            ArrayError, match=f"{len(some)} queries and {len(others)} gallery images; expected at least one of each"
        ):
            rerank(some, others)
    with pytest.raises(ArrayError, match=r"shape \(115, 3\); expected \(115, 115\)"):
        rerank(queries, gallery, lambda some, others: np.zeros((len(some), 3)))
    with pytest.raises(ArrayError, match="a distance is NaN or infinite"):
        rerank(queries, gallery, lambda some, others: np.full((len(some), len(others)), np.nan))
