"""How fast models are here and now: all of them in turn, round by round, after a warm-up."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from resight.errors import ConfigurationError
from resight.features.extraction import Extractor, embed_files
from resight.images import read_images
from resight.progress import Progress, silent

__all__ = ["Speed", "measure_speeds"]


@dataclass(frozen=True, kw_only=True)
class Speed:
    """Images per second of one model.

    Attributes
    ----------
    files_to_vectors : float
        The whole path, decoding and resizing included: median over the rounds. This is what the paper reports.
    network_alone : float
        From decoded pixels in memory to vectors: median over the rounds.
    files_to_vectors_range, network_alone_range : tuple of two floats
        Slowest and fastest round.
    images, rounds : int
        How many images a round took, and how many rounds.
    """

    files_to_vectors: float
    network_alone: float
    files_to_vectors_range: tuple[float, float]
    network_alone_range: tuple[float, float]
    images: int
    rounds: int


def measure_speeds(
    extractors: Sequence[Extractor], paths: Sequence[str], *, rounds: int = 5, progress: Progress = silent
) -> list[Speed]:
    """Time several models on the same images, interleaved, so that a slow minute of the machine hits all of them.

    Parameters
    ----------
    extractors : sequence of Extractor
    paths : sequence of str
        Image files; the first round, which is not counted, brings them into the system's file cache and warms the models up.
    rounds : int
        Counted rounds, at least 1.
    progress : Progress

    Returns
    -------
    list of Speed
        In the order of `extractors`.

    Raises
    ------
    ConfigurationError
        If there is no image or no round.
    ImageError
        If an image cannot be read.
    """
    if not paths or rounds < 1:
        raise ConfigurationError(f"{len(paths)} images and {rounds} rounds; speed is measured with at least one of each")
    whole: list[list[float]] = [[] for _ in extractors]
    alone: list[list[float]] = [[] for _ in extractors]
    for turn in range(rounds + 1):
        for number, extractor in enumerate(extractors):
            files = _timed(lambda model=extractor: embed_files(model, paths))  # type: ignore[misc]
            pixels = read_images(paths[:512], extractor.size)
            memory = _timed(lambda model=extractor, images=pixels: model.extract(images))  # type: ignore[misc]
            if turn:
                whole[number].append(len(paths) / files)
                alone[number].append(len(pixels) / memory)
            progress("timing", turn * len(extractors) + number + 1, (rounds + 1) * len(extractors), extractor.name)
    return [
        Speed(
            files_to_vectors=float(np.median(files)),
            network_alone=float(np.median(memory)),
            files_to_vectors_range=(min(files), max(files)),
            network_alone_range=(min(memory), max(memory)),
            images=len(paths),
            rounds=rounds,
        )
        for files, memory in zip(whole, alone, strict=True)
    ]


def _timed(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
