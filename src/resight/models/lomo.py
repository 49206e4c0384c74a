"""LOMO as a model like any other: no learned parameters, any distance."""

from __future__ import annotations

import hashlib

from resight.errors import ConfigurationError
from resight.images import Pixels
from resight.lomo.descriptor import RETINEX, lomo, lomo_dimension
from resight.models.model import Model, Vectors

__all__ = ["LomoModel"]


class LomoModel(Model):
    """LOMO descriptors of images of one size.

    Parameters
    ----------
    retinex : str
        A value of `resight.lomo.descriptor.RETINEX`. The default scored better on held-out identities of Market-1501.
    height, width : int
        Input size in pixels. 128x64, the size of Market-1501's images, and 128x48, the size in LOMO's paper, give 26,960 numbers.
    threads : int
        0 is one for each usable core.

    Raises
    ------
    ConfigurationError
        If the Retinex is unknown, or the size is smaller than a window.
    """

    distance = "euclidean"
    parameters = 0
    multiply_adds = None

    def __init__(self, retinex: str = "none", *, height: int = 128, width: int = 64, threads: int = 0) -> None:
        if retinex not in RETINEX:
            raise ConfigurationError(f"lomo:{retinex}; expected lomo:{' or lomo:'.join(RETINEX)}")
        if not lomo_dimension(height, width):
            raise ConfigurationError(f"an input of {height}x{width} pixels is too small; LOMO's windows take 10x10")
        self.name = "lomo" if retinex == "none" else f"lomo {retinex}"
        self.sha256 = hashlib.sha256(f"lomo-1 {retinex} {(height, width)}".encode()).hexdigest()  # names the descriptor
        self.size = (height, width)
        self.embedding_size = lomo_dimension(height, width)
        self.retinex = retinex
        self.threads = threads

    def extract(self, pixels: Pixels) -> Vectors:
        """See `Model.extract`."""
        return lomo(pixels, self.retinex, workers=self.threads or None)
