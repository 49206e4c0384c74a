"""Preparation of a network's input: size, normalisation, order of colours."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Preprocessing"]


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
