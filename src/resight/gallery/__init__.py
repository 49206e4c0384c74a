"""Vectors and what is known of them, kept beyond the process: enrol, search, delete for good.

`Gallery` is the door to all of it.
"""

from resight.gallery.crops import Crop, crops_of, find_crops
from resight.gallery.enrol import Enrolment
from resight.gallery.gallery import Gallery, Match, fuse
from resight.gallery.settings import Settings, parse_retention
from resight.gallery.sighting import EVERYTHING, Record, Sighting, Where, parse_time, sighting_id
from resight.gallery.statistics import Statistics
from resight.gallery.store.snapshot import Snapshot
from resight.gallery.store.store import Camera, Removal, Store

__all__ = [
    "EVERYTHING",
    "Camera",
    "Crop",
    "Enrolment",
    "Gallery",
    "Match",
    "Record",
    "Removal",
    "Settings",
    "Sighting",
    "Snapshot",
    "Statistics",
    "Store",
    "Where",
    "crops_of",
    "find_crops",
    "fuse",
    "parse_retention",
    "parse_time",
    "sighting_id",
]
