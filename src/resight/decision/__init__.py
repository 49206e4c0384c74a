"""Turn distances into an answer: match, possible or unknown."""

from resight.decision.calibration import Calibration, calibrate, decide

__all__ = ["Calibration", "calibrate", "decide"]
