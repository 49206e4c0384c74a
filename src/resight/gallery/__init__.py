"""A gallery of sightings on disk: enrol, search, label, delete for good. `Gallery` is the door to all of it."""

from resight.gallery.crops import Crop, crops_of, find_crops
from resight.gallery.enrol import Enrolment
from resight.gallery.gallery import Gallery
from resight.gallery.matches import Match, Matches, fuse
from resight.gallery.reembed import Reembedding, reembed
from resight.gallery.settings import Settings, parse_retention
from resight.gallery.sighting import EVERYTHING, Record, Sighting, Where, parse_time, sighting_id
from resight.gallery.statistics import Statistics
from resight.gallery.store.interface import Camera, Removal, Store
from resight.gallery.store.snapshot import Snapshot

__all__ = [
    "EVERYTHING",
    "Camera",
    "Crop",
    "Enrolment",
    "Gallery",
    "Match",
    "Matches",
    "Record",
    "Reembedding",
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
    "reembed",
    "sighting_id",
]
