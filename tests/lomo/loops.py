"""The compiled loops as functions that return their result."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from resight.lomo.retinex import blur_matrices, msrcp_into
from resight.lomo.siltp import gray_into, siltp_into

Pixels = NDArray[np.uint8]


def gray_level(image: Pixels) -> Pixels:
    gray = np.empty(image.shape[:2], np.uint8)
    gray_into(image, gray)
    return gray


def siltp(gray: NDArray[np.float64], radius: int) -> Pixels:
    codes = np.empty(gray.shape, np.uint8)
    siltp_into(np.ascontiguousarray(gray, np.float64), radius, codes)
    return codes


def msrcp(image: Pixels) -> Pixels:
    out = np.empty(image.shape, np.uint8)
    msrcp_into(np.ascontiguousarray(image), *blur_matrices(*image.shape[:2]), out)
    return out
