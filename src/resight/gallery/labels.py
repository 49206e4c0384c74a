"""Names that come later: sightings of a gallery get or change their identity, by id, by tracklet, by table."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from resight.datasets.names import nfc
from resight.datasets.tables import Table, read_table
from resight.errors import ConfigurationError, DatasetError, MissingSightingError
from resight.gallery.sighting import EVERYTHING, Record, Where

__all__ = ["PROVISIONAL", "called", "chosen", "label", "label_by_table", "label_known"]

PROVISIONAL = re.compile(r"person-([1-9][0-9]{0,17})|(.+)\?", re.DOTALL)
"""Names that nobody gave, such as ``person-12``, and ``anna?`` for somebody who looks like anna."""


class Sightings(Protocol):
    """A gallery or its store, as far as it is needed here."""

    def records(self, where: Where = EVERYTHING) -> list[Record]:
        """Return the records of sightings."""

    def label(self, ids: Iterable[str], identity: str, was: Mapping[str, str] | None = None) -> int:
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


def chosen(
    store: Sightings, ids: frozenset[str] = frozenset(), tracklets: frozenset[str] = frozenset(), where: Where = EVERYTHING
) -> list[Record]:
    """Find sightings by their ids, their tracklets, or both.

    Raises
    ------
    MissingSightingError
        If no sighting has such an id or tracklet.
    ConfigurationError
        If several cameras have a tracklet of this name.
    """
    tracklets = frozenset(map(nfc, tracklets))
    asked = ([replace(where, ids=ids)] if ids else []) + ([replace(where, tracklets=tracklets - {""})] if tracklets else [])
    found = list({record.id: record for one in asked for record in store.records(one)}.values())
    there = {record.id for record in found} | {record.tracklet for record in found}
    if missing := sorted((ids | tracklets) - there):
        raise MissingSightingError(f"no sighting has the id or tracklet {', '.join(missing[:3])}; a search shows ids")
    cameras: dict[str, set[str]] = {}
    for record in found:
        if record.tracklet in tracklets:
            cameras.setdefault(record.tracklet, set()).add(record.camera)
    for tracklet, several in sorted(cameras.items()):
        if len(several) > 1:
            names = ", ".join(camera or "unknown" for camera in sorted(several))
            raise ConfigurationError(
                f"the cameras {names} have a tracklet {tracklet!r} each; add --camera to name one, or give the ids of its sightings"
            )
    return found


def label(store: Sightings, records: Iterable[Record], identity: str, *, unless_changed: bool = False) -> int:
    """Say who is on some sightings.

    Parameters
    ----------
    store : Gallery or Store
    records : iterable of Record
    identity : str
        Empty takes the name away.
    unless_changed : bool
        Leave sightings alone that somebody has named otherwise since the records were read.

    Returns
    -------
    int
        How many sightings have this name now that had another.
    """
    identity = nfc(identity)
    changed = {record.id: record.identity for record in records if record.identity != identity}
    return store.label(changed, identity, changed if unless_changed else None) if changed else 0


def called(store: Sightings, old: str, new: str, *, merging: bool) -> dict[str, list[Record]]:
    """Find the sightings of a person who gets another name: one that nobody has, or, to merge two people, one that somebody has.

    Returns
    -------
    dict of str to list of Record
        Sightings by the name that they get: `new`, and ``new?`` for those called ``old?``, which are perhaps of the same person.

    Raises
    ------
    ConfigurationError
        If nobody is called `old`, `new` is empty, or somebody (when merging: nobody) is called `new`.
    """
    old, new = nfc(old), nfc(new)
    if not new:
        raise ConfigurationError("the new name is empty; to take a name away, label the sightings with an empty one")
    found = store.records(Where(identities=frozenset({old})))
    if not found:
        raise ConfigurationError(f"nobody is called {old!r} in this gallery")
    taken = old == new or bool(store.records(Where(identities=frozenset({new}))))
    if taken and not merging:
        raise ConfigurationError(f"somebody is called {new!r} already; to make the two one person, merge them")
    if merging and (not taken or old == new):
        raise ConfigurationError(f"nobody else is called {new!r} in this gallery; to give a new name, rename {old!r}")
    named = {new: found}
    if perhaps := store.records(Where(identities=frozenset({f"{old}?"}))):
        name = new if PROVISIONAL.fullmatch(new) else f"{new}?"
        named[name] = [*named.get(name, ()), *perhaps]
    return named


def label_by_table(store: Sightings, path: Path) -> tuple[int, int, Table]:
    """Name sightings by a table with the column identity: a row names the sightings whose file, or tracklet, it gives.

    A row with a tracklet names the whole tracklet; with a camera, too, only that camera's. Files are compared as enrolling wrote
    them down.

    Returns
    -------
    tuple of (int, int, Table)
        How many sightings have another name now, how many rows name none, and the table with its accounting.

    Raises
    ------
    DatasetError
        If the table cannot be read, has no column identity, or names no sighting of this gallery.
    """
    table = read_table(path)
    if "identity" not in table.columns:
        raise DatasetError(f"{path}: no column identity; expected path, identity and perhaps tracklet")
    by_source = {os.path.abspath(row.path): row.identity for row in table.rows if row.identity}
    by_tracklet = {(row.camera, row.tracklet): row.identity for row in table.rows if row.identity and row.tracklet}
    records = store.records()
    names = {
        record.id: by_source.get(os.path.abspath(record.source))
        or by_tracklet.get((record.camera, record.tracklet))
        or by_tracklet.get(("", record.tracklet), "")
        for record in records
    }
    if not any(names.values()):
        raise DatasetError(
            f"{path}: none of its {len(table.rows)} rows is a file or tracklet of this gallery; add the crops by it instead"
        )
    sources = {os.path.abspath(record.source) for record in records}
    tracklets = {(camera, record.tracklet) for record in records for camera in (record.camera, "")}
    nowhere = sum(os.path.abspath(row.path) not in sources and (row.camera, row.tracklet) not in tracklets for row in table.rows)
    return label_known(store, names), nowhere, table
