"""Dividing records: what is held out to choose by, which images ask and which answer, random halves of the people."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from resight.datasets.records import ALONE, DISTRACTOR, Dataset, Records, Split
from resight.errors import DatasetError

__all__ = ["EASIER", "alone", "ask", "by_identity", "by_image", "class_labels", "query_rows", "random_halves", "same_camera"]


EASIER = (
    "all images are by one camera, or no camera is known: a query is compared with all images but itself, which is easier than the "
    "usual protocol, where images of a person by the query's own camera do not count"
)
"""Warning of `ask` if there is one camera."""


def by_identity(records: Records, *, fraction: float = 0.1, seed: int = 0) -> Split:
    """Hold out people: the default for choosing anything, because the people of a test are new ones too.

    Parameters
    ----------
    records : Records
        Training images.
    fraction : float
        Part of the people to hold out, in (0, 1); at least one is held out and one is left.
    seed : int
        Seed of the choice of people, and of their images that ask.

    Returns
    -------
    Split
        `train` holds the people that are left; `query` and `gallery` are made of the others by `query_rows`, no image in both. Junk
        and distractors among `records` go to the gallery.

    Raises
    ------
    DatasetError
        If there are fewer than two people, or if nobody was seen by two cameras although there are two.
    """
    if not 0 < fraction < 1:
        raise DatasetError(f"cannot hold out a fraction of {fraction} of the people; expected more than 0 and less than 1")
    people = records.people()
    askable = _askable(records)
    if len(people) < 2 or not len(askable):
        raise DatasetError(
            f"cannot hold out people of {len(people)}, {len(askable)} of them seen by two cameras; "
            "validation needs two people, one of them seen by two cameras"
        )
    count = min(max(round(fraction * len(people)), 1), len(people) - 1, len(askable))
    held_out = np.random.default_rng(seed).choice(askable, count, replace=False)
    rest = records.select(np.isin(records.identities, held_out) | (records.identities <= DISTRACTOR))
    train = records.select(~np.isin(records.identities, held_out) & (records.identities > DISTRACTOR))
    return Split(train, *ask(rest, seed=seed, one_camera=_one_camera(records)))


def ask(records: Records, *, seed: int = 0, one_camera: bool | None = None) -> tuple[Records, Records]:
    """Divide images into queries and gallery.

    Parameters
    ----------
    records : Records
    seed : int
        Seed of the choice of the image that asks for a person by a camera.
    one_camera : bool, optional
        True if all images are by one camera, or by none that is known; told by `records` unless given. Then one image of each
        person that has two asks, and its camera becomes `ALONE`, so that it is compared with all images but itself (see `EASIER`).
        Otherwise queries are chosen by `query_rows`.

    Returns
    -------
    tuple of (Records, Records)
        Queries and gallery, each in the order of `records`.
    """
    if not (_one_camera(records) if one_camera is None else one_camera):
        asks = query_rows(records, seed=seed)
        return records.select(asks), records.select(~asks)
    order = np.random.default_rng(seed).permutation(len(records))
    people, first, counts = np.unique(records.identities[order], return_index=True, return_counts=True)
    asks = np.zeros(len(records), bool)
    asks[order[first[(people > DISTRACTOR) & (counts > 1)]]] = True
    return alone(records.select(asks)), records.select(~asks)


def alone(query: Records) -> Records:
    """The same queries, each to be compared with all images but itself: their camera is `ALONE`, and keeps its name."""
    names = [name for name in set(query.camera_names()) if name]
    called = {**query.cameras_called, **({ALONE: names[0]} if names else {})}
    return replace(query, cameras=np.full(len(query), ALONE, np.int64), cameras_called=called)


def same_camera(dataset: Dataset) -> Dataset:
    """The same data set, whose queries are compared with images by their own camera too; see `EASIER`."""
    splits = tuple(replace(split, query=alone(split.query)) for split in dataset.splits)
    return replace(dataset, splits=splits)


def by_image(records: Records, count: int, *, seed: int = 0) -> tuple[Records, Records]:
    """Hold out images and keep every person in training, as in the baseline of Zheng et al. that the paper follows [1]_.

    Shows whether the classifier learns, not whether it knows new people: choose by `by_identity` instead.

    Parameters
    ----------
    records : Records
        Training images.
    count : int
        How many images to hold out; 1,294 of Market-1501's 12,936 in [1]_.
    seed : int
        Seed of the choice of images.

    Returns
    -------
    tuple of (Records, Records)
        Training images and the `count` images held out, both in the order of `records`.

    Raises
    ------
    DatasetError
        If some person would be left without an image.

    References
    ----------
    .. [1] L. Zheng, Y. Yang, A. G. Hauptmann, "Person Re-identification: Past, Present and Future", arXiv:1610.02984, 2016.
    """
    order = np.random.default_rng(seed).permutation(len(records))
    _, first_of_each = np.unique(records.identities[order], return_index=True)
    spare = np.delete(order, first_of_each)
    if not 0 <= count <= len(spare):
        raise DatasetError(
            f"cannot hold out {count} of {len(records)} images; 0 to {len(spare)} leave each identity an image to learn from"
        )
    held_out = np.zeros(len(records), bool)
    held_out[spare[:count]] = True
    return records.select(~held_out), records.select(held_out)


def class_labels(records: Records) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Number the people from 0, as a classifier needs them.

    Parameters
    ----------
    records : Records
        n images of people.

    Returns
    -------
    labels : int64 array of shape (n,)
        In [0, c).
    identities : int64 array of shape (c,)
        Sorted; ``identities[labels]`` are the identities of `records`.

    Raises
    ------
    DatasetError
        If there is junk or a distractor among the images: they are nobody.
    """
    strangers = int((records.identities <= DISTRACTOR).sum())
    if strangers:
        raise DatasetError(f"{strangers} of {len(records)} training images are junk or distractors; train on people only")
    identities, labels = np.unique(records.identities, return_inverse=True)
    return labels.astype(np.int64), identities


def query_rows(records: Records, *, seed: int = 0) -> NDArray[np.bool_]:
    """Choose the queries as Market-1501 does: one image of each person by each camera; the rest is the gallery.

    An image asks only if the gallery keeps an image of its person by another camera, and only if it leaves one for the images
    chosen before it. So nobody who was seen by one camera alone asks.

    Parameters
    ----------
    records : Records
        n images.
    seed : int
        Seed of the choice of a person's image by a camera.

    Returns
    -------
    bool array of shape (n,)
        True where the image is a query.
    """
    views: dict[int, dict[int, list[int]]] = {}
    for row in np.random.default_rng(seed).permutation(len(records)):
        if records.identities[row] > DISTRACTOR:
            cameras = views.setdefault(int(records.identities[row]), {})
            cameras.setdefault(int(records.cameras[row]), []).append(int(row))
    asks = np.zeros(len(records), bool)
    for cameras in views.values():
        left = {camera: len(rows) for camera, rows in cameras.items()}
        asking: list[int] = []
        for camera in sorted(left, key=lambda camera: (-len(cameras[camera]), camera)):
            left[camera] -= 1
            if all(any(n for other, n in left.items() if other != mine) for mine in (*asking, camera)):
                asking.append(camera)
                asks[cameras[camera][0]] = True
            else:
                left[camera] += 1
    return asks


def random_halves(
    people: NDArray[np.int64], *, count: int = 10, seed: int = 0
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Divide the people at random into two halves, `count` times: the protocol of VIPeR and CUHK01.

    Parameters
    ----------
    people : int64 array of shape (n,)
        Identities, each once.
    count : int
        How many divisions.
    seed : int
        Division number i depends on `seed` and i alone.

    Returns
    -------
    list of (int64 array of shape (n // 2,), int64 array of shape (n - n // 2,))
        Training half and test half, sorted.

    Raises
    ------
    DatasetError
        If there are fewer than two people.
    """
    if len(people) < 2:
        raise DatasetError(f"{len(people)} people seen by both cameras; two halves need at least two")
    shuffled = (np.random.default_rng([seed, number]).permutation(people) for number in range(count))
    return [(np.sort(order[: len(people) // 2]), np.sort(order[len(people) // 2 :])) for order in shuffled]


def _one_camera(records: Records) -> bool:
    return len(np.unique(records.cameras)) <= 1


def _askable(records: Records) -> NDArray[np.int64]:
    """The people that more than one camera saw; of one camera, those with more than one image."""
    pairs = np.stack([records.identities, records.cameras])
    views = pairs if _one_camera(records) else np.unique(pairs, axis=1)
    people, counts = np.unique(views[0], return_counts=True)
    return people[(counts > 1) & (people > DISTRACTOR)]
