"""Rows with names become records with numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from resight.datasets.names import Style, alike
from resight.datasets.records import DISTRACTOR, JUNK, UNKNOWN, Records

__all__ = ["PERSON", "Row", "alike_notes", "kinds_of", "records_of"]

PERSON = 1
_LARGEST = 2**31 - 1
_NUMBER = re.compile(r"0|[1-9][0-9]{0,9}")


@dataclass(frozen=True, slots=True)
class Row:
    """One image with what its name, folder or table says.

    Attributes
    ----------
    path : str
    identity, camera, tracklet : str
        Normalised (NFC); empty if unknown.
    time : datetime or None
        UTC.
    part : str
        ``train``, ``query`` or ``gallery``; empty if the data set is not divided.
    kind : int
        `PERSON`, `JUNK` or `DISTRACTOR`. A person of empty identity is unknown.
    """

    path: str
    identity: str = ""
    camera: str = ""
    time: datetime | None = None
    tracklet: str = ""
    part: str = ""
    kind: int = PERSON


def kinds_of(style: Style | None, identities: Sequence[str]) -> list[int]:
    """Kinds of images whose names are in a style: Market-1501, and who follows it, call junk -1, and distractors beside it 0."""
    if style is None or not style.junk or style.junk not in identities:
        return [PERSON] * len(identities)
    return [{style.junk: JUNK, "0": DISTRACTOR}.get(identity, PERSON) for identity in identities]


def records_of(rows: Iterable[Row]) -> Records:
    """Records of some rows, in their order.

    Names that are whole numbers keep their number if all are; otherwise people, and cameras, are numbered from 1 in the sorted
    order of their names. A person called 0 gets another number, because 0 means distractor. An unknown person is junk.
    """
    table = list(rows)
    people = _codes([row.identity for row in table if row.kind == PERSON and row.identity], reserved=(0,))
    cameras = _codes([row.camera for row in table if row.camera])
    kinds = {JUNK: JUNK, DISTRACTOR: DISTRACTOR}
    return Records(
        tuple(row.path for row in table),
        np.array([kinds.get(row.kind, people.get(row.identity, JUNK)) for row in table], np.int64),
        np.array([cameras.get(row.camera, UNKNOWN) for row in table], np.int64),
        people_called=_called(people),
        cameras_called=_called(cameras),
        times=tuple(row.time for row in table) if any(row.time for row in table) else (),
        tracklets=tuple(row.tracklet for row in table) if any(row.tracklet for row in table) else (),
        parts=tuple(row.part for row in table) if any(row.part for row in table) else (),
    )


def alike_notes(rows: Sequence[Row]) -> list[str]:
    """Warnings about identities, and cameras, that may be the same number written in several ways."""
    notes = []
    for what, names in (("identities", {row.identity for row in rows}), ("cameras", {row.camera for row in rows})):
        if groups := alike(names):
            shown = "; ".join(", ".join(repr(name) for name in group) for group in groups[:3])
            notes.append(f"{what} {shown} are different names; if they are the same, write them in one way")
    return notes


def _codes(names: Sequence[str], *, reserved: tuple[int, ...] = ()) -> dict[str, int]:
    distinct = sorted(set(names))
    if all(_NUMBER.fullmatch(name) and int(name) <= _LARGEST for name in distinct):
        codes = {name: int(name) for name in distinct}
        highest = max([*codes.values(), 0])
        return {name: highest + 1 if code in reserved else code for name, code in codes.items()}
    return {name: number for number, name in enumerate(distinct, 1)}


def _called(codes: Mapping[str, int]) -> dict[int, str]:
    return {code: name for name, code in codes.items() if name != str(code)}
