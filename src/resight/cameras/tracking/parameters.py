"""Assumptions of a tracker about people and detectors. Lengths are in heights and widths of boxes, times in seconds."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from resight.errors import ConfigurationError

__all__ = ["Parameters"]


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """Parameters of a tracker; the same for all videos. `docs/experiments.md` says how they were chosen.

    Attributes
    ----------
    low, high, birth : float
        Confidence of a box: from `low` on it can continue a track that was seen just now, from `high` on any track, and from
        `birth` on it can begin one.
    confirm : int
        Boxes after which a track counts as somebody.
    tentative, lost : float
        Seconds without a box after which a track ends, before and after it counts.
    appearance : float
        Weight of the cosine distance beside the overlap.
    now, later, faint : float
        Largest cosine distance to a track that was seen just now, to one that was out of sight, and of a box below `high`.
    margin : float
        By how much a box may look less like a track than like the most similar one nearby.
    memory : float
        Share of a track's former appearance that stays with each new box.
    hidden : float
        Share of a box, behind somebody nearer, from which on it does not change the track's appearance.
    reach, spread, farthest : float
        Boxes are grown by `reach`, and by `spread` more for each second out of sight, up to `farthest`, before they are compared.
    near, near_low : float
        Least overlap of grown boxes, and of a box below `high` as it is.
    size, growth : float
        By how much the logarithm of the height may change while out of sight, and how much more each second.
    double : float
        A box that overlaps more than this with somebody's begins no track.

    Raises
    ------
    ConfigurationError
        If a number is out of range.
    """

    low: float = 0.1
    high: float = 0.4
    birth: float = 0.6
    confirm: int = 3
    tentative: float = 0.2
    lost: float = 8.0
    appearance: float = 4.0
    now: float = 0.4
    later: float = 0.35
    faint: float = 0.7
    margin: float = 0.1
    memory: float = 0.9
    hidden: float = 0.3
    reach: float = 0.1
    spread: float = 2.0
    farthest: float = 1.5
    near: float = 0.1
    near_low: float = 0.5
    size: float = 0.25
    growth: float = 0.05
    double: float = 0.6

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not 0 <= value < 1e6:
                raise ConfigurationError(f"tracker: {name} is {value}; expected 0 or more")
        if not self.low <= self.high <= self.birth:
            raise ConfigurationError(
                f"tracker: low {self.low}, high {self.high}, birth {self.birth}; expected each at least as large as the one before"
            )
        if self.memory >= 1:
            raise ConfigurationError(f"tracker: memory is {self.memory}; expected less than 1, or no new box would count")
