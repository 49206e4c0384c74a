"""Video to people: sources of frames, detectors, tracking, tracklets."""

from resight.cameras.detections import Detections
from resight.cameras.detectors import Detector, detector_of, load_detector
from resight.cameras.events import Event
from resight.cameras.frames import Frame
from resight.cameras.sources import Source, open_source
from resight.cameras.tracklets import Tracklet
from resight.cameras.watching import Watch

__all__ = [
    "Detections",
    "Detector",
    "Event",
    "Frame",
    "Source",
    "Tracklet",
    "Watch",
    "detector_of",
    "load_detector",
    "open_source",
]
