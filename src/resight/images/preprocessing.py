"""Preparation of a network's input: size, normalisation, order of colours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resight.errors import ConfigurationError

__all__ = ["LARGEST_SIDE", "Preprocessing", "check_colours"]

LARGEST_SIDE = 4096
"""Pixels of an input's height or width, at most."""


def check_colours(mean: Sequence[float], std: Sequence[float]) -> None:
    """Raise `ConfigurationError` unless both are three finite numbers, one a colour, those of `std` above 0."""
    for name, numbers in (("mean", mean), ("std", std)):
        if len(numbers) != 3 or not all(map(math.isfinite, numbers)) or (name == "std" and min(numbers) <= 0):
            raise ConfigurationError(f"{name} = {list(numbers)}; expected three numbers{', above 0' if name == 'std' else ''}")


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """Preparation of a network's input; stored in its card.

    Attributes
    ----------
    height, width : int
        Input size in pixels.
    mean, std : tuple of 3 floats
        Mean and deviation of each colour channel, for pixels scaled to [0, 1]: the network sees (value / 255 - mean) / std.
    colour : str
        Order of the channels that the network sees, ``"rgb"`` or ``"bgr"``. Arrays of this package are always RGB.
    """

    height: int
    width: int
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    colour: str = "rgb"

    def __post_init__(self) -> None:
        if not all(0 < side <= LARGEST_SIDE for side in self.size):
            raise ConfigurationError(f"height and width are {self.height} and {self.width}; expected 1 to {LARGEST_SIDE} pixels")
        if self.colour not in ("rgb", "bgr"):
            raise ConfigurationError(f"colour = {self.colour!r}; expected rgb or bgr")
        check_colours(self.mean, self.std)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        return self.height, self.width

    def affine(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Scale and shift of shape (3,), float32: the network sees ``pixels * scale + shift`` for uint8 pixels."""
        std = np.asarray(self.std, np.float64)
        return (1 / (255 * std)).astype(np.float32), (-np.asarray(self.mean, np.float64) / std).astype(np.float32)

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self)
