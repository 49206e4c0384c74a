"""Patterns on the clothes of drawn people. A pattern goes around the body, so that each camera sees its own side of it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["PATTERNS", "paint"]

Grid = NDArray[np.floating]


def _wave(values: Grid, times: float) -> NDArray[np.bool_]:
    """Bands, half of them on, `times` of them in each unit."""
    return (values * times) % 1 < 0.5


PATTERNS: dict[str, Callable[[Grid, Grid], NDArray[np.bool_]]] = {
    "plain": lambda turn, down: np.zeros(np.broadcast_shapes(turn.shape, down.shape), bool),
    "hoops": lambda turn, down: _wave(down + 0 * turn, 8),
    "wide hoops": lambda turn, down: _wave(down + 0.03 + 0 * turn, 5),
    "stripes": lambda turn, down: _wave(turn + 0 * down, 8),
    "wide stripes": lambda turn, down: _wave(turn + 0.125 + 0 * down, 4),
    "check": lambda turn, down: _wave(down, 7) ^ _wave(turn, 6),
    "dots": lambda turn, down: ((turn * 7 % 1) - 0.5) ** 2 + ((down * 11 % 1) - 0.5) ** 2 < 0.1,
    "zigzag": lambda turn, down: _wave(down + 0.1 * abs((turn * 4 % 1) - 0.5), 8),
    "band": lambda turn, down: abs(down - 0.31 + 0 * turn) < 0.04,
    "yoke": lambda turn, down: down + 0 * turn < 0.28,
    "dip": lambda turn, down: down + 0 * turn > 0.4,
    "sash": lambda turn, down: abs(down - 0.33 - 0.14 * np.sin(2 * np.pi * turn)) < 0.035,
    "badge": lambda turn, down: (turn * 1.1) ** 2 + (down - 0.3) ** 2 < 0.0036,
    "open": lambda turn, down: abs(turn + 0 * down) < 0.085,
    "sides": lambda turn, down: abs(abs(turn + 0 * down) - 0.25) < 0.09,
}
"""Places of the second colour, from the turn around the body (0 is the front, 0.5 the back) and the height (0 head, 1 feet)."""


def paint(
    pattern: str,
    colours: tuple[tuple[int, int, int], tuple[int, int, int]],
    across: Grid,
    down: Grid,
    *,
    view: float,
    light: float,
) -> NDArray[np.uint8]:
    """Paint a piece of cloth as it hangs around a body.

    Parameters
    ----------
    pattern : str
        A key of `PATTERNS`.
    colours : tuple of two colours
        Colours of the cloth and of the pattern, as RGB.
    across : float array of shape (w,)
        Columns, -1 at the left edge of the body to 1 at its right edge.
    down : float array of shape (h,)
        Rows, as parts of the figure's height.
    view : float
        Direction in radians from which the body is seen; 0 is the front.
    light : float
        Side of the light, -1 to 1.

    Returns
    -------
    uint8 array of shape (h, w, 3)
    """
    angle = np.arcsin(np.clip(across, -1, 1))
    turn = (((angle - view) / (2 * np.pi) + 0.5) % 1 - 0.5).astype(np.float32)[None, :]
    rows = down.astype(np.float32)[:, None]
    mask = PATTERNS[pattern](turn, rows)[..., None]
    cloth = np.where(mask, *np.array(colours[::-1], np.float32))
    folds = 0.05 * np.sin(38 * turn + 14 * rows) * np.clip(rows * 3 - 0.5, 0, 1)
    shading = 1.08 - 0.3 * (across - 0.45 * light).astype(np.float32)[None, :] ** 2 + folds
    painted: NDArray[np.uint8] = np.minimum(cloth * shading[..., None], 255).astype(np.uint8)
    return painted
