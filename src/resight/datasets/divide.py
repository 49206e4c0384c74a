"""Dividing what nobody has divided: half of the people train, one image of each of the others by each camera asks."""

from __future__ import annotations

import hashlib

import numpy as np

from resight.datasets.records import DISTRACTOR, UNKNOWN, Records, Split
from resight.datasets.splits import EASIER, alone, ask
from resight.errors import DatasetError

__all__ = ["divide", "given_split"]


def divide(records: Records, *, seed: int = 0) -> tuple[Split, list[str]]:
    """Halve the people by a hash of their names, so that a newcomer moves few others; the test half asks as `ask` says.

    Parameters
    ----------
    records : Records
        Images of people; junk and distractors go to the gallery.
    seed : int
        Seed of the halves, and of the images that ask.

    Returns
    -------
    tuple of (Split, list of str)
        The division, and what a user should know of it.

    Raises
    ------
    DatasetError
        If no query can have a match, or the people cannot be halved.
    """
    people = dict(zip(records.identities.tolist(), records.identity_names(), strict=True))
    people = {code: name for code, name in people.items() if code > DISTRACTOR}
    one_camera = len(np.unique(records.cameras)) <= 1
    # With one camera each image is a view of its own.
    pairs = np.stack([records.identities, np.arange(len(records)) if one_camera else records.cameras])
    who, counts = np.unique(np.unique(pairs, axis=1)[0], return_counts=True)
    views = {code: int(count) for code, count in zip(who.tolist(), counts.tolist(), strict=True) if code in people}
    if not any(count > 1 for count in views.values()):
        raise DatasetError(
            f"none of the {len(people)} people "
            + ("has two images" if one_camera else "was seen by two cameras")
            + ", so no query can have a match; if names are read wrongly, say how by --name-pattern or in a table"
        )
    order = sorted(views, key=lambda code: hashlib.sha256(f"{seed}\0{people[code]}".encode(errors="surrogateescape")).digest())
    train: list[int] = []
    # Halved apart, or a small folder might leave nobody who can ask.
    for group in ([code for code in order if views[code] > 1], [code for code in order if views[code] == 1]):
        train += group[: len(group) // 2]
    if not train:
        raise DatasetError(f"{len(people)} people cannot be halved into training and test; expected two seen by two cameras")
    trains = np.isin(records.identities, train)
    split = Split(records.select(trains), *ask(records.select(~trains), seed=seed, one_camera=one_camera))
    notes = [EASIER] if one_camera else _of_no_camera(records)
    if cannot := sum(1 for code, count in views.items() if count == 1 and code not in train):
        seen = "have one image only" if one_camera else "were seen by one camera only"
        notes.append(f"{cannot} people of the test half {seen}: they are in the gallery and cannot ask")
    return split, notes


def given_split(train: Records, query: Records, gallery: Records) -> tuple[Split, list[str]]:
    """The division that a table or folders give; without queries, `ask` chooses them from the gallery.

    Returns
    -------
    tuple of (Split, list of str)
        The division, and what a user should know of it.

    Raises
    ------
    DatasetError
        If there is no query or no gallery.
    """
    notes = []
    one_camera = len(np.unique(np.concatenate([query.cameras, gallery.cameras]))) <= 1
    if not len(query) and len(gallery):
        query, gallery = ask(gallery)
        notes.append("no queries are given: one image of each person by each camera asks, chosen at random")
    elif one_camera:
        query = alone(query)
    notes += [EASIER] if one_camera else _of_no_camera(train, query, gallery)
    if not len(query) or not len(gallery):
        raise DatasetError(f"{len(query)} queries and {len(gallery)} gallery images; expected some of each")
    if both := np.intersect1d(train.people(), query.people()).size:
        notes.append(f"{both} people are in both train and query: scores will flatter what was trained on them")
    return Split(train, query, gallery), notes


def _of_no_camera(*parts: Records) -> list[str]:
    count = sum(int((records.cameras == UNKNOWN).sum()) for records in parts)
    return [f"{count} images are by no known camera; they count as images by one more camera"] if count else []
