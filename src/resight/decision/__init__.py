"""Turn distances into an answer: match, possible or unknown."""

from resight.decision.calibrate import calibrate
from resight.decision.calibration import Calibration
from resight.decision.decide import decide

__all__ = ["Calibration", "calibrate", "decide"]
