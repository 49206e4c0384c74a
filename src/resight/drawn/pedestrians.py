"""Figures of drawn people, walking: a look, a pose and a place become pixels. Nobody's image; see `synthetic`.

Lengths are parts of the figure's height: (0, 0) is the top of the head, (0, 1) between the feet, x to the right.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, hypot, pi, sin

import cv2
import numpy as np
from numpy.typing import NDArray

from resight.drawn.looks import Colour, Look, shade

__all__ = ["Pose", "draw"]

Canvas = NDArray[np.uint8]
Point = tuple[float, float]

_SHIFT = 3  # cv2 takes coordinates in eighths of a pixel
_GIRTH = 1.22  # boxes of detectors are wider than people; figures are drawn as much wider


@dataclass(frozen=True, kw_only=True)
class Pose:
    """What changes from image to image: angles in radians.

    `view` 0 shows the front, pi the back, +-pi/2 a side; `phase` is the place in the stride, `swing` how far arms and legs go.
    """

    view: float
    phase: float
    swing: float
    light: float


def draw(canvas: Canvas, look: Look, pose: Pose, foot: Point, height: float) -> None:
    """Draw one person into an image.

    Parameters
    ----------
    canvas : uint8 array of shape (h, w, 3)
        RGB; drawn upon. Parts of the figure may lie outside.
    look : Look
    pose : Pose
    foot : tuple of (x, y)
        Where the person stands, in pixels.
    height : float
        In pixels, of somebody of average height.
    """
    _Figure(canvas, look, pose, foot, height * look.tall).draw()


def _capsule() -> NDArray[np.float64]:
    """Outline of two half circles as a (12, 6) matrix, to be multiplied by their axes (4 rows) and their centres (2 rows)."""
    angles = np.linspace(-pi / 2, pi / 2, 6)
    arc, none, one = np.stack([np.cos(angles), np.sin(angles)], 1), np.zeros((6, 1)), np.ones((6, 1))
    return np.block([[-arc, none, none, one, none], [none, none, arc, none, one]])


_CAPSULE = _capsule()


class _Figure:
    """One drawing: keeps where the person stands and which way they face."""

    def __init__(self, canvas: Canvas, look: Look, pose: Pose, foot: Point, height: float) -> None:
        self.canvas, self.look, self.pose = canvas, look, pose
        self.left, self.top, self.height = foot[0], foot[1] - height, height
        self.front, self.side = cos(pose.view), sin(pose.view)
        self.wide = look.build * hypot(0.105 * self.front, 0.072 * self.side)
        self.hips = look.build * hypot(0.078 * self.front, 0.066 * self.side)

    def draw(self) -> None:
        """Far limbs, trunk, near limbs, head."""
        far = 1 if self.side > 0 else -1
        behind = self.front < -0.25
        if self.look.load == "backpack" and self.front > -0.25:
            self.backpack()
        if self.look.hairstyle == "long" and not behind:
            self.long_hair()
        self.arm(far, 0.82)
        self.leg(far, 0.8)
        self.leg(-far, 1.0)
        if self.look.legs == "skirt":
            self.skirt()
        self.trunk()
        if self.look.load == "backpack" and behind:
            self.backpack()
        self.satchel()
        self.arm(-far, 1.0 if abs(self.side) > 0.5 else 0.94)
        self.head()
        if self.look.hairstyle == "long" and behind:
            self.long_hair()

    # Shapes ------------------------------------------------------------------------------------------------------------------

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
        for part, tint, shift in ((1.0, 0.88, 0.0), (0.55, 1.08, 0.3 * self.pose.light)):
            p, q = part * at_a, part * at_b
            ends = (
                (p * c * sx, p * s * sy), (-p * s * sx, p * c * sy), (q * c * sx, q * s * sy), (-q * s * sx, q * c * sy),
                ((a[0] + shift * at_a) * sx + left, a[1] * sy + top), ((b[0] + shift * at_b) * sx + left, b[1] * sy + top),
            )  # fmt: skip
            cv2.fillConvexPoly(self.canvas, (_CAPSULE @ np.array(ends)).astype(np.int32), shade(colour, tint), cv2.LINE_AA, _SHIFT)

    # Parts -------------------------------------------------------------------------------------------------------------------

    def leg(self, which: int, tint: float) -> None:
        look, build = self.look, self.look.build
        stride = which * self.pose.swing * sin(self.pose.phase)
        bend = 0.12 + 0.55 * self.pose.swing * max(0.0, which * cos(self.pose.phase))
        hip = (which * 0.042 * self.front * build, 0.49)
        knee = (hip[0] + 0.24 * sin(stride + 0.3 * bend) * self.side + 0.006 * which * self.front, 0.49 + 0.235 * cos(stride))
        low = stride - bend
        lift = 0.03 * abs(self.front) * max(0.0, which * sin(self.pose.phase))
        ankle = (knee[0] + 0.22 * sin(low) * self.side, min(knee[1] + 0.225 * cos(low), 0.965) - lift)
        cloth, skin = shade(look.lower, tint), shade(look.skin, tint)
        trousers = look.legs == "trousers"
        toe = (ankle[0] + 0.055 * self.side, ankle[1] + 0.018)
        self.limb((ankle[0] - 0.01 * self.side, ankle[1] + 0.012), toe, 0.022, 0.017, shade(look.shoes, tint))
        self.limb(knee, ankle, (0.04 if trousers else 0.03) * build, 0.026 if trousers else 0.019, cloth if trousers else skin)
        self.limb(hip, knee, 0.058 * build, (0.041 if trousers else 0.044) * build, skin if look.legs == "skirt" else cloth)

    def skirt(self) -> None:
        flare = self.hips * 1.25 + 0.02
        self.polygon([(-self.hips, 0.44), (self.hips, 0.44), (flare, 0.7), (-flare, 0.7)], shade(self.look.lower, 0.95))

    def arm(self, which: int, tint: float) -> None:
        look, build = self.look, self.look.build
        swing = -which * self.pose.swing * sin(self.pose.phase) * 0.9
        shoulder = (which * (self.wide - 0.022) * (abs(self.front) * 0.95 + 0.02) * (1 if self.front >= 0 else -1), 0.205)
        out = 0.022 * (1 if shoulder[0] > 0 else -1) * abs(self.front)
        elbow = (shoulder[0] + 0.15 * sin(swing) * self.side + out, shoulder[1] + 0.148 * cos(swing))
        fore = swing + 0.25 + 0.4 * abs(swing)
        hand = (elbow[0] + 0.135 * sin(fore) * self.side + 0.3 * out, elbow[1] + 0.132 * cos(fore))
        block = look.pattern == "block"
        sleeve, skin = shade(look.second if block else look.upper, tint), shade(look.skin, tint)
        self.ellipse((hand[0], hand[1] + 0.012), (0.017, 0.022), skin)
        self.limb(elbow, hand, 0.026 * build, 0.019, sleeve if look.sleeves == "long" else skin)
        self.limb(shoulder, elbow, 0.034 * build, 0.028 * build, skin if look.sleeves == "none" else sleeve)
        if look.load == "handbag" and which == 1:
            x, y = hand[0], hand[1] + 0.03
            self.polygon([(x - 0.012, y), (x + 0.012, y), (x + 0.05, y + 0.1), (x - 0.05, y + 0.1)], look.load_colour)

    def trunk(self) -> None:
        """The upper garment, with its pattern and folds inside its outline only."""
        look, wide, hips, hem = self.look, self.wide, self.hips, self.look.hem
        self.limb((0, 0.12), (0.0, 0.17), 0.026, 0.03, shade(look.skin, 0.85))
        half = [(0.03, 0.158), (wide * 0.8, 0.175), (wide, 0.205), (wide * 0.93, 0.3), (hips * 0.98, 0.4), (hips * 1.08, hem)]
        outline = self.pixels(np.array(half + [(-x, y) for x, y in reversed(half)]))
        x0, y0, w, h = cv2.boundingRect(outline >> _SHIFT)
        x1, y1 = min(x0 + w + 1, self.canvas.shape[1]), min(y0 + h + 1, self.canvas.shape[0])
        x0, y0 = max(x0, 0), max(y0, 0)
        if x1 - x0 < 2 or y1 - y0 < 2:
            return
        mask = np.zeros((y1 - y0, x1 - x0), np.uint8)
        cv2.fillPoly(mask, [outline - np.array([x0, y0], np.int32) * (1 << _SHIFT)], 255, cv2.LINE_8, _SHIFT)
        cloth = np.full((*mask.shape, 3), look.upper, np.uint8)
        self.pattern(cloth, (x0, y0))
        # Round: darker towards the sides, lighter where the light comes from.
        across = (np.arange(x0, x1) - self.left) / (self.height * _GIRTH * wide)
        light = 1.06 - 0.22 * (across - 0.35 * self.pose.light) ** 2
        cloth = cv2.multiply(cloth, np.broadcast_to(light[None, :, None], cloth.shape).astype(np.float32), dtype=cv2.CV_8U)
        cv2.copyTo(cloth, mask, self.canvas[y0:y1, x0:x1])

    def pattern(self, cloth: Canvas, corner: tuple[int, int]) -> None:
        """What is on the cloth; logo and open jacket are seen from the front only."""
        look, unit = self.look, self.height
        x, y = self.left - corner[0], self.top - corner[1]

        def box(left: float, top: float, right: float, bottom: float, colour: Colour) -> None:
            a = (round(x + left * _GIRTH * unit), round(y + top * unit))
            cv2.rectangle(cloth, a, (round(x + right * _GIRTH * unit), round(y + bottom * unit)), colour, -1)

        if look.pattern in ("stripes", "check"):
            for top in np.arange(0.2, 0.68, 0.06):
                box(-0.3, top, 0.3, top + (0.024 if look.pattern == "stripes" else 0.012), look.second)
        if look.pattern in ("pinstripes", "check"):
            for left in np.arange(-0.15, 0.15, 0.036):
                box(left * abs(self.front), 0.1, left * abs(self.front) + 0.009, 0.7, look.second)
        if look.pattern == "block":
            box(-0.3, 0.1, 0.3, 0.29, look.second)
        if look.pattern == "logo" and self.front > 0.2:
            middle = 0.35 * self.wide * self.side
            box(middle - 0.05 * self.front, 0.25, middle + 0.05 * self.front, 0.33, look.second)
        if look.pattern == "open" and self.front > 0.1:
            middle = 0.6 * self.wide * self.side
            box(middle - 0.035 * self.front, 0.15, middle + 0.035 * self.front, 0.7, look.second)

    def satchel(self) -> None:
        if self.look.load != "satchel":
            return
        side = 1 if self.front >= 0 else -1
        strap = np.array(
            [
                (-side * self.wide * 0.7, 0.18),
                (side * self.hips, 0.46),
                (side * self.hips, 0.48),
                (-side * self.wide * 0.8, 0.19),
            ]
        )
        self.polygon(strap, shade(self.look.load_colour, 0.75))
        x = side * self.hips
        self.polygon([(x - 0.055, 0.45), (x + 0.05, 0.45), (x + 0.055, 0.57), (x - 0.06, 0.57)], self.look.load_colour)

    def backpack(self) -> None:
        """Whole from behind, a bulge from the side, two straps from the front."""
        colour, back = self.look.load_colour, -self.side * 0.075
        if self.front < -0.25:
            half = 0.078 * abs(self.front) + 0.02
            self.limb((back, 0.245), (back, 0.395), half, half, colour)
            self.limb((back, 0.36), (back, 0.39), half * 0.55, half * 0.55, shade(colour, 0.75))
        elif abs(self.side) > 0.3:
            self.limb((back * 1.25, 0.25), (back * 1.35, 0.39), 0.052, 0.056, colour)

    def straps(self) -> None:
        for side in (-1, 1):
            x = side * self.wide * 0.55 + 0.02 * self.side
            self.polygon([(x - 0.011, 0.172), (x + 0.011, 0.172), (x + 0.011, 0.33), (x - 0.011, 0.33)], self.look.load_colour)

    def long_hair(self) -> None:
        x = -0.018 * self.side
        self.limb((x, 0.09), (x * 1.4, 0.19), 0.048, 0.052, self.look.hair)

    def head(self) -> None:
        """Hair all round, and the face where it can be seen."""
        look, front, side = self.look, self.front, self.side
        if look.load == "backpack" and front > 0.2:
            self.straps()
        turned = 0.008 * side
        hood = look.hairstyle == "hood"
        cover = look.upper if hood else look.hair
        size = 1.18 if hood else 1.0
        self.ellipse((turned - 0.006 * side, 0.068), (0.047 * size, 0.062 * size), cover)
        if look.hairstyle == "bun":
            self.ellipse((-0.03 * side, 0.008 + 0.012 * abs(side)), (0.026, 0.024), look.hair)
        if front > -0.35:
            width = 0.022 + 0.018 * max(front, 0.0)
            middle = turned + 0.02 * side
            self.ellipse((middle, 0.083), (width, 0.05), look.skin)
            if front > 0.15:
                for eye in (-1, 1):
                    self.ellipse((middle + eye * 0.015 * front + 0.006 * side, 0.078), (0.0045, 0.004), (40, 32, 30))
        if look.hairstyle == "cap":
            self.ellipse((turned, 0.055), (0.05, 0.052), look.load_colour, 180, 360)
            self.limb((turned + 0.02 * side, 0.056), (turned + 0.065 * side, 0.06), 0.008, 0.006, shade(look.load_colour, 0.8))
