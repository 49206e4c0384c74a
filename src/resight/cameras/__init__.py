"""Video to people: sources of frames, detectors, tracking, tracklets."""

from resight.cameras.detections import Detections
from resight.cameras.frames import Frame

__all__ = ["Detections", "Frame"]
