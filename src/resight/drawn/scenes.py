"""Drawn cameras: a place before a street, its light, and what lens and sensor do to colours. See `resight.drawn.crops`."""

from __future__ import annotations

from dataclasses import dataclass
from math import pi

import cv2
import numpy as np
from numpy.typing import NDArray

from resight.drawn.streets import draw_street

__all__ = ["Camera", "Exposure", "place_camera", "view_of_scene"]

Pixels = NDArray[np.uint8]

_GRAIN = 512  # side of the noise that images are cut from


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
        scene=draw_street(rng, size),
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


def view_of_scene(camera: Camera, rng: np.random.Generator, size: tuple[int, int]) -> Pixels:
    """A piece of the street to draw a person into: uint8 array of shape (2 h, 2 w, 3), RGB."""
    height, width = 2 * size[0], 2 * size[1]
    y = rng.integers(0, (camera.scene.shape[0] - height) // 2 + 1)
    x = rng.integers(0, camera.scene.shape[1] - width + 1)
    return camera.scene[y : y + height, x : x + width].copy()


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
