"""Names that come later: sightings of a gallery get or change their identity, by id, by tracklet, by table."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol

from resight.datasets.names import nfc
from resight.datasets.tables import Table, read_table
from resight.errors import DatasetError, GalleryError
from resight.gallery.sighting import EVERYTHING, Record, Where

__all__ = ["label", "label_by_table", "label_known", "rename"]


class Sightings(Protocol):
    """A gallery or its store, as far as it is needed here."""

    def records(self, where: Where = EVERYTHING) -> list[Record]:
        """What is known of sightings."""

    def label(self, ids: Iterable[str], identity: str) -> int:
        """Say whose image some are."""


def label_known(store: Sightings, names: Mapping[str, str]) -> int:
    """Give sightings the names that were found for them; an empty name changes nothing.

    Parameters
    ----------
    store : Gallery or Store
    names : mapping of str to str
        Identity by the id of a sighting.

    Returns
    -------
    int
        How many sightings have another name now.
    """
    wanted = {id: nfc(name) for id, name in names.items() if nfc(name)}
    records = store.records(Where(ids=frozenset(wanted))) if wanted else []
    changed: dict[str, list[str]] = {}
    for record in records:
        if record.identity != wanted[record.id]:
            changed.setdefault(wanted[record.id], []).append(record.id)
    return sum(store.label(ids, name) for name, ids in changed.items())


def label(store: Sightings, identity: str, *, ids: frozenset[str] = frozenset(), tracklets: frozenset[str] = frozenset()) -> int:
    """Say who is on some sightings, by their ids, their tracklets, or both.

    Parameters
    ----------
    store : Gallery or Store
    identity : str
        Empty takes the name away.
    ids, tracklets : set of str

    Returns
    -------
    int
        How many sightings have this name now that had another.

    Raises
    ------
    GalleryError
        If no sighting has such an id or tracklet.
    """
    tracklets = frozenset(map(nfc, tracklets))
    found = [record for record in store.records() if record.id in ids or (record.tracklet and record.tracklet in tracklets)]
    there = {record.id for record in found} | {record.tracklet for record in found}
    if missing := sorted((ids | tracklets) - there):
        raise GalleryError(f"no sighting has the id or tracklet {', '.join(missing[:3])}; `resight gallery search` shows ids")
    identity = nfc(identity)
    changed = [record.id for record in found if record.identity != identity]
    return store.label(changed, identity) if changed else 0


def rename(store: Sightings, old: str, new: str) -> int:
    """Call a person by another name; if somebody has that name already, the two become one person.

    Returns
    -------
    int
        How many sightings have another name now.

    Raises
    ------
    GalleryError
        If nobody is called `old`, or `new` is empty.
    """
    old, new = nfc(old), nfc(new)
    if not new:
        raise GalleryError("the new name is empty; `resight gallery label --identity ''` takes a name away")
    found = [record.id for record in store.records(Where(identities=frozenset({old})))]
    if not found:
        raise GalleryError(f"nobody is called {old!r} in this gallery; `resight gallery stats` says who is there")
    return store.label(found, new) if old != new else 0


def label_by_table(store: Sightings, path: Path) -> tuple[int, Table]:
    """Name sightings by a table with the column identity: a row names the sightings whose file, or tracklet, it gives.

    A row with a tracklet names the whole tracklet. Files are compared as enrolling wrote them down.

    Returns
    -------
    tuple of (int, Table)
        How many sightings have another name now, and the table with its accounting.

    Raises
    ------
    DatasetError
        If the table cannot be read, has no column identity, or names no sighting of this gallery.
    """
    table = read_table(path)
    if "identity" not in table.columns:
        raise DatasetError(f"{path}: no column identity; expected path, identity and perhaps tracklet")
    by_source = {os.path.abspath(row.path): row.identity for row in table.rows if row.identity}
    by_tracklet = {row.tracklet: row.identity for row in table.rows if row.identity and row.tracklet}
    records = store.records()
    names = {record.id: by_source.get(os.path.abspath(record.source)) or by_tracklet.get(record.tracklet, "") for record in records}
    if not any(names.values()):
        raise DatasetError(
            f"{path}: none of its {len(table.rows)} rows is a file or tracklet of this gallery; add the crops by it instead"
        )
    return label_known(store, names), table
