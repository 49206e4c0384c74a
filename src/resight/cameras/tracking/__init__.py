"""People on frames become tracks: motion and appearance, one frame after the other."""

from resight.cameras.tracking.parameters import Parameters
from resight.cameras.tracking.report import complete_tracks
from resight.cameras.tracking.tracker import Tracker, Tracks

__all__ = ["Parameters", "Tracker", "Tracks", "complete_tracks"]
