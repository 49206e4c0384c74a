"""Turn a uint8 array into the batches that a network sees: choose rows, mirror, blur, shift, colour, erase."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from resight.images import Pixels, Preprocessing

__all__ = ["Batches", "View"]


class View(NamedTuple):
    """Images of a batch, and how each is changed.

    Attributes
    ----------
    rows : int64 array of shape (n,)
        Places of the images in the array of all images.
    flips : bool array of shape (n,), optional
        True for images that are mirrored left to right.
    shifts : int array of shape (n, 2), optional
        Pixels by which each image is moved down and right after mirroring; what becomes free is black. (A shift by -p to p is
        the same as padding by p and cropping a random window of the old size.)
    erased : int array of shape (n, 4), optional
        Top, left, height and width of a rectangle of each image, after the shift, that is set to the mean colour; a height of 0
        erases nothing.
    colours : float32 array of shape (n, 3, 4), optional
        Colour change of each image, on RGB values from 0 to 1: ``new = colours[:, :3] @ old + colours[:, 3]``, cut off at 0 and 1.
        The image with the identity and zeros stays as it is.
    detail : float array of shape (n,), optional
        Share of its height and width to which each image is shrunk before it is enlarged again; 1 keeps all detail.
    """

    rows: NDArray[np.int64]
    flips: NDArray[np.bool_] | None = None
    shifts: NDArray[np.int64] | None = None
    erased: NDArray[np.int64] | None = None
    colours: NDArray[np.float32] | None = None
    detail: NDArray[np.float64] | None = None


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

    def __call__(self, view: View) -> Tensor:
        """Return the images of a view: float32 (n, 3, height, width), channels last in memory."""
        if self._resident is not None:
            batch = self._resident[torch.from_numpy(view.rows).to(self.device)]
        else:
            batch = torch.from_numpy(np.ascontiguousarray(self._pixels[view.rows])).to(self.device)
        if view.flips is not None and view.flips.any():
            mirrored = torch.from_numpy(np.flatnonzero(view.flips)).to(self.device)
            batch[mirrored] = batch[mirrored].flip(2)
        if view.detail is not None and (view.detail < 1).any():
            batch = _coarser(batch, view.detail)
        if view.shifts is not None and view.shifts.any():
            batch = _shifted(batch, view.shifts)
        values = batch.to(torch.float32)
        if view.colours is not None:
            values = _recoloured(values, torch.from_numpy(view.colours).to(self.device))
        if self._bgr:
            values = values.flip(3)
        # The array is (n, h, w, 3): seen as (n, 3, h, w) it has channels-last memory already.
        images = values.permute(0, 3, 1, 2).mul_(self._scale).add_(self._shift)
        if view.erased is not None:
            for image, (top, left, height, width) in zip(images, view.erased.tolist(), strict=True):
                image[:, top : top + height, left : left + width] = 0
        return images


def _shifted(batch: Tensor, shifts: NDArray[np.int64]) -> Tensor:
    moved = torch.zeros_like(batch)
    height, width = batch.shape[1:3]
    for image, result, (down, right) in zip(batch, moved, shifts.tolist(), strict=True):
        rows, columns = slice(max(down, 0), height + min(down, 0)), slice(max(right, 0), width + min(right, 0))
        from_rows, from_columns = slice(max(-down, 0), height - max(down, 0)), slice(max(-right, 0), width - max(right, 0))
        result[rows, columns] = image[from_rows, from_columns]
    return moved


def _coarser(batch: Tensor, detail: NDArray[np.float64]) -> Tensor:
    """Shrink images by averaging areas and enlarge them again, as a camera that is far away would show them."""
    images = batch.cpu().numpy()
    height, width = images.shape[1:3]
    for row in np.flatnonzero(detail < 1):
        size = max(round(width * detail[row]), 1), max(round(height * detail[row]), 1)
        small = cv2.resize(images[row], size, interpolation=cv2.INTER_AREA)
        images[row] = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    return torch.from_numpy(images).to(batch.device)


def _recoloured(values: Tensor, colours: Tensor) -> Tensor:
    """Apply a matrix and an offset to the colours of each image, (n, height, width, 3) with values from 0 to 255."""
    flat = values.flatten(1, 2)
    changed = torch.baddbmm(255 * colours[:, None, :, 3], flat, colours[:, :, :3].transpose(1, 2))
    return changed.clamp_(0, 255).view_as(values)
