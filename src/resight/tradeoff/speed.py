"""How fast a model is here and now: one image at a time and in batches, from pixels and from files, round by round.

Every figure ends with vectors in the memory of the processor, so that the time of a GPU is in it without asking the GPU to wait.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from resight.errors import ConfigurationError, ImageError, ResightError
from resight.gallery.search.index import SearchIndex
from resight.gallery.sighting import EVERYTHING
from resight.images import Pixels, read_images, read_into
from resight.models.embedding import embed_files
from resight.models.model import Model
from resight.progress import Progress, silent

__all__ = ["SEARCHED", "Bench", "Speed", "SpeedConfig", "interleaved"]

SEARCHED = 100_000
"""Vectors of the gallery that one query is searched in."""

_SINGLES = 20  # images of a latency at the least: the 95th percentile needs some
_MOST_SEARCHED = 2 * 2**30  # bytes of such a gallery

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class SpeedConfig:
    """How speed is measured.

    Attributes
    ----------
    rounds : int
        Counted rounds; a figure is the median over them.
    batch_sizes : tuple of int
        Images that are handed to a model at once; the fastest size is reported. A model may divide what it is handed.
    seconds : float
        A figure of a round takes at least this long, the one of files apart: that takes what all files take, once.
    seed : int
        Of the order of the models in each round.
    """

    rounds: int = 5
    batch_sizes: tuple[int, ...] = (1, 8, 32, 64)
    seconds: float = 0.5
    seed: int = 0

    def __post_init__(self) -> None:
        if self.rounds < 1:
            raise ConfigurationError(f"{self.rounds} rounds; speed is measured with at least one")
        if not self.batch_sizes or min(self.batch_sizes) < 1 or len(set(self.batch_sizes)) < len(self.batch_sizes):
            raise ConfigurationError(f"batch sizes {self.batch_sizes}; expected one or more numbers from 1 on, each once")
        if not self.seconds > 0:
            raise ConfigurationError(f"{self.seconds} seconds for a figure; expected more than 0")


@dataclass(frozen=True, kw_only=True)
class Speed:
    """How fast one model is; each figure is the median over the rounds.

    Attributes
    ----------
    images_per_second : float
        From files to vectors, decoding and resizing included, all files in one call: what the paper reports.
    network_images_per_second : float
        From decoded pixels in memory to vectors, at the fastest batch size.
    batch_size : int
        The fastest one.
    latency_ms, latency_p95_ms : float
        From the decoded pixels of one image to its vector, in milliseconds: the median and the 95th percentile of a round.
    file_latency_ms, file_latency_p95_ms : float
        The same from one file.
    search_ms : float or None
        Milliseconds for the 10 nearest of `SEARCHED` vectors to one, by Euclidean distance; None where they would take over 2 GiB.
    memory_mb : float or None
        The most memory of a process that does nothing else, the search apart, in MB of 10^6 bytes; None where it is not known.
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
        """What the rounds of a `Bench` come to."""
        values = {name: [one_round[name] for one_round in rounds] for name in rounds[0]}
        batches = {size: values.pop(_batch(size)) for size in batch_sizes}
        by_batch = {size: float(np.median(rates)) for size, rates in batches.items()}
        best = max(by_batch, key=lambda size: by_batch[size])
        values["network_images_per_second"] = batches[best]
        return cls(
            **{name: float(np.median(found)) for name, found in values.items()},
            batch_size=best,
            by_batch=by_batch,
            ranges={name: (min(found), max(found)) for name, found in values.items()},
        )


class Bench:
    """A model on the test bench, in this process.

    Parameters
    ----------
    extractor : Model
    paths : sequence of str
        Image files.
    config : SpeedConfig
    read : callable, optional
        A file to the pixels that `extractor` takes; Resight's way unless given.
    embed : callable, optional
        Files to vectors; Resight's way unless given.
    clock : callable
        Seconds, from any start.

    Raises
    ------
    ConfigurationError
        If there is no image.
    """

    def __init__(
        self,
        extractor: Model,
        paths: Sequence[str],
        config: SpeedConfig,
        *,
        read: Callable[[str], Pixels] | None = None,
        embed: Callable[[Sequence[str]], NDArray[np.float32]] | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        if not paths:
            raise ConfigurationError("there is no image to measure speed on")
        self.extractor = extractor
        self._paths = paths
        self._config = config
        self._read = read or (lambda path: _read(path, extractor.size))
        self._embed = embed or (lambda some: embed_files(extractor, some))
        self._clock = clock
        most = max(config.batch_sizes)
        few = read_images(paths[:most], extractor.size)
        self._pixels = few[np.arange(max(most, len(few))) % len(few)]  # repeated where there are fewer than a batch

    def about(self) -> dict[str, Any]:
        """What a `resight.tradeoff.report.Row` tells of the model itself."""
        model = self.extractor
        return {
            "model": model.name,
            "sha256": model.sha256,
            "parameters": model.parameters,
            "multiply_adds": model.multiply_adds,
            "embedding_size": model.embedding_size,
            "input_size": model.size,
        }

    def warm_up(self) -> None:
        """Do everything once that a round does, and count nothing: compilers, caches and allocators settle."""
        for size in self._config.batch_sizes:
            self.extractor.extract(self._pixels[:size])
        self.extractor.extract(self._read(self._paths[0])[None])
        self._embed(self._paths[: len(self._pixels)])

    def one_round(self) -> dict[str, float]:
        """Measure each figure once, but for the search; see `Speed.over`. Raises whatever the model raises."""
        extract, pixels, paths = self.extractor.extract, self._pixels, self._paths
        figures = self._latency("latency", lambda i: extract(pixels[i % len(pixels)][None]))
        figures |= self._latency("file_latency", lambda i: extract(self._read(paths[i % len(paths)])[None]))
        for size in self._config.batch_sizes:
            times = self._times(lambda _, size=size: extract(pixels[:size]))  # type: ignore[misc]
            figures[_batch(size)] = size * len(times) / sum(times)
        start = self._clock()
        self._embed(paths)
        figures["images_per_second"] = len(paths) / (self._clock() - start)
        return figures

    def search(self) -> dict[str, float]:
        """Measure a gallery's exact search in vectors of the model's size; nothing where they would take over 2 GiB."""
        size = self.extractor.embedding_size
        if 4 * size * SEARCHED > _MOST_SEARCHED:
            return {}
        rng = np.random.default_rng(0)
        gallery, query = rng.random((SEARCHED, size), np.float32), rng.random((1, size), np.float32)
        index = SearchIndex(size, "euclidean")
        index.add([f"{number:032x}" for number in range(SEARCHED)], [""] * SEARCHED, [None] * SEARCHED, gallery)
        return {"search_ms": 1000 * float(np.median(self._times(lambda _: index.search(query, 10, EVERYTHING))))}

    def _latency(self, name: str, work: Callable[[int], Any]) -> dict[str, float]:
        middle, high = np.percentile(self._times(work, _SINGLES), [50, 95])
        return {f"{name}_ms": 1000 * float(middle), f"{name}_p95_ms": 1000 * float(high)}

    def _times(self, work: Callable[[int], Any], least: int = 1) -> list[float]:
        """Seconds of each call: `least` of them or more, until they took as long as a figure takes. The first does not count."""
        work(0)
        times: list[float] = []
        start = now = self._clock()
        while len(times) < least or now - start < self._config.seconds:
            before = now
            work(len(times))
            now = self._clock()
            times.append(now - before)
        return times


def interleaved(
    works: Sequence[Callable[[], T]],
    rounds: int,
    *,
    seed: int = 0,
    names: Sequence[str] = (),
    stage: str = "timing",
    progress: Progress = silent,
) -> list[list[T] | ResightError]:
    """Call each once in every round, so that a slow minute of the machine hits all of them.

    Parameters
    ----------
    works : sequence of callables
    rounds : int
    seed : int
        The order is shuffled anew for each round.
    names : sequence of str
        Of the works, for the progress.
    stage : str
    progress : Progress

    Returns
    -------
    list
        For each of `works` what it returned in each round; or the error of the one that failed, which is not called again.
    """
    rng = random.Random(seed)
    found: list[list[T] | ResightError] = [[] for _ in works]
    for turn in range(rounds):
        for place, number in enumerate(rng.sample(range(len(works)), len(works)), 1):
            results = found[number]
            if not isinstance(results, ResightError):
                try:
                    results.append(works[number]())
                except ResightError as error:
                    found[number] = error
            progress(stage, turn * len(works) + place, rounds * len(works), names[number] if names else "")
    return found


def _read(path: str, size: tuple[int, int]) -> Pixels:
    """One image as `read_images` reads it, without its threads."""
    pixels: Pixels = np.empty((*size, 3), np.uint8)
    for reason in read_into([path], pixels[None]).values():
        raise ImageError(f"{path}: {reason}")
    return pixels


def _batch(size: int) -> str:
    return f"batch_{size}"
