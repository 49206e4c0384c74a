"""Motion of boxes: a Kalman filter of constant velocity, for all tracks at once.

The four numbers of a box (middle x and y, width, height) are filtered on their own, so that each is a filter of two numbers,
position and velocity, in closed form. All noise is in parts of the box's height, and all rates are a second's: parameters hold
for every size of image and every frame rate.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["Motion"]

Floats = NDArray[np.float64]

_MEASURED = np.array([0.04, 0.05, 0.06, 0.08])  # deviation of a detector's box: x, y, width, height
_SPEED = np.array([1.0, 0.4, 0.15, 0.3])  # deviation of the velocity of somebody new, a second
_CHANGE = np.array([0.9, 0.35, 0.15, 0.25])  # by how much the velocity wanders in a second
_FADE = 1.0  # seconds in which the velocity of somebody unseen falls to a third


class Motion:
    """Boxes with velocity and variance, a row a track.

    Attributes
    ----------
    position, velocity : float64 arrays of shape (n, 4)
        Middle x, middle y, width, height in pixels, and their change in a second.
    """

    def __init__(self) -> None:
        self.position, self.velocity = np.empty((0, 4)), np.empty((0, 4))
        self._of_position, self._shared, self._of_velocity = (np.empty((0, 4)) for _ in range(3))

    def __len__(self) -> int:
        return len(self.position)

    def add(self, xyxy: NDArray[np.floating]) -> None:
        """Begin with boxes (m, 4), at a velocity of 0."""
        position = _middle(xyxy)
        height = position[:, 3:]
        self.position = np.concatenate([self.position, position])
        self.velocity = np.concatenate([self.velocity, np.zeros_like(position)])
        self._of_position = np.concatenate([self._of_position, (height * _MEASURED) ** 2])
        self._shared = np.concatenate([self._shared, np.zeros_like(position)])
        self._of_velocity = np.concatenate([self._of_velocity, (height * _SPEED) ** 2])

    def keep(self, rows: NDArray[np.bool_]) -> None:
        """Forget all tracks but those of a mask."""
        for name in ("position", "velocity", "_of_position", "_shared", "_of_velocity"):
            setattr(self, name, getattr(self, name)[rows])

    def predict(self, seconds: float, unseen: NDArray[np.bool_]) -> None:
        """Predict the boxes at a later time. People out of sight slow down and keep their size."""
        if seconds <= 0 or not len(self):
            return
        noise = (self.position[:, 3:] * _CHANGE) ** 2
        self.velocity[unseen] *= np.exp(-seconds / _FADE)
        self.velocity[unseen, 2:] = 0
        self.position = self.position + seconds * self.velocity
        self.position[:, 2:] = np.maximum(self.position[:, 2:], 1)
        self._of_position += 2 * seconds * self._shared + seconds**2 * self._of_velocity + noise * seconds**3 / 3
        self._shared += seconds * self._of_velocity + noise * seconds**2 / 2
        self._of_velocity += noise * seconds

    def correct(self, rows: NDArray[np.int64], xyxy: NDArray[np.floating], confidence: NDArray[np.floating]) -> None:
        """Update rows by boxes (m, 4), one each; a box of low confidence counts less."""
        measured = _middle(xyxy)
        noise = (self.position[rows, 3:] * _MEASURED) ** 2 * (1 + 3 * (1 - confidence[:, None].astype(np.float64)) ** 2)
        variance = self._of_position[rows] + noise
        gain, turn = self._of_position[rows] / variance, self._shared[rows] / variance
        off = measured - self.position[rows]
        self.position[rows] += gain * off
        self.velocity[rows] += turn * off
        self._of_velocity[rows] -= turn * self._shared[rows]
        self._shared[rows] *= 1 - gain
        self._of_position[rows] *= 1 - gain

    def boxes(self) -> NDArray[np.float64]:
        """Boxes xyxy (n, 4) as they are now."""
        half = self.position[:, 2:] / 2
        return np.concatenate([self.position[:, :2] - half, self.position[:, :2] + half], axis=1)


def _middle(xyxy: NDArray[np.floating]) -> Floats:
    boxes = np.asarray(xyxy, np.float64)
    return np.concatenate([(boxes[:, :2] + boxes[:, 2:]) / 2, np.maximum(boxes[:, 2:] - boxes[:, :2], 1)], axis=1)
