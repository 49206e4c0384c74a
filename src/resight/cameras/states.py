"""State of a camera that is watched, for whoever wants to know whether it works."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["CameraState", "Condition"]

Condition = Literal["starting", "running", "reconnecting", "ended", "failed"]


@dataclass(frozen=True, kw_only=True)
class CameraState:
    """State of a camera at one moment.

    Attributes
    ----------
    camera, source : str
        Its name, and its address without user, password and keys.
    state : str
        ``"starting"`` before the first frame, ``"running"``, ``"reconnecting"``, ``"ended"``, or ``"failed"``.
    reason : str
        Reason why it is reconnecting or failed; otherwise empty.
    frames, broken, dropped, reconnected : int
        See `resight.cameras.sources.Counts`.
    tracklets : int
        Number of tracklets so far.
    in_view : int
        Number of people on the last frame.
    last : float or None
        Time of the last frame, in seconds since 1970; None before it, or if the camera has no dates.
    """

    camera: str
    source: str
    state: Condition
    reason: str = ""
    frames: int = 0
    broken: int = 0
    dropped: int = 0
    reconnected: int = 0
    tracklets: int = 0
    in_view: int = 0
    last: float | None = None
