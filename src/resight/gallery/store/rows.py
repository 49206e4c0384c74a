"""Records as rows of a table, and checksums, the same in every back end."""

from __future__ import annotations

import zlib

from resight.datasets.names import camera_name, nfc
from resight.gallery.sighting import Record, from_microseconds, to_microseconds

__all__ = ["COLUMNS", "Row", "blob_crc", "record_of", "row_crc", "row_of"]

COLUMNS = "id, camera, time, enrolled, source, tracklet, identity"
"""Columns of `Row`; times are in microseconds (see `resight.gallery.sighting.to_microseconds`)."""

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


def row_crc(row: Row) -> int:
    """Compute the checksum (CRC-32) of a row. It detects faults of disks, not changes by people."""
    return zlib.crc32(repr(row).encode("utf-8", "replace"))


def blob_crc(id: str, content: bytes) -> int:
    """Compute the checksum of a vector or thumbnail together with its sighting's id."""
    return zlib.crc32(content, zlib.crc32(id.encode()))
