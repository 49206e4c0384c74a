"""Drawn cameras: a street in front of each, and what its lens, sensor and setting do to colours. See `synthetic`."""

from __future__ import annotations

from dataclasses import dataclass
from math import pi

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["Camera", "expose", "occlude", "place_camera", "view_of_scene"]

Pixels = NDArray[np.uint8]

_GRAIN = 512  # side of the noise that images are cut from


@dataclass(frozen=True, eq=False, kw_only=True)
class Camera:
    """What stays the same on every image of one camera.

    Attributes
    ----------
    scene : uint8 array of shape (2.4 h, 10 w, 3)
        The street, at twice the size of images of h x w.
    view : float
        From where people are mostly seen, in radians: 0 from the front, pi from behind.
    colour : float32 array of shape (3, 3)
        Colour cast and saturation: applied to RGB.
    gamma, exposure, blur, noise, detail, light : float
        Tone curve, brightness, sigma in pixels, sigma in levels, part of the resolution that is left, side of the sun.
    quality : int
        Of its JPEG files.
    grain : int8 array of shape (512, 512, 3)
        Noise of sigma 32.
    """

    scene: Pixels
    view: float
    colour: NDArray[np.float32]
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
        From 0; neighbours look at people from different sides.
    size : tuple of (height, width)
        Of the images that it will make.

    Returns
    -------
    Camera
    """
    saturation = rng.uniform(0.7, 1.1)
    gray = np.array([0.299, 0.587, 0.114])
    mix = saturation * np.eye(3) + (1 - saturation) * gray[None, :]
    cast = np.array([1.0, 1.0, 1.0]) + rng.uniform(-0.1, 0.1, 3)
    return Camera(
        scene=_draw_scene(rng, size),
        view=(0.0, pi, 0.5 * pi, 0.8 * pi, -0.5 * pi, 0.2 * pi)[number % 6] + float(rng.normal(0, 0.15)),
        colour=(mix * cast[:, None]).astype(np.float32),
        gamma=float(rng.uniform(0.8, 1.25)),
        exposure=float(rng.uniform(0.95, 1.2)),
        blur=float(rng.uniform(0.3, 0.8)),
        noise=float(rng.uniform(2, 7)),
        detail=float(rng.uniform(0.55, 1.0)),
        light=float(rng.choice([-1, 1]) * rng.uniform(0.4, 1)),
        quality=int(rng.integers(72, 93)),
        grain=np.clip(rng.standard_normal((_GRAIN, _GRAIN, 3), np.float32) * 32, -127, 127).astype(np.int8),
    )


def _draw_scene(rng: np.random.Generator, size: tuple[int, int]) -> Pixels:
    """A wall with what stands before it, a kerb and the ground."""
    height, width = int(2.4 * size[0]), 10 * size[1]
    unit = size[0] / 64
    horizon = int(0.58 * height)
    wall = rng.integers(100, 165) + rng.integers(-10, 11, 3)
    ground = rng.integers(105, 150) + rng.integers(-7, 8, 3)
    scene = np.empty((height, width, 3), np.float32)
    scene[:horizon] = wall
    scene[horizon:] = ground + np.linspace(-14, 14, height - horizon)[:, None, None]

    def tone(base: NDArray[np.int64], by: float) -> tuple[float, ...]:
        return tuple(float(value) for value in np.clip(base + by, 0, 255))

    def rectangle(x: float, y: float, w: float, h: float, colour: tuple[float, ...]) -> None:
        cv2.rectangle(scene, (int(x), int(y)), (int(x + w), int(y + h)), colour, -1)

    if rng.random() < 0.5:  # bricks
        for row, y in enumerate(np.arange(0, horizon, 5 * unit)):
            cv2.line(scene, (0, int(y)), (width, int(y)), tone(wall, -16), 1)
            for x in np.arange((row % 2) * 6 * unit, width, 12 * unit):
                cv2.line(scene, (int(x), int(y)), (int(x), int(y + 5 * unit)), tone(wall, -16), 1)
    x = float(rng.uniform(0, 20)) * unit
    while x < width:  # windows, doors, hedges, posters
        kind, w = rng.integers(4), float(rng.uniform(14, 40)) * unit
        colour = tuple(float(value) for value in rng.integers(30, 220, 3) * 0.5 + rng.integers(10, 110))
        if kind == 0:
            rectangle(x, 0.12 * height, w, 0.24 * height, tone(wall, -60))
            rectangle(x + w * 0.1, 0.14 * height, w * 0.36, 0.2 * height, colour)
            rectangle(x + w * 0.54, 0.14 * height, w * 0.36, 0.2 * height, colour)
        elif kind == 1:
            rectangle(x, 0.1 * height, w * 0.7, horizon - 0.1 * height, colour)
            rectangle(x + w * 0.08, 0.14 * height, w * 0.54, 0.16 * height, tone(wall, -70))
        elif kind == 2:
            for _ in range(60):
                green = rng.integers(0, 45) + np.array([34, 66, 30])
                centre = (int(x + rng.uniform(0, w)), int(horizon - rng.uniform(0, 0.2) * height))
                cv2.circle(scene, centre, int(rng.uniform(2, 5) * unit), tone(green, 0), -1)
        else:
            rectangle(x, rng.uniform(0.2, 0.35) * height, w * 0.6, 0.12 * height, colour)
        x += w + float(rng.uniform(8, 50)) * unit
    rectangle(0, horizon, width, 2 * unit, tone(ground, 32))
    rectangle(0, horizon + 2 * unit, width, unit, tone(ground, -36))
    if rng.random() < 0.6:  # paving stones, in a simple perspective
        for y in horizon + 3 * unit + np.cumsum(np.arange(3, 12) * unit * 0.9):
            cv2.line(scene, (0, int(y)), (width, int(y)), tone(ground, -20), 1)
        for x in np.arange(-width, 2 * width, 14 * unit):
            below = int(width / 2 + (x - width / 2) * 1.9)
            cv2.line(scene, (int(x), int(horizon + 3 * unit)), (below, height), tone(ground, -20), 1)
    for _ in range(int(rng.integers(1, 5))):  # poles
        rectangle(rng.uniform(0, width), 0, 2.5 * unit, horizon + 4 * unit, tone(np.array([60, 60, 64]), rng.uniform(-20, 60)))
    for cells in (10, 40):
        coarse = rng.normal(0, 7, (cells, cells * 2)).astype(np.float32)
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
    """What the camera makes of a drawing.

    Parameters
    ----------
    camera : Camera
    canvas : uint8 array of shape (2 h, 2 w, 3)
    rng : np.random.Generator
        Of this image.
    size : tuple of (height, width)
        h and w.

    Returns
    -------
    uint8 array of shape (h, w, 3)
        RGB.
    """
    height, width = size
    detail = camera.detail * rng.uniform(0.75, 1.0)
    image = cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA)
    image = cv2.resize(image, (max(int(width * detail), 4), max(int(height * detail), 4)), interpolation=cv2.INTER_LINEAR)
    image = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    image = cv2.GaussianBlur(image, (0, 0), camera.blur * rng.uniform(0.7, 1.4))
    image = cv2.transform(image, camera.colour)
    levels = np.arange(256) / 255 * camera.exposure * rng.uniform(0.82, 1.18)
    image = cv2.LUT(image, np.clip(levels ** (camera.gamma * rng.uniform(0.92, 1.08)) * 255, 0, 255).astype(np.uint8))
    y, x = rng.integers(0, _GRAIN - height + 1), rng.integers(0, _GRAIN - width + 1)
    grain = camera.grain[y : y + height, x : x + width]
    return cv2.addWeighted(image, 1.0, grain, camera.noise / 32, 0.0, dtype=cv2.CV_8U)  # type: ignore[return-value]
