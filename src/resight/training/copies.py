"""Changed copies of training images: people who do not exist, for a teacher to describe and a student to learn from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from resight.images import Pixels
from resight.training.augment import random_colours

__all__ = ["Copies", "plan_copies"]

_CHUNK = 256


@dataclass(frozen=True, eq=False)
class Copies:
    """How n copies are made; they look the same at every size, so that teacher and student see the same people.

    Attributes
    ----------
    upper : int64 array of shape (n,)
        Image that each copy is made of.
    lower : int64 array of shape (n,)
        Image that its lower part is taken from; the same as `upper` in a copy of one person.
    cut : float64 array of shape (n,)
        Share of the height above the lower part.
    colours : float32 array of shape (n, 3, 4)
        See `resight.features.batches.View`.
    """

    upper: NDArray[np.int64]
    lower: NDArray[np.int64]
    cut: NDArray[np.float64]
    colours: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.upper)

    def of(self, pixels: Pixels) -> Pixels:
        """Make the copies of images of any size, uint8 (m, height, width, 3) to (n, height, width, 3)."""
        height = pixels.shape[1]
        below = np.arange(height) >= np.rint(self.cut * height)[:, None]
        made = np.empty((len(self), *pixels.shape[1:]), np.uint8)
        for start in range(0, len(self), _CHUNK):
            some = slice(start, start + _CHUNK)
            images = np.where(below[some, :, None, None], pixels[self.lower[some]], pixels[self.upper[some]])
            flat = images.reshape(len(images), -1, 3).astype(np.float32)
            changed = flat @ self.colours[some, :, :3].transpose(0, 2, 1) + 255 * self.colours[some, None, :, 3]
            made[some] = np.clip(np.rint(changed), 0, 255).reshape(images.shape)
        return made


def plan_copies(images: int, times: int, seed: int) -> Copies:
    """Plan copies: half of them keep their person, half get the lower part of somebody else; all get other colours.

    Parameters
    ----------
    images : int
        How many there are to copy.
    times : int
        How many copies to make of each.
    seed : int
    """
    random = np.random.default_rng([seed, images, times])
    upper = np.tile(np.arange(images), times)
    joined = random.random(len(upper)) < 0.5
    lower = np.where(joined, random.integers(0, max(images, 1), len(upper)), upper)
    cut = random.uniform(0.35, 0.6, len(upper))  # about the waist
    return Copies(upper, lower, cut, random_colours(len(upper), 0.4, random, hue=0.1))
