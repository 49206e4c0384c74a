"""Shapes that drawn people are made of.

Lengths are parts of the figure's height: (0, 0) is the top of the head, (0, 1) between the feet, x to the right.
"""

from __future__ import annotations

from math import hypot, pi

import cv2
import numpy as np
from numpy.typing import NDArray

from resight.drawn.clothes import paint
from resight.drawn.looks import Colour, shade

__all__ = ["Brush", "Canvas", "Point"]

Canvas = NDArray[np.uint8]
Point = tuple[float, float]

_SHIFT = 3  # cv2 takes coordinates in eighths of a pixel
_GIRTH = 1.22  # boxes of detectors are wider than people; figures are drawn as much wider


def _capsule() -> NDArray[np.float64]:
    """Outline of two half circles as a (12, 6) matrix, to be multiplied by their axes (4 rows) and their centres (2 rows)."""
    angles = np.linspace(-pi / 2, pi / 2, 6)
    arc, none, one = np.stack([np.cos(angles), np.sin(angles)], 1), np.zeros((6, 1)), np.ones((6, 1))
    return np.block([[-arc, none, none, one, none], [none, none, arc, none, one]])


_CAPSULE = _capsule()


class Brush:
    """Draws shapes of one figure.

    Parameters
    ----------
    canvas : uint8 array of shape (h, w, 3)
        RGB; drawn upon. Shapes may lie outside.
    head : tuple of (x, y)
        Top of the figure's head, in pixels.
    height : float
        The figure's height, in pixels.
    light : float
        Side of the sun: -1 is left, 1 is right.
    """

    def __init__(self, canvas: Canvas, head: Point, height: float, light: float) -> None:
        self.canvas, self.light, self.height = canvas, light, height
        self.left, self.top = head

    def pixels(self, points: NDArray[np.float64]) -> NDArray[np.int32]:
        """Figure coordinates to cv2's fixed-point pixels."""
        scaled = points * (self.height * _GIRTH, self.height) + (self.left, self.top)
        return (scaled * (1 << _SHIFT)).astype(np.int32)

    def polygon(self, points: list[Point] | NDArray[np.float64], colour: Colour) -> None:
        cv2.fillPoly(self.canvas, [self.pixels(np.asarray(points))], colour, cv2.LINE_AA, _SHIFT)

    def ellipse(self, centre: Point, axes: Point, colour: Colour, start: float = 0, end: float = 360) -> None:
        x, y = self.pixels(np.array(centre)).tolist()
        scale = self.height * (1 << _SHIFT)
        size = (max(int(axes[0] * scale * _GIRTH), 1), max(int(axes[1] * scale), 1))
        cv2.ellipse(self.canvas, (x, y), size, 0, start, end, colour, -1, cv2.LINE_AA, _SHIFT)

    def limb(self, a: Point, b: Point, at_a: float, at_b: float, colour: Colour) -> None:
        """A tapered capsule from `a` to `b` with radii `at_a` and `at_b`, lit from one side."""
        length = max(hypot(b[0] - a[0], b[1] - a[1]), 1e-6)
        c, s = (b[0] - a[0]) / length, (b[1] - a[1]) / length
        sy = self.height * (1 << _SHIFT)
        sx, left, top = sy * _GIRTH, self.left * (1 << _SHIFT), self.top * (1 << _SHIFT)
        for part, tint, shift in ((1.0, 0.86, 0.0), (0.6, 1.06, 0.3 * self.light)):
            p, q = part * at_a, part * at_b
            ends = (
                (p * c * sx, p * s * sy), (-p * s * sx, p * c * sy), (q * c * sx, q * s * sy), (-q * s * sx, q * c * sy),
                ((a[0] + shift * at_a) * sx + left, a[1] * sy + top), ((b[0] + shift * at_b) * sx + left, b[1] * sy + top),
            )  # fmt: skip
            cv2.fillConvexPoly(self.canvas, (_CAPSULE @ np.array(ends)).astype(np.int32), shade(colour, tint), cv2.LINE_AA, _SHIFT)

    def garment(
        self, half: list[Point], pattern: str, colours: tuple[Colour, Colour], *, wide: float, view: float, lean: float = 0.0
    ) -> None:
        """Cloth around the body, seen from `view`; see `resight.drawn.clothes.paint`.

        `half` is the right half of its outline, `wide` half of the body's width, `lean` moves the shoulders to the right.
        """
        points = np.array(half + [(-x, y) for x, y in reversed(half)])
        points[:, 0] += lean * np.clip((0.5 - points[:, 1]) / 0.35, 0, 1)
        outline = self.pixels(points)
        x0, y0, w, h = cv2.boundingRect(outline >> _SHIFT)
        x1, y1 = min(x0 + w + 1, self.canvas.shape[1]), min(y0 + h + 1, self.canvas.shape[0])
        x0, y0 = max(x0, 0), max(y0, 0)
        if x1 - x0 < 2 or y1 - y0 < 2:
            return
        mask = np.zeros((y1 - y0, x1 - x0), np.uint8)
        cv2.fillPoly(mask, [outline - np.array([x0, y0], np.int32) * (1 << _SHIFT)], 255, cv2.LINE_8, _SHIFT)
        across = (np.arange(x0, x1) - self.left) / (self.height * _GIRTH * wide)
        down = (np.arange(y0, y1) - self.top) / self.height
        cloth = paint(pattern, colours, across, down, view=view, light=self.light)
        cv2.copyTo(cloth, mask, self.canvas[y0:y1, x0:x1])
