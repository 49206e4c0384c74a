"""Ways between cameras: nobody is in two places at once, and a way takes its time."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Protocol

import numpy as np

from resight.errors import ConfigurationError

__all__ = ["Passage", "Ways", "learn_ways"]

Pair = tuple[str, str]


class Passage(Protocol):
    """One person's path past one camera; a `Tracklet` is one."""

    @property
    def camera(self) -> str:
        """Name of the camera."""

    @property
    def start(self) -> float:
        """Seconds, of a clock that all cameras share."""

    @property
    def end(self) -> float:
        """Seconds."""


@dataclass(frozen=True, kw_only=True)
class Ways:
    """Travel times between cameras, in seconds from leaving the first to appearing at the second.

    Attributes
    ----------
    shortest, longest : mapping of (camera, camera) to float
        A missing pair takes at least 0 seconds, and any time at most. A negative number means that the views overlap, or that
        the clocks differ.

    Raises
    ------
    ConfigurationError
        If a longest time is below the shortest.
    """

    shortest: Mapping[Pair, float] = field(default_factory=dict)
    longest: Mapping[Pair, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for pair, most in self.longest.items():
            least = self.shortest.get(pair, 0.0)
            if not most >= least:
                raise ConfigurationError(f"way from {pair[0]} to {pair[1]}: {least} to {most} seconds; expected the longest last")

    def possible(self, passages: Iterable[Passage]) -> bool:
        """Tell if one person can have gone all these passages."""
        ordered = sorted(passages, key=lambda one: (one.start, one.end))
        for one, other in itertools.combinations(ordered, 2):
            if other.start - one.end < self.shortest.get((one.camera, other.camera), 0.0):
                return False
        return all(
            other.start - one.end <= self.longest.get((one.camera, other.camera), inf) for one, other in itertools.pairwise(ordered)
        )


def learn_ways(passages: Sequence[Passage], people: Sequence[str], *, least: int = 10, left_out: float = 0.01) -> Ways:
    """Learn travel times from passages of people who are known.

    Parameters
    ----------
    passages : sequence of Passage
    people : sequence of str
        Identity of each passage.
    least : int
        Number of passages from one camera to another that are needed to learn their travel time.
    left_out : float
        Share of the passages, at either end, that count as mistakes.

    Returns
    -------
    Ways
        Times with a margin of a fifth of their spread on both sides.
    """
    by_person = defaultdict(list)
    for passage, person in zip(passages, people, strict=True):
        by_person[person].append(passage)
    gaps = defaultdict(list)
    for mine in by_person.values():
        ordered = sorted(mine, key=lambda one: (one.start, one.end))
        for one, other in itertools.pairwise(ordered):
            gaps[one.camera, other.camera].append(other.start - one.end)
    shortest, longest = {}, {}
    for pair, seconds in gaps.items():
        if len(seconds) >= least:
            low, high = np.quantile(seconds, [left_out, 1 - left_out]).tolist()
            margin = 0.2 * (high - low)
            shortest[pair], longest[pair] = low - margin, high + margin
            if pair[0] == pair[1]:
                shortest[pair] = max(shortest[pair], 0.0)
    return Ways(shortest=shortest, longest=longest)
