"""Image files to pixels: one, several into an array, or all of a list on every core."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from resight.errors import ImageError
from resight.images.ahead import read_ahead
from resight.images.decode import MAX_PIXELS, Pixels, decode, most_pixels, resize
from resight.images.remote import is_url, read_url
from resight.progress import Progress, silent

__all__ = ["MAX_FILE_BYTES", "read_file", "read_image", "read_images", "read_into", "unreadable"]

MAX_FILE_BYTES = 64 * 2**20
"""Largest image file that is read, unless it may hold more pixels."""

_NO_WAIT = getattr(os, "O_NONBLOCK", 0)  # a named pipe without a writer is an empty file; reading it must not wait for ever
_TASK = 32  # images that a thread reads at a time


def read_file(path: str | os.PathLike[str]) -> bytes:
    """Read the bytes of an image file, without ever waiting for a local one, or by URL.

    Raises
    ------
    ImageError
        If it cannot be read or is too large. The message does not name the file.
    """
    most = max(MAX_FILE_BYTES, 3 * most_pixels() if most_pixels() > MAX_PIXELS else 0)
    try:
        if is_url(path):
            return read_url(str(path), most)
        descriptor = os.open(path, os.O_RDONLY | _NO_WAIT | getattr(os, "O_BINARY", 0))
        try:
            size = os.fstat(descriptor).st_size
            if size > most:
                raise ImageError(f"the file is larger than {most // 2**20} MiB")
            data = os.read(descriptor, size)
            while len(data) < size and (more := os.read(descriptor, size - len(data))):
                data += more
            return data
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as error:
        raise ImageError(str(getattr(error, "strerror", None) or error)) from error


def read_image(path: str | Path, *, size: tuple[int, int] | None = None) -> Pixels:
    """Read and decode one file, and resize it to `size` if given. Raises `ImageError`, which names the file."""
    try:
        image = decode(read_file(path))
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from error
    return resize(image, size) if size else image


def read_into(paths: Sequence[str], out: Pixels) -> dict[int, str]:
    """Read, decode and resize images one after the other.

    Parameters
    ----------
    paths : sequence of str
        n image files.
    out : uint8 array of shape (n, height, width, 3)
        Receives the pixels. An image that cannot be read becomes black.

    Returns
    -------
    dict of int to str
        Rows that cannot be read, with the reason.
    """
    size = out.shape[1:3]
    failures = {}
    for row, path in enumerate(paths):
        try:
            resize(decode(read_file(path)), size, out=out[row])
        except ImageError as error:
            out[row] = 0
            failures[row] = str(error)
    return failures


def read_images(
    paths: Sequence[str],
    size: tuple[int, int],
    *,
    out: Pixels | None = None,
    workers: int | None = None,
    progress: Progress = silent,
) -> Pixels:
    """Read, decode and resize many images on all cores.

    Parameters
    ----------
    paths : sequence of str
        n image files.
    size : tuple of (height, width)
    out : uint8 array of shape (n, height, width, 3), optional
        Receives the pixels, for example a memory-mapped file.
    workers : int, optional
        Number of threads; by default one for each usable core.
    progress : Progress

    Returns
    -------
    uint8 array of shape (n, height, width, 3)

    Raises
    ------
    ImageError
        If any image cannot be read. The message says how many, and names the first few with the reason.
    """
    pixels = np.empty((len(paths), *size, 3), np.uint8) if out is None else out
    failures: list[str] = []
    done = 0

    def read(rows: list[int]) -> tuple[int, list[str]]:
        failed = read_into([paths[row] for row in rows], pixels[rows[0] : rows[-1] + 1])
        return len(rows), [f"{paths[rows[0] + row]}: {reason}" for row, reason in failed.items()]

    # The array for the pixels exists already, so that any number of tasks may wait.
    with closing(read_ahead(range(len(paths)), read, at_once=_TASK, ahead=len(paths), threads=workers)) as parts:
        for count, failed in parts:
            failures += failed
            done += count
            if done % 256 == 0 or done == len(paths):
                progress("decoding", done, len(paths))
    if failures:
        raise unreadable(failures, len(paths))
    return pixels


def unreadable(failures: Sequence[str], count: int) -> ImageError:
    """Make the error for some of `count` images: how many, and the first few with the reason."""
    shown = "; ".join(failures[:3]) + ("; ..." if len(failures) > 3 else "")
    way_out = "Repair or remove them; train, fit and evaluate have --skip-unreadable."
    return ImageError(f"{len(failures)} of {count} images cannot be read: {shown}. {way_out}")
