"""Sightings and a model that need no network."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from resight.gallery.settings import Settings
from resight.gallery.sighting import Sighting, draw_thumbnail
from resight.images import Pixels
from resight.models import Model

DIMENSION = 16
START = datetime(2026, 3, 1, 12, tzinfo=UTC)
CAMERAS = ("entrance", "hall", "Küche ☂")


class ColourModel(Model):
    """Embeds an image into sums of its pixels under fixed random signs: alike images into near vectors."""

    size, parameters, multiply_adds, distance = (16, 8), 0, None, "euclidean"

    def __init__(self, name: str = "colours", dimension: int = DIMENSION) -> None:
        self.name, self.embedding_size = name, dimension
        self.sha256 = hashlib.sha256(name.encode()).hexdigest()
        self.images = 0

    def extract(self, pixels: Pixels) -> NDArray[np.float32]:
        self.images += len(pixels)
        signs = np.random.default_rng(0).choice([-1.0, 1.0], (pixels[0].size, self.embedding_size))
        return (pixels.reshape(len(pixels), -1) @ signs / 1000).astype(np.float32)


def make_settings(**changes: Any) -> Settings:
    """Settings for `ColourModel` unless changed."""
    model = ColourModel()
    values: dict[str, Any] = {"distance": "euclidean", "retention": None} | changes
    dimension = values.pop("dimension", DIMENSION)
    return Settings(model="colours", model_sha256=model.sha256, height=16, width=8, dimension=dimension, **values)


def make_id(number: int) -> str:
    """An id as random as a real one."""
    return hashlib.sha256(f"sighting {number}".encode()).hexdigest()[:32]


def make_sighting(number: int, **changes: Any) -> Sighting:
    """The same sighting for the same number: one of three cameras, one second after the other, every fifth without a time."""
    rng = np.random.default_rng(number)
    values: dict[str, Any] = {
        "id": make_id(number),
        "embedding": rng.standard_normal(DIMENSION).astype(np.float32),
        "thumbnail": draw_thumbnail(rng.integers(0, 256, (32, 16, 3), dtype=np.uint8)),
        "enrolled": START + timedelta(days=1, seconds=number),
        "camera": CAMERAS[number % 3],
        "time": None if number % 5 == 4 else START + timedelta(seconds=number),
        "source": f"crops/{number}.jpg",
        "tracklet": str(number // 4),
        "identity": "" if number % 7 == 6 else f"person {number % 7}",
    }
    return Sighting(**values | changes)


def make_sightings(count: int, first: int = 0, **changes: Any) -> list[Sighting]:
    """Sightings with consecutive numbers."""
    return [make_sighting(number, **changes) for number in range(first, first + count)]


def make_image(number: int, height: int = 48, width: int = 24) -> bytes:
    """A PNG of noise around a colour, the same for the same number."""
    rng = np.random.default_rng(1000 + number)
    pixels = np.clip(rng.integers(40, 216, 3) + rng.normal(0, 12, (height, width, 3)), 0, 255).astype(np.uint8)
    return cv2.imencode(".png", pixels)[1].tobytes()
