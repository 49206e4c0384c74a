"""Changed copies of training images: people who do not exist, for a teacher to describe and a student to learn from."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from resight.images import Pixels
from resight.training.augment import random_colours

__all__ = ["Copies", "plan_copies"]

_CHUNK = 256


@dataclass(frozen=True, eq=False)
class Copies:
    """Plan of n copies. They look the same at every size, so that teacher and student see the same people.

    Attributes
    ----------
    upper : int64 array of shape (n,)
        Image that each copy is made of.
    lower : int64 array of shape (n,)
        Image that its lower part is taken from; the same as `upper` in a copy of one person.
    cut : float64 array of shape (n,)
        Share of the height above the lower part.
    windows : float64 array of shape (n, 4)
        Top, left, height and width of what is kept and enlarged, as shares of the height and width.
    colours : float32 array of shape (n, 3, 4)
        See `resight.networks.batches.View`.
    """

    upper: NDArray[np.int64]
    lower: NDArray[np.int64]
    cut: NDArray[np.float64]
    windows: NDArray[np.float64]
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
            for number, window in enumerate(self.windows[some]):
                images[number] = _enlarged(images[number], window)
            flat = images.reshape(len(images), -1, 3).astype(np.float32)
            changed = flat @ self.colours[some, :, :3].transpose(0, 2, 1) + 255 * self.colours[some, None, :, 3]
            made[some] = np.clip(np.rint(changed), 0, 255).reshape(images.shape)
        return made


def _enlarged(image: Pixels, window: NDArray[np.float64]) -> Pixels:
    """Enlarge a window of an image, given in shares of its sides, to the size of the image."""
    height, width = image.shape[:2]
    top, left, rows, columns = (window * (height, width, height, width)).tolist()
    # Centres of pixels: the window's corners, which fall between pixels, become the image's.
    back = np.array(
        [
            [columns / width, 0, left + (columns / width - 1) / 2],
            [0, rows / height, top + (rows / height - 1) / 2],
        ]
    )
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(image, back, (width, height), flags=how, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[return-value]


def plan_copies(cameras: NDArray[np.int64], times: int, seed: int) -> Copies:
    """Plan copies: half keep their person, half get the lower part of somebody else; all are cropped and get other colours.

    Parameters
    ----------
    cameras : int64 array of shape (n,)
        Camera of each image to copy. People are put together from images of one camera.
    times : int
        Number of copies of each.
    seed : int
    """
    random = np.random.default_rng([seed, len(cameras), times])
    upper = np.tile(np.arange(len(cameras)), times)
    lower = upper.copy()
    joined = random.random(len(upper)) < 0.5
    for camera in np.unique(cameras):
        some = np.flatnonzero(joined & (cameras[upper] == camera))
        lower[some] = random.choice(np.flatnonzero(cameras == camera), len(some))
    cut = random.uniform(0.35, 0.6, len(upper))  # about the waist
    sides = random.uniform(0.8, 1.0, (len(upper), 2))
    windows = np.concatenate([random.random(sides.shape) * (1 - sides), sides], axis=1)
    return Copies(upper, lower, cut, windows, random_colours(len(upper), 0.4, random, hue=0.1))
