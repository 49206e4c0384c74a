"""Learning rate as a function of the step."""

from __future__ import annotations

import math

__all__ = ["cosine_decay", "step_decay", "warm_up"]


def step_decay(step: int, *, initial: float, every: int, factor: float) -> float:
    """Multiply the learning rate by `factor` after every `every` steps (iterations, not epochs).

    Examples
    --------
    >>> step_decay(19_999, initial=0.01, every=20_000, factor=0.1)
    0.01
    >>> step_decay(20_000, initial=0.01, every=20_000, factor=0.1)
    0.001
    """
    return float(initial * factor ** (step // every))


def cosine_decay(step: int, *, initial: float, steps: int) -> float:
    """Learning rate that falls from `initial` to nearly 0 along half a cosine (Loshchilov and Hutter, "SGDR", 2017, no restarts).

    Examples
    --------
    >>> [round(cosine_decay(step, initial=1.0, steps=4), 3) for step in range(4)]
    [1.0, 0.854, 0.5, 0.146]
    """
    return initial * 0.5 * (1 + math.cos(math.pi * step / steps))


def warm_up(step: int, *, steps: int, start: float = 0.01) -> float:
    """Factor that rises from `start` to 1 in a straight line over the first `steps` steps (Luo et al., 2019).

    Examples
    --------
    >>> [warm_up(step, steps=2, start=0.0) for step in range(4)]
    [0.0, 0.5, 1.0, 1.0]
    """
    return 1.0 if step >= steps else start + (1 - start) * step / steps
