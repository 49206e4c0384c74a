"""Speed of a model: settings of its measurement, and its figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from resight.errors import ConfigurationError

__all__ = ["SEARCHED", "Speed", "SpeedConfig", "batch_name"]

SEARCHED = 100_000
"""Vectors of the gallery in which one query is searched."""


@dataclass(frozen=True, kw_only=True)
class SpeedConfig:
    """Settings of a measurement of speed.

    Attributes
    ----------
    rounds : int
        Counted rounds; a figure is the median over them.
    batch_sizes : tuple of int
        Images given to a model at once; the fastest size is reported. A model may divide them.
    seconds : float
        Shortest time for a figure of a round. The figure of files instead takes all files once.
    seed : int
        Seed of the order of the models in each round.
    """

    rounds: int = 5
    batch_sizes: tuple[int, ...] = (1, 8, 32, 64)
    seconds: float = 0.5
    seed: int = 0

    def __post_init__(self) -> None:
        if self.rounds < 1:
            raise ConfigurationError(f"{self.rounds} rounds; expected at least 1")
        if not self.batch_sizes or min(self.batch_sizes) < 1 or len(set(self.batch_sizes)) < len(self.batch_sizes):
            raise ConfigurationError(f"batch sizes {self.batch_sizes}; expected one or more numbers from 1 on, each once")
        if not self.seconds > 0:
            raise ConfigurationError(f"{self.seconds} seconds for a figure; expected more than 0")


@dataclass(frozen=True, kw_only=True)
class Speed:
    """Speed of one model; each figure is the median over the rounds.

    Attributes
    ----------
    images_per_second : float
        Speed from files to vectors, with decoding and resizing, all files in one call, as the paper reports it.
    network_images_per_second : float
        Speed from decoded pixels in memory to vectors, at the fastest batch size.
    batch_size : int
        Fastest batch size.
    latency_ms, latency_p95_ms : float
        Time from the decoded pixels of one image to its vector, in milliseconds: median and 95th percentile of a round.
    file_latency_ms, file_latency_p95_ms : float
        The same from one file.
    search_ms : float or None
        Milliseconds to find the 10 nearest of `SEARCHED` vectors to one, by Euclidean distance; None if they need over 2 GiB.
    memory_mb : float or None
        Peak memory of a process that does nothing else, without the search, in MB of 10^6 bytes; None if it is unknown.
    by_batch : dict of int to float
        Images per second, from decoded pixels, for each batch size.
    ranges : dict of str to tuple of two floats
        The smallest and the largest round of each figure above.
    """

    images_per_second: float
    network_images_per_second: float
    batch_size: int
    latency_ms: float
    latency_p95_ms: float
    file_latency_ms: float
    file_latency_p95_ms: float
    search_ms: float | None = None
    memory_mb: float | None = None
    by_batch: dict[int, float]
    ranges: dict[str, tuple[float, float]]

    @classmethod
    def over(cls, rounds: Sequence[Mapping[str, float]], batch_sizes: Sequence[int]) -> Speed:
        """Speed over the rounds of a `resight.tradeoff.bench.Bench`."""
        values = {name: [one_round[name] for one_round in rounds] for name in rounds[0]}
        batches = {size: values.pop(batch_name(size)) for size in batch_sizes}
        by_batch = {size: float(np.median(rates)) for size, rates in batches.items()}
        best = max(by_batch, key=lambda size: by_batch[size])
        values["network_images_per_second"] = batches[best]
        return cls(
            **{name: float(np.median(found)) for name, found in values.items()},
            batch_size=best,
            by_batch=by_batch,
            ranges={name: (min(found), max(found)) for name, found in values.items()},
        )


def batch_name(size: int) -> str:
    """Name of the figure of a batch size."""
    return f"batch_{size}"
