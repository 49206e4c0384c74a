"""Splits: nothing leaks, nothing is lost, and the seed decides."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resight.datasets import Records
from resight.datasets.splits import by_identity, by_image, class_labels, query_rows, random_halves
from resight.errors import DatasetError


def records_of(pairs: list[tuple[int, int]]) -> Records:
    return Records.from_rows((f"{row}.jpg", identity, camera) for row, (identity, camera) in enumerate(pairs))


def network(people: int = 20, cameras: int = 3, images: int = 4) -> Records:
    return records_of([(p, c) for p in range(1, people + 1) for c in range(1, cameras + 1) for _ in range(images)])


rows = st.lists(st.tuples(st.integers(-1, 5), st.integers(1, 4)), max_size=40)


@settings(deadline=None)
@given(rows, st.integers(0, 5))
def test_every_query_keeps_a_match_by_another_camera(pairs: list[tuple[int, int]], seed: int) -> None:
    records = records_of(pairs)
    asks = query_rows(records, seed=seed)
    query, gallery = records.select(asks), records.select(~asks)
    asked = list(zip(query.identities.tolist(), query.cameras.tolist(), strict=True))
    assert max(Counter(asked).values(), default=1) == 1  # one image of each person by each camera
    answers = set(zip(gallery.identities.tolist(), gallery.cameras.tolist(), strict=True))
    for identity, camera in asked:
        assert identity > 0
        assert any(who == identity and where != camera for who, where in answers)
    for person in records.people():  # and everybody who can ask, does
        if len(set(records.cameras[records.identities == person].tolist())) > 1:
            assert person in query.identities


def test_with_two_images_by_each_camera_each_camera_asks() -> None:
    records = network(people=5, cameras=4, images=2)
    asks = query_rows(records)
    assert asks.sum() == 5 * 4


def test_by_identity_holds_out_people() -> None:
    records = network()
    split = by_identity(records, fraction=0.25, seed=3)
    held_out = set(split.query.people().tolist())
    assert len(held_out) == 5 and set(split.gallery.people().tolist()) == held_out
    assert set(split.train.people().tolist()) == set(range(1, 21)) - held_out
    assert sorted(split.train.paths + split.query.paths + split.gallery.paths) == sorted(records.paths)
    assert len(split.query) == 5 * 3 and len(split.gallery) == 5 * 9


def test_by_identity_sends_junk_and_distractors_to_the_gallery() -> None:
    records = Records.concatenate([network(), records_of([(-1, 1), (0, 2)])])
    split = by_identity(records)
    assert sorted(set(split.gallery.identities.tolist()))[:2] == [-1, 0]
    assert split.train.identities.min() > 0 and split.query.identities.min() > 0


def test_by_identity_follows_its_seed() -> None:
    records = network()
    first, again, other = (by_identity(records, seed=seed) for seed in (0, 0, 1))
    assert first.query.paths == again.query.paths
    assert first.query.paths != other.query.paths


@pytest.mark.parametrize("fraction", [0.001, 0.999])
def test_by_identity_leaves_somebody_on_either_side(fraction: float) -> None:
    split = by_identity(network(people=3), fraction=fraction)
    assert len(split.train.people()) >= 1 and len(split.query.people()) >= 1


def test_by_identity_holds_out_nobody_who_cannot_ask() -> None:
    records = Records.concatenate([network(people=2), records_of([(person, 1) for person in range(10, 40)])])
    for seed in range(5):
        assert set(by_identity(records, seed=seed).query.people().tolist()) <= {1, 2}


def test_with_one_camera_an_image_is_left_out_for_itself_alone() -> None:
    split = by_identity(network(people=10, cameras=1), fraction=0.3)
    assert split.query.identities.tolist() == split.gallery.people().tolist() and len(split.query) == 3
    assert len(split.gallery) == 3 * 3 and not set(split.query.cameras.tolist()) & set(split.gallery.cameras.tolist())
    assert not set(split.query.paths) & set(split.gallery.paths)


def test_by_identity_refuses_what_it_cannot_do() -> None:
    with pytest.raises(DatasetError, match="of 1, 1 of them seen by two cameras"):
        by_identity(network(people=1))
    with pytest.raises(DatasetError, match="of 5, 0 of them"):
        by_identity(records_of([(person, 1 + person % 2) for person in range(1, 6)]))
    with pytest.raises(DatasetError, match=r"fraction of 1\.5"):
        by_identity(network(), fraction=1.5)
    with pytest.raises(DatasetError, match="of 0, 0 of them"):
        by_identity(records_of([]))


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 6), st.integers(1, 3)), min_size=1, max_size=40), st.data())
def test_by_image_takes_exactly_as_many_and_keeps_everybody(pairs: list[tuple[int, int]], data: st.DataObject) -> None:
    records = records_of(pairs)
    spare = len(records) - len(records.people())
    count = data.draw(st.integers(0, spare))
    train, held_out = by_image(records, count, seed=data.draw(st.integers(0, 3)))
    assert len(held_out) == count
    assert sorted(train.paths + held_out.paths) == sorted(records.paths)
    assert train.people().tolist() == records.people().tolist()
    for wrong in (-1, spare + 1):
        with pytest.raises(DatasetError, match=f"0 to {spare} leave each identity"):
            by_image(records, wrong)


def test_by_image_follows_its_seed() -> None:
    records = network()
    assert by_image(records, 30, seed=0)[1].paths == by_image(records, 30, seed=0)[1].paths
    assert by_image(records, 30, seed=0)[1].paths != by_image(records, 30, seed=1)[1].paths


def test_labels_are_contiguous_and_sorted_by_identity() -> None:
    labels, identities = class_labels(records_of([(9, 1), (4, 1), (1501, 2), (4, 2)]))
    assert labels.tolist() == [1, 0, 2, 0] and identities.tolist() == [4, 9, 1501]
    assert labels.dtype == identities.dtype == np.int64


def test_labels_are_for_people() -> None:
    with pytest.raises(DatasetError, match="2 of 3 training images are junk or distractors"):
        class_labels(records_of([(-1, 1), (0, 1), (4, 2)]))


def test_halves() -> None:
    people = np.array([3, 5, 8, 13, 21])
    for train, test in random_halves(people, count=4, seed=7):
        assert (len(train), len(test)) == (2, 3)
        assert sorted([*train.tolist(), *test.tolist()]) == people.tolist()
    longer = random_halves(people, count=9, seed=7)
    assert [t.tolist() for t, _ in longer[:4]] == [t.tolist() for t, _ in random_halves(people, count=4, seed=7)]
    with pytest.raises(DatasetError, match="at least two"):
        random_halves(people[:1])
