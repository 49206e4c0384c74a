"""Frames: one picture of one camera at one time."""

from __future__ import annotations

import math
from dataclasses import dataclass

from resight.errors import ArrayError
from resight.images import Pixels, pixels_of

__all__ = ["Frame"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Frame:
    """One picture of a camera.

    Attributes
    ----------
    pixels : uint8 array of shape (height, width, 3)
        RGB, upright.
    time : float
        Seconds since 1970, or since the beginning of the stream if nobody knows when that was. Never falls within a camera.
    index : int
        Place in the camera's stream, counted from 0. A dropped frame leaves a gap.
    camera : str
        Name of the camera.

    Raises
    ------
    ArrayError
        If the pixels are not uint8 RGB, or the time is not finite.
    """

    pixels: Pixels
    time: float
    index: int
    camera: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "pixels", pixels_of(self.pixels))
        if not math.isfinite(self.time):
            raise ArrayError(f"frame {self.index} of camera {self.camera!r} has the time {self.time}; expected finite seconds")

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        height, width = self.pixels.shape[:2]
        return height, width
