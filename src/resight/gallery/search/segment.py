"""Rows of an index that never change, sorted by camera and time, with one byte a number for a first look."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from resight.distances.distance import UNIT, Distance, Spatial
from resight.distances.vectors import squared_norms

__all__ = ["UNKNOWN_TIME", "Rows", "Segment"]

UNKNOWN_TIME = np.iinfo(np.int64).min
"""Time, in microseconds, of a row without one; before all others."""

_BLOCK = 262_144  # numbers at a time that stay in the processor's cache
_MIDDLE, _LEVELS = 127.5, 255

Mask = NDArray[np.bool_]


class Rows(NamedTuple):
    """Rows of an index, in any order.

    Attributes
    ----------
    ids : bytes array of shape (n,)
    cameras : int64 array of shape (n,)
        Number of each row's camera.
    times : int64 array of shape (n,)
        In microseconds; `UNKNOWN_TIME` if unknown.
    vectors : float32 array of shape (n, d)
    """

    ids: NDArray[np.bytes_]
    cameras: NDArray[np.int64]
    times: NDArray[np.int64]
    vectors: NDArray[np.float32]

    def take(self, which: NDArray[Any]) -> Rows:
        """Some rows, by number or by mask."""
        return Rows(self.ids[which], self.cameras[which], self.times[which], self.vectors[which])

    @staticmethod
    def concatenate(parts: Sequence[Rows]) -> Rows:
        """All rows of `parts`."""
        ids, cameras, times, vectors = zip(*parts, strict=True)
        return Rows(np.concatenate(ids), np.concatenate(cameras), np.concatenate(times), np.concatenate(vectors))


class Segment:
    """Rows that never change.

    Parameters
    ----------
    rows : Rows
        At least one.
    distance : Distance

    Attributes
    ----------
    rows : Rows
        Sorted by camera, and each camera's by time.
    codes : uint8 array of shape (n, d)
        (x - centre) / step + 127.5, rounded, for the points x of the rows. All numbers have one step, so that distances of codes
        are proportional to those of points. Codes, centre, step and error exist only if the distance is `Spatial`.
    centre : float32 array of shape (d,)
    step : float32
    error : float
        Largest distance of a row's point from the point of its code.
    squares : float64 array of shape (n,)
        Squared norms of the vectors.
    """

    def __init__(self, rows: Rows, distance: Distance) -> None:
        order = np.lexsort((rows.times, rows.cameras))
        self.rows = rows if (order[1:] > order[:-1]).all() else rows.take(order)
        self._cameras, starts = np.unique(self.rows.cameras, return_index=True)
        self._edges = [*starts.tolist(), len(order)]
        self.squares = squared_norms(self.rows.vectors)
        if isinstance(distance, Spatial):
            self._quantise(distance)

    def __len__(self) -> int:
        return len(self.rows.ids)

    def cameras(self) -> Iterator[tuple[int, NDArray[np.int64]]]:
        """Number of each camera, and the times of its rows in increasing order."""
        for camera, (start, stop) in zip(self._cameras.tolist(), itertools.pairwise(self._edges), strict=True):
            yield camera, self.rows.times[start:stop]

    def mask(self, allowed: Callable[[int], bool], since: int | None, until: int | None) -> Mask:
        """True for the rows by an allowed camera, at or after `since` and before `until` (microseconds)."""
        mask = np.zeros(len(self), np.bool_)
        for camera, (start, stop) in zip(self._cameras.tolist(), itertools.pairwise(self._edges), strict=True):
            if allowed(camera):
                times = self.rows.times[start:stop]
                low = np.searchsorted(times, since if since is not None else UNKNOWN_TIME + (until is not None))
                high = len(times) if until is None else np.searchsorted(times, until)
                mask[start + low : start + high] = True
        return mask

    def code_of(self, query: NDArray[np.float32]) -> tuple[NDArray[np.uint8], float, float]:
        """Encode a point of shape (d,).

        Returns
        -------
        uint8 array of shape (1, d)
        float
            Distance of the code's point from the nearest point of the box that holds all rows.
        float
            Distance of the given point from that one. The box is convex, so a row at distance r from the nearest point is at least
            at distance hypot(r, this) from the given point.
        """
        code = self._encode(query[None] - self.centre)[0]
        rest, half = query.astype(np.float64) - self.centre, _MIDDLE * float(self.step)
        inside = np.clip(rest, -half, half)
        error = np.linalg.norm(inside - (code - _MIDDLE) * float(self.step))
        return code[None], float(error), float(np.linalg.norm(rest - inside))

    def nearest_codes(self, part: slice, code: NDArray[np.uint8], kept: int, mask: Mask | None) -> tuple[NDArray[np.int64], float]:
        """Find the rows of a part, within `mask`, with the codes nearest to one of shape (1, d).

        Returns
        -------
        int64 array of shape (m,)
            At most `kept` rows.
        float
            Lower bound on the distance of all other codes from the given one, in the space of the points.
        """
        allowed = None if mask is None else mask[None, part].view(np.uint8)
        kept = min(kept, part.stop - part.start)
        # Integers are exact: 255^2 times 33,025 numbers is less than 2^31.
        squares, rows = cv2.batchDistance(code, self.codes[part], cv2.CV_32S, normType=cv2.NORM_L2SQR, K=kept, mask=allowed)
        found = rows[0] >= 0
        bound = float(self.step * np.sqrt(float(squares[0, -1]))) if found.all() and kept < part.stop - part.start else np.inf
        return rows[0, found].astype(np.int64) + part.start, bound

    def _quantise(self, distance: Spatial) -> None:
        vectors = self.rows.vectors
        dimensions = vectors.shape[1]
        count = max(1, _BLOCK // dimensions)
        blocks = [slice(start, start + count) for start in range(0, len(vectors), count)]
        low, high = np.full(dimensions, np.inf, np.float32), np.full(dimensions, -np.inf, np.float32)
        for block in blocks:
            several = distance.points(vectors[block])
            np.minimum(low, several.min(axis=0), out=low)
            np.maximum(high, several.max(axis=0), out=high)
        self.centre = low / 2 + high / 2
        self.step = np.float32(2 * max((high - self.centre).max(), (self.centre - low).max()) / _LEVELS) or np.float32(1)
        self.codes = np.empty(vectors.shape, np.uint8)
        largest = 0.0
        for block in blocks:
            rest = distance.points(vectors[block]) - self.centre
            self.codes[block] = self._encode(rest)
            rest -= (self.codes[block] - np.float32(_MIDDLE)) * self.step
            largest = max(largest, float(np.einsum("ij,ij->i", rest, rest).max()))
        # Plus rounding errors of float32: of a sum of squares, and of each number, which is at most 255 steps.
        self.error = math.sqrt(largest) * (1 + 2 * dimensions * UNIT) + 4 * UNIT * _LEVELS * float(self.step) * math.sqrt(
            dimensions
        )

    def _encode(self, rest: NDArray[Any]) -> NDArray[np.uint8]:
        """Codes of points less the centre."""
        codes = rest / self.step
        codes += _MIDDLE
        np.rint(codes, out=codes)
        return np.clip(codes, 0, _LEVELS, out=codes).astype(np.uint8)
