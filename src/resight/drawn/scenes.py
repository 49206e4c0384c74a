"""Drawn cameras: a street in front of each, its light, and what its lens and sensor do to colours. See `resight.drawn.crops`."""

from __future__ import annotations

from dataclasses import dataclass
from math import pi

import cv2
import numpy as np
from numpy.typing import NDArray

from resight.drawn.looks import PALETTES

__all__ = ["Camera", "Exposure", "expose", "occlude", "place_camera", "view_of_scene"]

Pixels = NDArray[np.uint8]

_GRAIN = 512  # side of the noise that images are cut from
_WALLS = ((196, 184, 164), (170, 150, 136), (150, 158, 168), (188, 168, 140), (160, 166, 150), (206, 200, 192))


@dataclass(frozen=True, eq=False, kw_only=True)
class Camera:
    """Properties that stay the same on every image of one camera.

    Attributes
    ----------
    scene : uint8 array of shape (2.4 h, 30 w, 3)
        The street, at twice the size of images of h x w.
    view : float
        Side from which it mostly sees people, in radians: 0 is the front, pi the back.
    cast : float array of shape (3,)
        White balance: factors of red, green and blue.
    saturation : float
        0 is gray.
    gamma, exposure, blur, noise, detail, light : float
        Tone curve, brightness, sigma in pixels, sigma in levels, part of the resolution that is left, side of the sun.
    quality : int
        Quality of its JPEG files.
    grain : int8 array of shape (512, 512, 3)
        Noise of sigma 32.
    """

    scene: Pixels
    view: float
    cast: NDArray[np.float64]
    saturation: float
    gamma: float
    exposure: float
    blur: float
    noise: float
    detail: float
    light: float
    quality: int
    grain: NDArray[np.int8]


def place_camera(rng: np.random.Generator, number: int, size: tuple[int, int]) -> Camera:
    """Draw one camera and its street.

    Parameters
    ----------
    rng : np.random.Generator
    number : int
        Counted from 0; neighbours see people from different sides.
    size : tuple of (height, width)
        Size of the images that it will make.

    Returns
    -------
    Camera
    """
    return Camera(
        scene=_draw_scene(rng, size),
        view=(0.0, pi, 0.5 * pi, 0.8 * pi, -0.5 * pi, 0.2 * pi)[number % 6] + float(rng.normal(0, 0.15)),
        cast=_white_balance(rng, 0.16),
        saturation=float(rng.uniform(0.45, 1.15)),
        gamma=float(rng.uniform(0.75, 1.3)),
        exposure=float(rng.uniform(0.9, 1.2)),
        blur=float(rng.uniform(0.3, 0.8)),
        noise=float(rng.uniform(2, 7)),
        detail=float(rng.uniform(0.55, 1.0)),
        light=float(rng.choice([-1, 1]) * rng.uniform(0.4, 1)),
        quality=int(rng.integers(72, 93)),
        grain=np.clip(rng.standard_normal((_GRAIN, _GRAIN, 3), np.float32) * 32, -127, 127).astype(np.int8),
    )


def _white_balance(rng: np.random.Generator, most: float) -> NDArray[np.float64]:
    """Factors of red, green and blue: warm or cold, and a little green or magenta."""
    warm, green = rng.uniform(-most, most), rng.uniform(-most, most) / 3
    return np.array([1 + warm, 1 + green, 1 - warm])


def _draw_scene(rng: np.random.Generator, size: tuple[int, int]) -> Pixels:
    """A wall with what stands before it, a kerb and the ground."""
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


def view_of_scene(camera: Camera, rng: np.random.Generator, size: tuple[int, int]) -> Pixels:
    """A piece of the street to draw a person into: uint8 array of shape (2 h, 2 w, 3), RGB."""
    height, width = 2 * size[0], 2 * size[1]
    y = rng.integers(0, (camera.scene.shape[0] - height) // 2 + 1)
    x = rng.integers(0, camera.scene.shape[1] - width + 1)
    return camera.scene[y : y + height, x : x + width].copy()


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


def expose(camera: Camera, canvas: Pixels, rng: np.random.Generator, size: tuple[int, int]) -> Pixels:
    """Take the picture: the light of this moment, then the camera.

    Parameters
    ----------
    camera : Camera
    canvas : uint8 array of shape (2 h, 2 w, 3)
    rng : np.random.Generator
        Generator of this image.
    size : tuple of (height, width)
        h and w.

    Returns
    -------
    uint8 array of shape (h, w, 3)
        RGB.
    """
    return Exposure(camera, rng, size).take(canvas, rng)


class Exposure:
    """The light of one moment and what the camera makes of it. A film keeps one for all of its frames.

    Parameters
    ----------
    camera : Camera
    rng : np.random.Generator
        Chooses the light.
    size : tuple of (height, width)
        Size of the images.
    """

    def __init__(self, camera: Camera, rng: np.random.Generator, size: tuple[int, int]) -> None:
        self.camera, self.size = camera, size
        self.detail = camera.detail * rng.uniform(0.75, 1.0)
        self.blur = camera.blur * rng.uniform(0.7, 1.4)
        saturation = camera.saturation * rng.uniform(0.7, 1.2)
        colours = saturation * np.eye(3) + (1 - saturation) * np.array([0.299, 0.587, 0.114])
        colours *= (camera.cast * _white_balance(rng, 0.12) * camera.exposure)[:, None]
        self.colours, self.light = colours, _light(camera, rng, size)[:, :, None]
        levels = (np.arange(256) / 255) ** (camera.gamma * rng.uniform(0.9, 1.1)) * 255
        self.levels = levels.astype(np.uint8)

    def take(self, canvas: Pixels, rng: np.random.Generator) -> Pixels:
        """Take one picture of a canvas, RGB; `rng` chooses the noise. Returns uint8 RGB (height, width, 3)."""
        height, width = self.size
        small = (max(int(width * self.detail), 4), max(int(height * self.detail), 4))
        image = cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA)
        image = cv2.resize(image, small, interpolation=cv2.INTER_LINEAR)
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
        image = cv2.GaussianBlur(image, (0, 0), self.blur)
        lit = cv2.transform(image, self.colours).astype(np.float32) * self.light
        image = cv2.LUT(np.clip(lit, 0, 255).astype(np.uint8), self.levels)
        y, x = (rng.integers(0, max(_GRAIN - side, 0) + 1) for side in self.size)
        grain = self.camera.grain[y : y + height, x : x + width]
        if grain.shape[:2] != self.size:  # a picture larger than the noise repeats it
            grain = np.resize(self.camera.grain, (height, _GRAIN, 3))[:, np.arange(x, x + width) % _GRAIN]
        return cv2.addWeighted(image, 1.0, grain, self.camera.noise / 32, 0.0, dtype=cv2.CV_8U)  # type: ignore[return-value]


def _light(camera: Camera, rng: np.random.Generator, size: tuple[int, int]) -> NDArray[np.float32]:
    """Brightness of each pixel: clouds change it, it falls off to one side, and often a building throws a shadow."""
    y, x = np.mgrid[-1 : 1 : size[0] * 1j, -1 : 1 : size[1] * 1j].astype(np.float32)
    light = rng.uniform(0.75, 1.25) * (1 + 0.15 * camera.light * x)
    if rng.random() < 0.45:
        angle, depth = rng.uniform(0, 2 * pi), rng.uniform(0.4, 0.75)
        edge = (x * np.cos(angle) + y * np.sin(angle) - rng.uniform(-0.6, 0.6)) / 0.06
        light *= 1 - (1 - depth) / (1 + np.exp(-np.clip(edge, -20, 20)))
    return np.asarray(light, np.float32)
