"""Who walks past which drawn camera, and when. Nothing is drawn here; see `resight.drawn.video`.

The cameras stand in a ring. Somebody who leaves the view of one appears at a neighbour after the time that the way takes.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import atan2, pi

import numpy as np

__all__ = ["Pass", "Spot", "plan_passes"]

_SPEED = 0.75  # heights a second
_MARGIN = 0.25  # people begin and end outside of the view, by this part of its width
_FAR, _NEAR = 0.63, 0.97  # where people can stand, as parts of the image's height
_SHORT, _TALL = 0.3, 0.48  # their height there


@dataclass(frozen=True, kw_only=True)
class Spot:
    """Place of somebody at one moment: feet in pixels, height in pixels, the side that shows, the place in the stride."""

    foot: tuple[float, float]
    height: float
    view: float
    phase: float


@dataclass(frozen=True, kw_only=True)
class Pass:
    """One way past one camera.

    Attributes
    ----------
    person, camera : int
        Counted from 1 and from 0.
    start, end : float
        Seconds at which the person is outside of the view, before and after.
    rightwards : bool
    depths : tuple of two float
        How near the person is at the left and at the right edge: 0 is far, 1 near.
    rest : tuple of two float
        Share of the way after which the person stands still, and for how many seconds.
    """

    person: int
    camera: int
    start: float
    end: float
    rightwards: bool
    depths: tuple[float, float]
    rest: tuple[float, float]

    def at(self, seconds: float, size: tuple[int, int]) -> Spot | None:
        """Place of the person in an image of height x width; None if not on the way."""
        if not self.start <= seconds <= self.end:
            return None
        height, width = size
        share, pause = self.rest
        walking = self.end - self.start - pause
        gone = seconds - self.start
        done = min(gone, share * walking) + max(gone - share * walking - pause, 0)
        part = done / walking
        x = part if self.rightwards else 1 - part
        depth = self.depths[0] + x * (self.depths[1] - self.depths[0])
        sideways = 1 if self.rightwards else -1
        return Spot(
            foot=(width * (x * (1 + 2 * _MARGIN) - _MARGIN), height * (_FAR + depth * (_NEAR - _FAR))),
            height=height * (_SHORT + depth * (_TALL - _SHORT)),
            view=atan2(sideways, 2.5 * sideways * (self.depths[1] - self.depths[0])),
            phase=2 * pi * done * _SPEED / 0.8,
        )


def plan_passes(*, people: int, cameras: int, seconds: float, size: tuple[int, int], seed: int) -> list[Pass]:
    """Plan the walks of everybody.

    Parameters
    ----------
    people, cameras : int
    seconds : float
        Length of the films.
    size : tuple of (height, width)
        Size of the images.
    seed : int

    Returns
    -------
    list of Pass
        By person and time. Nobody is in two views at once.
    """
    rng = np.random.default_rng([seed, 10])
    ways = rng.uniform(2, 6, cameras)  # seconds from each camera to the next
    slopes = rng.uniform(0.2, 0.8, cameras) * rng.choice([-1, 1], cameras)
    passes = []
    for person in range(1, people + 1):
        rng = np.random.default_rng([seed, 11, person])
        time = float(rng.uniform(-4, 0.8 * seconds))
        camera, turn = int(rng.integers(cameras)), int(rng.choice([-1, 1]))
        pace = float(rng.uniform(0.8, 1.25))
        for _ in range(int(rng.integers(1, cameras + 1))):
            middle = float(np.clip(0.5 + rng.normal(0, 0.25), 0.1, 0.9))
            lean = 0.5 * slopes[camera]
            depths = (float(np.clip(middle - lean, 0, 1)), float(np.clip(middle + lean, 0, 1)))
            tall = (_SHORT + middle * (_TALL - _SHORT)) * size[0]
            rest = (float(rng.uniform(0.3, 0.7)), float(rng.uniform(1, 3)) if rng.random() < 0.2 else 0.0)
            end = time + (1 + 2 * _MARGIN) * size[1] / (_SPEED * pace * tall) + rest[1]
            passes.append(Pass(person=person, camera=camera, start=time, end=end, rightwards=turn > 0, depths=depths, rest=rest))
            if rng.random() < 0.15:  # turns around and comes back past the same camera
                turn = -turn
                time = end + float(rng.uniform(1, 3))
            else:
                way = ways[camera if turn > 0 else camera - 1]
                time = end + float(way * rng.uniform(0.85, 1.15))
                camera = (camera + turn) % cameras
            if time > seconds:
                break
    return [way for way in passes if way.start < seconds and way.end > 0]
