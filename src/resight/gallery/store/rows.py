"""Records as rows of a table, and checksums, the same in every back end."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

from resight.datasets.names import camera_name, nfc
from resight.gallery.sighting import Record, from_microseconds, to_microseconds

__all__ = ["COLUMNS", "KEY", "LATE", "Row", "add_up", "blob_crc", "record_of", "row_crc", "row_of"]

COLUMNS = "id, camera, time, enrolled, source, tracklet, identity"
"""Columns of `Row`; times are in microseconds (see `resight.gallery.sighting.to_microseconds`)."""

LATE = 2**63 - 1
"""Time that sorts sightings without one behind all others."""

KEY = f"coalesce(time, {LATE})"
"""Time by which a list is sorted, in SQL."""

Row = tuple[str, str, int | None, int, str, str, str]


def row_of(record: Record) -> Row:
    """Convert a record to a row, its names in NFC."""
    time = None if record.time is None else to_microseconds(record.time)
    enrolled = to_microseconds(record.enrolled)
    return record.id, camera_name(record.camera), time, enrolled, record.source, record.tracklet, nfc(record.identity)


def record_of(row: Row) -> Record:
    """Convert a row to a record."""
    id, camera, time, enrolled, source, tracklet, identity = row
    return Record(
        id=id,
        camera=camera,
        time=None if time is None else from_microseconds(time),
        enrolled=from_microseconds(enrolled),
        source=source,
        tracklet=tracklet,
        identity=identity,
    )


def add_up(tally: Iterable[tuple[str, str, int]], cameras: frozenset[str] | None) -> tuple[dict[str, int], int, int]:
    """Add up counts by camera and identity, of some or all cameras.

    Returns
    -------
    dict of str to int
        Sightings by camera, sorted.
    int
        Number of people.
    int
        Sightings without an identity.
    """
    rows = [row for row in tally if cameras is None or row[0] in cameras]
    counts = dict.fromkeys(sorted({camera for camera, _, _ in rows}), 0)
    for camera, _, count in rows:
        counts[camera] += count
    return counts, len({identity for _, identity, _ in rows} - {""}), sum(count for _, identity, count in rows if identity == "")


def row_crc(row: Row) -> int:
    """Compute the checksum (CRC-32) of a row. It detects faults of disks, not changes by people."""
    return zlib.crc32(repr(row).encode("utf-8", "replace"))


def blob_crc(id: str, content: bytes) -> int:
    """Compute the checksum of a vector or thumbnail together with its sighting's id."""
    return zlib.crc32(content, zlib.crc32(id.encode()))
