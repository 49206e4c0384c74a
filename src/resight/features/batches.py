"""From a uint8 array in memory to the batches that a network sees: choose rows, mirror, normalise."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from resight.images import Pixels, Preprocessing

__all__ = ["Batches"]


class Batches:
    """Batches of normalised images from one uint8 array.

    On a GPU the array is copied there once if it takes at most half of the free memory, and all further work is done there.

    Parameters
    ----------
    pixels : uint8 array of shape (n, height, width, 3)
        RGB; may be memory-mapped.
    preprocessing : Preprocessing
    device : torch.device
    """

    def __init__(self, pixels: Pixels, preprocessing: Preprocessing, device: torch.device) -> None:
        self.device = device
        self._pixels = pixels
        self._bgr = preprocessing.colour == "bgr"
        scale, shift = preprocessing.affine()
        self._scale = torch.from_numpy(scale).to(device).view(1, 3, 1, 1)
        self._shift = torch.from_numpy(shift).to(device).view(1, 3, 1, 1)
        self._resident: Tensor | None = None
        if device.type == "cuda" and pixels.nbytes <= 0.5 * torch.cuda.mem_get_info(device)[0]:
            self._resident = torch.from_numpy(np.ascontiguousarray(pixels)).to(device)

    def __call__(self, rows: NDArray[np.int64], flips: NDArray[np.bool_] | None = None) -> Tensor:
        """Images `rows`, mirrored where `flips`: float32 (len(rows), 3, height, width), channels last in memory."""
        if self._resident is not None:
            batch = self._resident[torch.from_numpy(rows).to(self.device)]
        else:
            batch = torch.from_numpy(np.ascontiguousarray(self._pixels[rows])).to(self.device)
        if flips is not None and flips.any():
            mirrored = torch.from_numpy(np.flatnonzero(flips)).to(self.device)
            batch[mirrored] = batch[mirrored].flip(2)
        if self._bgr:
            batch = batch.flip(3)
        # The array is (n, h, w, 3): seen as (n, 3, h, w) it has channels-last memory already.
        return batch.permute(0, 3, 1, 2).to(torch.float32).mul_(self._scale).add_(self._shift)
