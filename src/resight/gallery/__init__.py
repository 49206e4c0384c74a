"""Vectors and what is known of them, kept beyond the process: enrol, search, delete for good.

`Gallery` is the door to all of it.
"""

from resight.gallery.calibration import Calibration, calibrate, decide
from resight.gallery.crops import Crop, crops_of, find_crops
from resight.gallery.enrol import Enrolment
from resight.gallery.gallery import Gallery, Match, fuse
from resight.gallery.index import Camera, Removal, VectorIndex
from resight.gallery.settings import Settings, parse_retention
from resight.gallery.sighting import EVERYTHING, Record, Sighting, Where, parse_time, sighting_id
from resight.gallery.snapshot import Snapshot
from resight.gallery.statistics import Statistics

__all__ = [
    "EVERYTHING",
    "Calibration",
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
    "VectorIndex",
    "Where",
    "calibrate",
    "crops_of",
    "decide",
    "find_crops",
    "fuse",
    "parse_retention",
    "parse_time",
    "sighting_id",
]
