"""Turn distances into an answer: match, possible or unknown."""

from resight.decision.calibrate import calibrate
from resight.decision.calibration import Calibration
from resight.decision.decide import decide
from resight.decision.unlabelled import calibrate_unlabelled

__all__ = ["Calibration", "calibrate", "calibrate_unlabelled", "decide"]
