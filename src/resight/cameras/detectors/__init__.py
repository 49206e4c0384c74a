"""Detectors: a file of this folder each, and a line in `DETECTORS`."""

from __future__ import annotations

import importlib
from typing import Any

from resight.cameras.detectors.detector import CallableDetector, Detector
from resight.configuration import nearest_name
from resight.errors import ConfigurationError

__all__ = ["DETECTORS", "CallableDetector", "Detector", "detector_of", "load_detector"]

DETECTORS = {
    "motion": "MotionDetector",
    "yolox": "YoloxDetector",
    "omz": "OmzDetector",
    "boxes": "BoxesDetector",
}
"""Detectors by name. The detector NAME is a class of `resight.cameras.detectors.NAME`, which is imported when it is named.

The class is called with the text behind the colon, and with `threshold` and `threads`.
"""


def load_detector(reference: str = "motion", *, threshold: float = 0.1, threads: int = 0) -> Detector:
    """Load the detector that a user names.

    Parameters
    ----------
    reference : str
        NAME or NAME:FILE, with a key of `DETECTORS`; for example ``motion``, ``yolox:nano``, ``boxes:det.txt``, or
        ``omz:person-detection-retail-0013.xml``.
    threshold : float
        Smallest confidence of a detection. Trackers also use uncertain ones.
    threads : int
        Threads of a network; 0 is one for each usable core.

    Raises
    ------
    ConfigurationError
        If the name is unknown, or the threshold is not between 0 and 1.
    WeightsError
        If a file is not what its detector needs.
    """
    name, _, file = reference.partition(":")
    if name not in DETECTORS:
        raise ConfigurationError(
            f"detector {reference!r} is unknown{nearest_name(name, DETECTORS)}; expected {', '.join(DETECTORS)}"
        )
    if not 0 <= threshold <= 1:
        raise ConfigurationError(f"a confidence of at least {threshold:g}; expected 0 to 1")
    module = importlib.import_module(f"{__name__}.{name}")
    made: Detector = getattr(module, DETECTORS[name])(file, threshold=threshold, threads=threads)
    return made


def detector_of(given: Any) -> Detector:
    """Take a detector, the name of one, or a function from pixels to an object with `xyxy` and `confidence`."""
    if isinstance(given, Detector):
        return given
    if isinstance(given, str):
        return load_detector(given)
    if callable(given):
        return CallableDetector(given)
    raise ConfigurationError(f"got a {type(given).__name__} as detector; expected a name, a Detector, or a function")
