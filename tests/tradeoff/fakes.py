"""Models of known cost on a clock of their own, so that no test depends on how busy the machine is."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from resight.gallery.search.index import SearchIndex
from resight.gallery.sighting import Where
from resight.images import Pixels
from resight.tradeoff.bench import Bench
from resight.tradeoff.report import Report, Row
from resight.tradeoff.speed import SpeedConfig

PROVENANCE = {
    "versions": {"python": "3.11.7", "torch": "2.13.0"},
    "hardware": {"processor": "P", "cores": 2, "accelerator": None, "load": 0.1, "system": "Linux x86_64"},
}


class Clock:
    """Seconds that go by when somebody says so."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


class TimedModel:
    """A model that takes `cost(n)` seconds for n images."""

    size, embedding_size, parameters, multiply_adds, distance, sha256 = (16, 8), 4, 10, 20, "euclidean", "f" * 64

    def __init__(self, clock: Clock, cost: Callable[[int], float], name: str = "timed") -> None:
        self.clock, self.cost, self.name = clock, cost, name
        self.calls: list[int] = []

    def extract(self, pixels: Pixels) -> NDArray[np.float32]:
        assert pixels.shape[1:] == (16, 8, 3)
        self.calls.append(len(pixels))
        self.clock.now += self.cost(len(pixels))
        return np.zeros((len(pixels), 4), np.float32)


def bench(
    model: TimedModel,
    paths: Sequence[str],
    config: SpeedConfig,
    monkeypatch: pytest.MonkeyPatch,
    *,
    read: float = 0.0,
    embed: Callable[[int], float] = lambda count: 0.001 * count,
    search: float = 0.02,
) -> Bench:
    """`model` on the bench: seconds to read a file, to embed so many files and to search once."""
    clock = model.clock

    def reading(path: str) -> Pixels:
        clock.now += read
        return np.zeros((16, 8, 3), np.uint8)

    def embedding(some: Sequence[str]) -> NDArray[np.float32]:
        clock.now += embed(len(some))
        return np.zeros((len(some), 4), np.float32)

    def searching(index: SearchIndex, query: NDArray[np.float32], k: int, where: Where) -> None:
        assert (query.shape, len(index), index.dimension, k) == ((1, model.embedding_size), 100_000, model.embedding_size, 10)
        clock.now += search

    monkeypatch.setattr(SearchIndex, "search", searching)
    return Bench(model, paths, config, read=reading, embed=embedding, clock=clock)


def row(model: str = "a, b", threads: int = 2, images_per_second: float = 1234.5, **other: object) -> Row:
    """A row with figures made up."""
    ranges = {"images_per_second": (1200.0, 1300.0), "network_images_per_second": (2300.0, 2400.0)}
    values: dict[str, object] = {
        "images_per_second": images_per_second,
        "network_images_per_second": 2345.6,
        "batch_size": 32,
        "latency_ms": 0.712,
        "latency_p95_ms": 0.93,
        "file_latency_ms": 1.0,
        "file_latency_p95_ms": 2.0,
        "by_batch": {1: 900.5, 32: 2345.6},
        "ranges": ranges,
        "model": model,
        "threads": threads,
        "parameters": 213_072,
        "multiply_adds": None,
        "embedding_size": 256,
        "input_size": (128, 64),
    }
    return Row(**values | other)  # type: ignore[arg-type]


def report(*rows: Row, **other: object) -> Report:
    """A report of these rows."""
    values: dict[str, object] = {"rows": rows, "images": {"count": 8, "sha256": "0", "mean_bytes": 9}, "provenance": PROVENANCE}
    return Report(**values | other)  # type: ignore[arg-type]
