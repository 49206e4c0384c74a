"""The test bench: a model is timed on one image and on batches, from pixels and from files, round by round.

Every figure ends with vectors in the processor's memory, so it includes the time of a GPU without asking the GPU to wait.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
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
from resight.tradeoff.speed import SEARCHED, SpeedConfig, batch_name

__all__ = ["Bench", "interleaved"]

_SINGLES = 20  # images of a latency at the least: the 95th percentile needs some
_MOST_SEARCHED = 2 * 2**30  # bytes of such a gallery

T = TypeVar("T")


class Bench:
    """A model on the test bench, in this process.

    Parameters
    ----------
    extractor : Model
    paths : sequence of str
        Image files.
    config : SpeedConfig
    read : callable, optional
        Function from a file to the pixels that `extractor` takes; the default is Resight's.
    embed : callable, optional
        Function from files to vectors; the default is Resight's.
    clock : callable
        Function that gives seconds, from any start.

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
        self._pixels = few[np.arange(max(most, len(few))) % len(few)]  # repeated if there are fewer than a batch

    def about(self) -> dict[str, Any]:
        """Facts about the model for a `resight.tradeoff.report.Row`."""
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
        """Do everything once that a round does, without counting, until compilers, caches and allocators settle."""
        for size in self._config.batch_sizes:
            self.extractor.extract(self._pixels[:size])
        self.extractor.extract(self._read(self._paths[0])[None])
        self._embed(self._paths[: len(self._pixels)])

    def one_round(self) -> dict[str, float]:
        """Measure each figure once, without the search; see `resight.tradeoff.speed.Speed.over`. Raises any error of the model."""
        extract, pixels, paths = self.extractor.extract, self._pixels, self._paths
        figures = self._latency("latency", lambda i: extract(pixels[i % len(pixels)][None]))
        figures |= self._latency("file_latency", lambda i: extract(self._read(paths[i % len(paths)])[None]))
        for size in self._config.batch_sizes:
            times = self._times(lambda _, size=size: extract(pixels[:size]))  # type: ignore[misc]
            figures[batch_name(size)] = size * len(times) / sum(times)
        start = self._clock()
        self._embed(paths)
        figures["images_per_second"] = len(paths) / (self._clock() - start)
        return figures

    def search(self) -> dict[str, float]:
        """Measure a gallery's exact search in vectors of the model's size; nothing if they need over 2 GiB."""
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
        Names of the works, for the progress.
    stage : str
    progress : Progress

    Returns
    -------
    list
        Results of each work, one for each round; or its error if it failed, and then it is not called again.
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
