"""Figures of drawn people, walking: a look, a pose and a place become pixels. Coordinates are those of `resight.drawn.brush`."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, hypot, sin

from resight.drawn.brush import Brush, Canvas, Point
from resight.drawn.looks import Look, shade

__all__ = ["Pose", "draw"]


@dataclass(frozen=True, kw_only=True)
class Pose:
    """Angles that change from image to image, in radians.

    `view` 0 shows the front, pi the back, +-pi/2 a side; `phase` is the place in the stride; `light` is the side of the sun.
    """

    view: float
    phase: float
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
        Point on which the person stands, in pixels.
    height : float
        Height of a person of average height, in pixels.
    """
    _Figure(canvas, look, pose, foot, height * look.tall).draw()


class _Figure(Brush):
    """One drawing: keeps the look, the pose, and which way the person faces."""

    def __init__(self, canvas: Canvas, look: Look, pose: Pose, foot: Point, height: float) -> None:
        super().__init__(canvas, (foot[0], foot[1] - height), height, pose.light)
        self.look, self.pose = look, pose
        self.front, self.side = cos(pose.view), sin(pose.view)
        self.wide = look.build * hypot(0.1 * self.front, 0.07 * self.side)
        self.hips = look.build * hypot(0.078 * self.front, 0.066 * self.side)
        self.lean = look.lean * self.side  # of the trunk, at the shoulders

    def draw(self) -> None:
        """Far limbs, trunk, near limbs, head."""
        far = 1 if self.side > 0 else -1
        behind = self.front < -0.25
        if self.look.load == "backpack" and not behind:
            self.backpack()
        if self.look.hairstyle in ("long", "tail") and not behind:
            self.long_hair()
        self.arm(far, 0.82)
        self.leg(far, 0.8)
        self.leg(-far, 1.0)
        if "skirt" in self.look.legs:
            self.skirt()
        self.trunk()
        if self.look.load == "backpack" and behind:
            self.backpack()
        if self.look.load == "satchel":
            self.satchel()
        self.arm(-far, 1.0 if abs(self.side) > 0.5 else 0.94)
        self.head()
        if self.look.hairstyle in ("long", "tail") and behind:
            self.long_hair()

    def leg(self, which: int, tint: float) -> None:
        look, build = self.look, self.look.build
        stride = which * look.stride * sin(self.pose.phase)
        bend = 0.12 + 0.55 * look.stride * max(0.0, which * cos(self.pose.phase))
        hip = (which * 0.042 * self.front * build, 0.49)
        knee = (hip[0] + 0.24 * sin(stride + 0.3 * bend) * self.side + 0.006 * which * self.front, 0.49 + 0.235 * cos(stride))
        low = stride - bend
        lift = 0.03 * abs(self.front) * max(0.0, which * sin(self.pose.phase))
        ankle = (knee[0] + 0.22 * sin(low) * self.side, min(knee[1] + 0.225 * cos(low), 0.965) - lift)
        cloth, skin, second = shade(look.lower, tint), shade(look.skin, tint), shade(look.second, tint)
        trousers, loose = "trousers" in look.legs, 1.45 if look.legs == "wide trousers" else 1.0
        toe = (ankle[0] + 0.055 * self.side, ankle[1] + 0.018)
        self.limb((ankle[0] - 0.01 * self.side, ankle[1] + 0.012), toe, 0.022, 0.017, shade(look.shoes, tint))
        self.limb(knee, ankle, 0.03 * build, 0.02, skin)
        if trousers:
            end = 0.55 if look.legs == "cropped trousers" else 1.0
            low_end = (knee[0] + end * (ankle[0] - knee[0]), knee[1] + end * (ankle[1] - knee[1]))
            self.limb(knee, low_end, 0.04 * build, 0.027 * loose * (1.2 if end < 1 else 1.0), cloth)
            if look.trim == "cuffs":
                self.limb(low_end, (low_end[0], low_end[1] - 0.02), 0.03 * loose, 0.03 * loose, second)
        self.limb(hip, knee, 0.056 * build, 0.042 * build * min(loose, 1.2), skin if "skirt" in look.legs else cloth)
        if look.trim == "knees" and "skirt" not in look.legs:
            self.limb((knee[0], knee[1] - 0.045), knee, 0.043 * build, 0.04 * build, second)
        if look.trim == "stripe" and trousers:
            out = 0.02 * which * self.front
            self.limb((hip[0] + out, hip[1]), (knee[0] + out, knee[1]), 0.012, 0.012, second)
            self.limb((knee[0] + out, knee[1]), (ankle[0] + 0.7 * out, ankle[1]), 0.012, 0.01, second)

    def skirt(self) -> None:
        hem = 0.86 if self.look.legs == "long skirt" else 0.69
        flare = self.hips * 1.25 + 0.06 * (hem - 0.3)
        half = [(self.hips, 0.44), (flare, hem)]
        look = self.look
        self.garment(half, look.lower_pattern, (look.lower, look.second), wide=flare, view=self.pose.view)

    def arm(self, which: int, tint: float) -> None:
        look, build = self.look, self.look.build
        swing = -which * look.stride * look.arms * sin(self.pose.phase)
        shoulder = (which * (self.wide - 0.022) * (abs(self.front) * 0.95 + 0.02) * (1 if self.front >= 0 else -1), 0.205)
        out = 0.022 * (1 if shoulder[0] > 0 else -1) * abs(self.front)
        shoulder = (shoulder[0] + self.lean, shoulder[1])
        elbow = (shoulder[0] + 0.15 * sin(swing) * self.side + out, shoulder[1] + 0.148 * cos(swing))
        fore = swing + 0.25 + 0.4 * abs(swing)
        hand = (elbow[0] + 0.135 * sin(fore) * self.side + 0.3 * out, elbow[1] + 0.132 * cos(fore))
        sleeve = shade(look.second if look.sleeves == "second" or look.pattern == "yoke" else look.upper, tint)
        skin = shade(look.skin, tint)
        if which == 1 and look.load in ("trolley", "tote"):
            self.luggage(hand)
        self.ellipse((hand[0], hand[1] + 0.012), (0.017, 0.022), skin)
        self.limb(elbow, hand, 0.026 * build, 0.02, sleeve if look.sleeves in ("long", "second") else skin)
        self.limb(shoulder, elbow, 0.036 * build, 0.028 * build, skin if look.sleeves == "none" else sleeve)
        if look.load == "handbag" and which == 1:
            x, y = hand[0], hand[1] + 0.03
            self.polygon([(x - 0.012, y), (x + 0.012, y), (x + 0.055, y + 0.1), (x - 0.055, y + 0.1)], look.extra)

    def luggage(self, hand: Point) -> None:
        """A trolley that rolls behind, or a tote that hangs from the hand."""
        x, y = hand[0] - 0.035 * self.side, hand[1]
        if self.look.load == "tote":
            self.polygon([(x - 0.05, y + 0.06), (x + 0.05, y + 0.06), (x + 0.06, y + 0.22), (x - 0.06, y + 0.22)], self.look.extra)
            self.limb((x - 0.03, y + 0.06), (x, y), 0.006, 0.006, shade(self.look.extra, 0.7))
            self.limb((x + 0.03, y + 0.06), (x, y), 0.006, 0.006, shade(self.look.extra, 0.7))
            return
        x -= 0.07 * self.side - 0.02 * self.front
        self.limb((hand[0], y), (x, 0.78), 0.007, 0.007, (70, 70, 74))
        self.limb((x, 0.8), (x, 0.93), 0.058, 0.058, self.look.extra)
        self.limb((x - 0.04, 0.86), (x + 0.04, 0.86), 0.008, 0.008, shade(self.look.extra, 0.7))

    def trunk(self) -> None:
        """Neck and upper garment."""
        look, wide, hips, hem = self.look, self.wide, self.hips, self.look.hem
        self.limb((self.lean, 0.12), (self.lean, 0.17), 0.026, 0.03, shade(look.skin, 0.85))
        flare = 1.08 + 0.9 * max(hem - 0.53, 0)
        half = [(0.03, 0.158), (wide * 0.8, 0.175), (wide, 0.205), (wide * 0.93, 0.3), (hips * 0.98, 0.4), (hips * flare, hem)]
        self.garment(half, look.pattern, (look.upper, look.second), wide=wide, view=self.pose.view, lean=self.lean)

    def satchel(self) -> None:
        side = 1 if self.front >= 0 else -1
        x, strap = side * self.hips, shade(self.look.extra, 0.75)
        self.polygon([(-side * self.wide * 0.7, 0.18), (x, 0.46), (x, 0.485), (-side * self.wide * 0.85, 0.19)], strap)
        self.polygon([(x - 0.06, 0.45), (x + 0.055, 0.45), (x + 0.06, 0.57), (x - 0.065, 0.57)], self.look.extra)

    def backpack(self) -> None:
        """Whole from behind, a bulge from the side; `straps` show it from the front."""
        colour, back = self.look.extra, -self.side * 0.075
        if self.front < -0.25:
            half = 0.078 * abs(self.front) + 0.02
            self.limb((back, 0.245), (back, 0.395), half, half, colour)
            self.limb((back, 0.36), (back, 0.39), half * 0.55, half * 0.55, shade(colour, 0.75))
        elif abs(self.side) > 0.3:
            self.limb((back * 1.25, 0.25), (back * 1.35, 0.39), 0.052, 0.056, colour)

    def straps(self) -> None:
        for side in (-1, 1):
            x = side * self.wide * 0.55 + 0.02 * self.side
            self.polygon([(x - 0.011, 0.172), (x + 0.011, 0.172), (x + 0.011, 0.33), (x - 0.011, 0.33)], self.look.extra)

    def long_hair(self) -> None:
        x, thin = self.lean - 0.018 * self.side, 0.4 if self.look.hairstyle == "tail" else 1.0
        far = (x - 0.03 * self.side * (1.5 - thin), 0.2 if thin == 1 else 0.22)
        self.limb((x, 0.09), far, 0.048 * thin, 0.052 * thin, self.look.hair)

    def head(self) -> None:
        """Hair all round, and the face where it can be seen."""
        look, front, side = self.look, self.front, self.side
        if look.load == "backpack" and front > 0.2:
            self.straps()
        turned = self.lean + 0.008 * side
        style = look.hairstyle
        cover = {"hood": look.upper, "bald": shade(look.skin, 0.92)}.get(style, look.hair)
        size = {"hood": 1.2, "curls": 1.45}.get(style, 1.0)
        self.ellipse((turned - 0.006 * side, 0.068), (0.047 * size, 0.062 * min(size, 1.25)), cover)
        if style == "bun":
            self.ellipse((turned - 0.03 * side, 0.004 + 0.012 * abs(side)), (0.03, 0.028), look.hair)
        if front > -0.35:
            width = 0.022 + 0.018 * max(front, 0.0)
            middle = turned + 0.02 * side
            self.ellipse((middle, 0.083), (width, 0.05), look.skin)
            if front > 0.15:
                for eye in (-1, 1):
                    self.ellipse((middle + eye * 0.015 * front + 0.006 * side, 0.078), (0.0045, 0.004), (40, 32, 30))
        if style in ("cap", "beanie", "hat"):
            self.ellipse((turned, 0.055), (0.052, 0.054), look.extra, 180, 360)
        if style == "cap":
            self.limb((turned + 0.02 * side, 0.056), (turned + 0.065 * side, 0.06), 0.008, 0.006, shade(look.extra, 0.8))
        if style == "beanie":
            self.limb((turned - 0.04, 0.056), (turned + 0.04, 0.056), 0.014, 0.014, shade(look.extra, 0.85))
        if style == "hat":
            self.limb((turned - 0.085, 0.056), (turned + 0.085, 0.056), 0.011, 0.011, shade(look.extra, 0.9))
