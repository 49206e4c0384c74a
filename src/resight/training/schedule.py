"""Learning rate as a function of the step."""

from __future__ import annotations

__all__ = ["step_decay"]


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
