"""Conditions of a measurement: the images, and how quiet the machine was."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from resight.errors import ConfigurationError
from resight.files import sha256_file
from resight.images import read_images
from resight.tradeoff.report import Row, on_threads

__all__ = ["describe_images", "disturbances", "some_images"]

_QUIET = 0.2  # load average for each core
_STEADY = 1.3  # fastest round over slowest


def some_images(paths: Sequence[str], count: int) -> Sequence[str]:
    """The first `count` of some images; 0 is all of them. Raises `ConfigurationError` if `count` is negative."""
    if count < 0:
        raise ConfigurationError(f"{count} images to measure on; expected at least 1, or 0 for all")
    return paths[: count or None]


def describe_images(paths: Sequence[str]) -> dict[str, Any]:
    """Describe the images of a measurement.

    Decodes each image once, so that unreadable ones are found before anything is measured, and all are in the file cache.

    Parameters
    ----------
    paths : sequence of str

    Returns
    -------
    dict
        ``count``, ``sha256`` over the files in their order, and ``mean_bytes``.

    Raises
    ------
    ConfigurationError
        If there is no image.
    ImageError
        If an image cannot be read.
    """
    if not paths:
        raise ConfigurationError("there is no image to measure speed on; give a folder with images")
    read_images(paths, (1, 1))
    digests = "".join(map(sha256_file, paths))
    mean = sum(Path(path).stat().st_size for path in paths) / len(paths)
    return {"count": len(paths), "sha256": hashlib.sha256(digests.encode()).hexdigest(), "mean_bytes": round(mean)}


def disturbances(hardware: dict[str, Any], rows: Sequence[Row]) -> tuple[str, ...]:
    """Warnings about a machine that was not quiet.

    Parameters
    ----------
    hardware : dict
        Hardware before the measurement; see `resight.provenance.hardware`.
    rows : sequence of Row
        Measured rows.

    Returns
    -------
    tuple of str
        A warning if the load average was above 0.2 for each core, and one for each row whose fastest round was more than 1.3 times
        as fast as its slowest.
    """
    load, cores = hardware["load"], hardware["cores"]
    warnings = []
    if load is not None and load > _QUIET * cores:
        warnings.append(f"the machine was not quiet: load average {load} on {cores} cores before the measurement")
    for row in rows:
        low, high = row.ranges["images_per_second"]
        if high > _STEADY * low:
            warnings.append(f"rounds differ: {row.model}, {on_threads(row.threads)}, did {low:.0f} to {high:.0f} images/s")
    return tuple(warnings)
