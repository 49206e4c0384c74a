"""LOMO as a model like any other: no learned parameters, any distance."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from resight.errors import ConfigurationError
from resight.images import Pixels
from resight.lomo.descriptor import RETINEX, lomo, lomo_dimension

__all__ = ["LomoModel"]


class LomoModel:
    """LOMO descriptors of images of one size.

    Parameters
    ----------
    retinex : str
        A value of `resight.lomo.descriptor.RETINEX`. The default scored better on held-out identities of Market-1501.
    height, width : int
        In pixels; 128x64 as Market-1501's images, or 128x48 as in the paper that introduced LOMO, give 26,960 numbers.
    threads : int
        0 is one for each core.

    Raises
    ------
    ConfigurationError
        If there is no such Retinex, or no window fits into the size.
    """

    parameters = 0
    multiply_adds = None
    distance = "euclidean"

    def __init__(self, retinex: str = "none", *, height: int = 128, width: int = 64, threads: int = 0) -> None:
        if retinex not in RETINEX:
            raise ConfigurationError(f"lomo:{retinex}; expected lomo:{' or lomo:'.join(RETINEX)}")
        if not lomo_dimension(height, width):
            raise ConfigurationError(f"an input of {height}x{width} pixels; LOMO's windows take 10x10")
        self.retinex = retinex
        self.size = (height, width)
        self.threads = threads
        self.name = "lomo" if retinex == "none" else f"lomo {retinex}"

    @property
    def embedding_size(self) -> int:
        """Numbers in one descriptor."""
        return lomo_dimension(*self.size)

    @property
    def sha256(self) -> str:
        """Names the descriptor, as the SHA-256 of its weights names a network."""
        return hashlib.sha256(f"lomo-1 {self.retinex} {self.size}".encode()).hexdigest()

    def extract(self, pixels: Pixels) -> NDArray[np.float32]:
        """Images of `size`, uint8 RGB (n, height, width, 3), to descriptors, float32 (n, embedding_size)."""
        return lomo(pixels, self.retinex, workers=self.threads or None)
