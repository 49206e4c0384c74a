"""Streets in front of the drawn cameras, and what stands between a camera and people."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from resight.drawn.looks import PALETTES

__all__ = ["draw_street", "occlude"]

Pixels = NDArray[np.uint8]

_WALLS = ((196, 184, 164), (170, 150, 136), (150, 158, 168), (188, 168, 140), (160, 166, 150), (206, 200, 192))


def draw_street(rng: np.random.Generator, size: tuple[int, int]) -> Pixels:
    """Draw a wall with what stands before it, a kerb and the ground, for images of size (h, w): uint8 (2.4 h, 30 w, 3), RGB."""
    height, width = int(2.4 * size[0]), 30 * size[1]
    unit = size[0] / 64
    horizon = int(0.58 * height)
    wall = np.array(_WALLS[rng.integers(len(_WALLS))]) + rng.integers(-10, 11, 3)
    ground = rng.integers(112, 156) + rng.integers(-7, 8, 3)
    scene = np.empty((height, width, 3), np.float32)
    scene[:horizon] = wall
    scene[horizon:] = ground + np.linspace(-16, 16, height - horizon)[:, None, None]

    def tone(base: NDArray[np.int64], by: float) -> tuple[float, ...]:
        return tuple(float(value) for value in np.clip(base + by, 0, 255))

    def rectangle(x: float, y: float, w: float, h: float, colour: tuple[float, ...]) -> None:
        cv2.rectangle(scene, (int(x), int(y)), (int(x + w), int(y + h)), colour, -1)

    def colour() -> tuple[float, ...]:  # the street wears what people wear
        return tone(np.array(PALETTES[rng.integers(len(PALETTES))][rng.integers(4)]), rng.uniform(-20, 20))

    if rng.random() < 0.6:  # bricks
        for row, y in enumerate(np.arange(0, horizon, 5 * unit)):
            cv2.line(scene, (0, int(y)), (width, int(y)), tone(wall, -18), 1)
            for x in np.arange((row % 2) * 6 * unit, width, 12 * unit):
                cv2.line(scene, (int(x), int(y)), (int(x), int(y + 5 * unit)), tone(wall, -18), 1)
    x = float(rng.uniform(0, 20)) * unit
    while x < width:
        kind, w = rng.integers(6), float(rng.uniform(14, 36)) * unit
        one, other = colour(), colour()
        if kind == 0:  # a window of two panes
            rectangle(x, 0.12 * height, w, 0.24 * height, tone(wall, -60))
            rectangle(x + w * 0.1, 0.14 * height, w * 0.36, 0.2 * height, one)
            rectangle(x + w * 0.54, 0.14 * height, w * 0.36, 0.2 * height, one)
        elif kind == 1:  # a door
            rectangle(x, 0.1 * height, w * 0.7, horizon - 0.1 * height, one)
            rectangle(x + w * 0.08, 0.14 * height, w * 0.54, 0.16 * height, tone(wall, -70))
        elif kind == 2:  # a hedge
            for _ in range(60):
                green = rng.integers(0, 45) + np.array([34, 66, 30])
                centre = (int(x + rng.uniform(0, w)), int(horizon - rng.uniform(0, 0.2) * height))
                cv2.circle(scene, centre, int(rng.uniform(2, 5) * unit), tone(green, 0), -1)
        elif kind == 3:  # a shop: an awning of stripes over a window
            rectangle(x, 0.26 * height, w, horizon - 0.3 * height, tone(wall, -70))
            for stripe in np.arange(0, w, 5 * unit):
                rectangle(x + stripe, 0.16 * height, 2.5 * unit, 0.1 * height, one)
                rectangle(x + stripe + 2.5 * unit, 0.16 * height, 2.5 * unit, 0.1 * height, (236.0, 230.0, 220.0))
        elif kind == 4:  # posters in two colours
            for number in range(3):
                top = (0.16 + 0.12 * number) * height
                rectangle(x, top, w * 0.6, 0.1 * height, one)
                rectangle(x + w * 0.1, top + 0.02 * height, w * 0.4, 0.03 * height, other)
        else:  # a fence
            for bar in np.arange(0, w, 4 * unit):
                rectangle(x + bar, 0.3 * height, 1.6 * unit, horizon - 0.3 * height, one)
        x += w + float(rng.uniform(2, 18)) * unit
    rectangle(0, horizon, width, 2 * unit, tone(ground, 32))
    rectangle(0, horizon + 2 * unit, width, unit, tone(ground, -36))
    if rng.random() < 0.6:  # paving stones, in a simple perspective
        for y in horizon + 3 * unit + np.cumsum(np.arange(3, 12) * unit * 0.9):
            cv2.line(scene, (0, int(y)), (width, int(y)), tone(ground, -20), 1)
        for x in np.arange(-width, 2 * width, 14 * unit):
            below = int(width / 2 + (x - width / 2) * 1.9)
            cv2.line(scene, (int(x), int(horizon + 3 * unit)), (below, height), tone(ground, -20), 1)
    for _ in range(int(rng.integers(4, 12))):  # poles
        rectangle(rng.uniform(0, width), 0, 2.5 * unit, horizon + 4 * unit, tone(np.array([60, 60, 64]), rng.uniform(-20, 60)))
    coarse = rng.normal(0, 5, (10, 60)).astype(np.float32)
    scene += np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC))[:, :, None]
    return np.clip(cv2.GaussianBlur(scene, (0, 0), 1.2), 0, 255).astype(np.uint8)


def occlude(canvas: Pixels, rng: np.random.Generator) -> None:
    """Draw a pole, a bush or a box in front of the person."""
    height, width = canvas.shape[:2]
    kind = rng.integers(3)
    shade = int(rng.integers(30, 170))
    if kind == 0:
        x, w = int(rng.uniform(0.1, 0.85) * width), int(rng.uniform(0.06, 0.14) * width)
        cv2.rectangle(canvas, (x, 0), (x + w, height), (shade, shade, shade + 4), -1)
        cv2.rectangle(canvas, (x + w // 2, 0), (x + w, height), (int(shade * 0.8),) * 3, -1)
    elif kind == 1:
        middle, top = rng.uniform(0, width), rng.uniform(0.6, 0.85) * height
        for _ in range(40):
            x, y = int(middle + rng.normal(0, 0.25) * width), int(top + abs(rng.normal(0, 0.2)) * height)
            green = (int(rng.integers(26, 60)), int(rng.integers(60, 112)), int(rng.integers(24, 50)))
            cv2.circle(canvas, (x, y), int(rng.uniform(0.03, 0.08) * height), green, -1, cv2.LINE_AA)
    else:
        x, y = int(rng.uniform(-0.2, 0.6) * width), int(rng.uniform(0.62, 0.85) * height)
        colour = (int(rng.integers(40, 190)), int(rng.integers(40, 190)), int(rng.integers(40, 190)))
        cv2.rectangle(canvas, (x, y), (x + int(rng.uniform(0.3, 0.6) * width), height), colour, -1)
        cv2.rectangle(canvas, (x, y), (x + width // 2, y + height // 50), (int(shade * 0.6),) * 3, -1)
