"""Bytes to pixels: the only place that decodes, resizes and normalises images.

Images are hostile. The size is read from the header and held against a bound before a decoder sees the file, and a file that
ends too early is refused instead of being filled with gray.

OpenCV decodes everything. A plain JPEG is first given to simplejpeg, which hands the same pixels on from the same library with less
work around it: that halves the time for a crop of 128x64. What it does not like is OpenCV's to judge.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import simplejpeg  # type: ignore[import-untyped]
from numpy.typing import NDArray

from resight.errors import ImageError, StorageError
from resight.image_header import header_size
from resight.progress import Progress, silent
from resight.provenance import usable_cores

__all__ = [
    "MAX_FILE_BYTES",
    "MAX_PIXELS",
    "RESIZE",
    "Pixels",
    "Preprocessing",
    "cache_folder",
    "decode",
    "load_pixels",
    "read_file",
    "read_image",
    "read_images",
    "read_into",
    "resize",
    "unreadable",
]

MAX_PIXELS = 32_000_000
"""Largest image that is decoded, in pixels (96 MB as RGB); a person crop has some 10^4."""

MAX_FILE_BYTES = 64 * 2**20
"""Largest image file that is read."""

RESIZE = "bilinear-or-area"
"""Names what `resize` does, in the files of exported models."""

Pixels = NDArray[np.uint8]

_NO_WAIT = getattr(os, "O_NONBLOCK", 0)  # a named pipe without a writer is an empty file, not a wait for ever
_TASK = 32  # images that a thread reads at a time


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """What a network expects of its input; stored in its card.

    Attributes
    ----------
    height, width : int
        Input size in pixels.
    mean, std : tuple of 3 floats
        Per colour channel, for pixel values scaled to [0, 1]: the network sees (value / 255 - mean) / std.
    colour : str
        ``"rgb"`` or ``"bgr"``: order of the channels that the network sees; the arrays of this package are always RGB.
    """

    height: int
    width: int
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    colour: str = "rgb"

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        return self.height, self.width

    def affine(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Scale and shift of shape (3,), float32: the network sees ``pixels * scale + shift`` for uint8 pixels."""
        std = np.asarray(self.std, np.float64)
        return (1 / (255 * std)).astype(np.float32), (-np.asarray(self.mean, np.float64) / std).astype(np.float32)

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self)


def decode(data: bytes, *, max_pixels: int = MAX_PIXELS, size: tuple[int, int] | None = None) -> Pixels:
    """Decode one image file.

    Parameters
    ----------
    data : bytes
        JPEG, PNG, WebP or BMP.
    max_pixels : int
        Refuse larger images from their header, before any pixel is decoded.
    size : tuple of (height, width), optional
        What the image will be resized to. A JPEG of at least four times this, both ways, may come back at a half, a quarter or an
        eighth of its own size, and never below twice `size`: that takes about two thirds of the time, and changes what comes
        out of `resize` by a gray level or less in the mean, which is no more than another filter would.

    Returns
    -------
    uint8 array of shape (height, width, 3)
        RGB; gray images have three equal channels, transparency is dropped, an EXIF rotation is applied.

    Raises
    ------
    ImageError
        If the file is empty, foreign, truncated, damaged or too large.
    """
    if not data:
        raise ImageError("the file is empty")
    kind, height, width = header_size(data)
    if height < 1 or width < 1:
        raise ImageError(f"the image has no pixels ({height}x{width})")
    if height * width > max_pixels:
        raise ImageError(f"the image is {height}x{width}, more than the {max_pixels} pixels that are decoded; crop or shrink it")
    if kind == "jpeg" and b"Exif" not in data:
        divisor = _divisor(height, width, size) if size else 1
        try:
            # It picks the smallest of the library's sizes that is not below these.
            plain: Pixels = simplejpeg.decode_jpeg(data, "RGB", min_height=-(-height // divisor), min_width=-(-width // divisor))
            return plain
        except ValueError:
            pass
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    except cv2.error as error:
        raise ImageError("the image is damaged") from error
    if image is None or image.dtype != np.uint8:
        raise ImageError("the image is damaged")
    return image  # type: ignore[return-value]


def _divisor(height: int, width: int, size: tuple[int, int]) -> int:
    """The largest by which an image can be divided while it is decoded and still have twice `size` both ways."""
    return next((k for k in (8, 4, 2) if height >= 2 * k * size[0] and width >= 2 * k * size[1]), 1)


def resize(image: Pixels, size: tuple[int, int], *, out: Pixels | None = None) -> Pixels:
    """Resize to (height, width): bilinear where the image grows, area average where it shrinks both ways.

    Parameters
    ----------
    image : uint8 array of shape (h, w, 3)
    size : tuple of (height, width)
    out : uint8 array of shape (height, width, 3), optional
        Where to put the result; contiguous.

    Returns
    -------
    uint8 array of shape (height, width, 3)
        `out`; without it, the array itself if it has that size already.
    """
    height, width = size
    if image.shape[:2] == (height, width):
        if out is None:
            return image
        out[...] = image
        return out
    shrinks = height < image.shape[0] and width < image.shape[1]
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(image, (width, height), dst=out, interpolation=interpolation)  # type: ignore[return-value]


def read_image(path: str | Path, *, max_pixels: int = MAX_PIXELS, size: tuple[int, int] | None = None) -> Pixels:
    """Read and decode one file, resized to `size` if that is given; see `decode`. Raises `ImageError`, which names the file."""
    try:
        image = decode(read_file(path), max_pixels=max_pixels, size=size)
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from error
    return resize(image, size) if size else image


def read_file(path: str | Path) -> bytes:
    """The bytes of an image file; never waits. Raises `ImageError`, without the name, if it cannot be read or is too large."""
    try:
        descriptor = os.open(path, os.O_RDONLY | _NO_WAIT | getattr(os, "O_BINARY", 0))
        try:
            size = os.fstat(descriptor).st_size
            if size > MAX_FILE_BYTES:
                raise ImageError(f"the file is larger than {MAX_FILE_BYTES // 2**20} MiB")
            data = os.read(descriptor, size)
            while len(data) < size and (more := os.read(descriptor, size - len(data))):
                data += more
            return data
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as error:
        raise ImageError(str(getattr(error, "strerror", None) or error)) from error


def read_into(paths: Sequence[str], out: Pixels) -> dict[int, str]:
    """Read, decode and resize images, one after the other.

    Parameters
    ----------
    paths : sequence of str
        n image files.
    out : uint8 array of shape (n, height, width, 3)
        Where to put the pixels. Those of an image that cannot be read become black.

    Returns
    -------
    dict of int to str
        The rows that cannot be read, with the reason.
    """
    size = out.shape[1:3]
    failures = {}
    for row, path in enumerate(paths):
        try:
            resize(decode(read_file(path), size=size), size, out=out[row])
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
    """Read, decode and resize many images, on all cores.

    Parameters
    ----------
    paths : sequence of str
        n image files.
    size : tuple of (height, width)
    out : uint8 array of shape (n, height, width, 3), optional
        Where to put the pixels, for example a memory-mapped file.
    workers : int, optional
        Threads; one for each core unless given.
    progress : Progress

    Returns
    -------
    uint8 array of shape (n, height, width, 3)

    Raises
    ------
    ImageError
        If any image cannot be read: how many, the first few by name, and why.
    """
    pixels = np.empty((len(paths), *size, 3), np.uint8) if out is None else out
    starts = range(0, len(paths), _TASK)
    failures: list[str] = []
    with ThreadPoolExecutor(workers or usable_cores()) as pool:
        parts = pool.map(lambda start: read_into(paths[start : start + _TASK], pixels[start : start + _TASK]), starts)
        for start, failed in zip(starts, parts, strict=True):
            failures += [f"{paths[start + row]}: {reason}" for row, reason in failed.items()]
            done = min(start + _TASK, len(paths))
            if done % 256 == 0 or done == len(paths):
                progress("decoding", done, len(paths))
    if failures:
        raise unreadable(failures, len(paths))
    return pixels


def unreadable(failures: Sequence[str], count: int) -> ImageError:
    """The error for some of `count` images: how many, and the first few with the reason."""
    shown = "; ".join(failures[:3]) + ("; ..." if len(failures) > 3 else "")
    return ImageError(f"{len(failures)} of {count} images cannot be read: {shown}. Repair or remove them.")


def load_pixels(
    paths: Sequence[str],
    size: tuple[int, int],
    *,
    cache: Path | None = None,
    workers: int | None = None,
    progress: Progress = silent,
) -> Pixels:
    """All images of a data set as one uint8 array: in memory, or memory-mapped from a cache where memory is short.

    Parameters
    ----------
    paths : sequence of str
        n image files.
    size : tuple of (height, width)
    cache : Path, optional
        Folder for a decoded copy. Without it a copy is kept only if the array would take more than half of the free memory, in
        ``$RESIGHT_CACHE`` or ``~/.cache/resight``. The copy's name holds the images' paths, sizes and times of change, so
        that a changed folder is decoded anew.
    workers : int, optional
        Threads; one for each core unless given.
    progress : Progress

    Returns
    -------
    uint8 array of shape (n, height, width, 3)
        Read-only if it is memory-mapped.

    Raises
    ------
    ImageError
        If any image cannot be read.
    StorageError
        If the cache cannot be written.
    """
    shape = (len(paths), *size, 3)
    if not paths or (cache is None and np.prod(shape) <= 0.5 * _free_memory()):
        return read_images(paths, size, workers=workers, progress=progress)
    folder = cache or cache_folder()
    file = folder / "pixels" / f"{_fingerprint(paths, size)}.npy"
    if not file.exists():
        partial = file.with_suffix(f".{os.getpid()}.partial")
        try:
            partial.parent.mkdir(parents=True, exist_ok=True)
            mapped = np.lib.format.open_memmap(partial, mode="w+", dtype=np.uint8, shape=shape)
            # A sparse file on a full disk would end the process at the first write through the map: claim the space first.
            _claim(partial)
            read_images(paths, size, out=mapped, workers=workers, progress=progress)
            mapped.flush()
            del mapped
            os.replace(partial, file)
        except OSError as error:
            raise StorageError(f"cannot write the cache {file}: {error.strerror}; free space or set RESIGHT_CACHE") from error
        finally:
            partial.unlink(missing_ok=True)
    return np.load(file, mmap_mode="r")  # type: ignore[no-any-return]


def _claim(path: Path) -> None:
    """Give a sparse file all of its space on the disk, where the system can. Raises `OSError` if there is not enough."""
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as stream:
            os.posix_fallocate(stream.fileno(), 0, path.stat().st_size)


def cache_folder() -> Path:
    """Where decoded images and downloaded weights are kept: ``$RESIGHT_CACHE``, else ``~/.cache/resight``."""
    return Path(os.environ.get("RESIGHT_CACHE") or Path.home() / ".cache" / "resight")


def _free_memory() -> int:
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):  # not on this system: assume a small machine
        return 4 * 2**30


def _fingerprint(paths: Sequence[str], size: tuple[int, int]) -> str:
    digest = hashlib.sha256(repr(size).encode())
    for path in paths:
        try:
            status = Path(path).stat()
        except OSError as error:
            raise ImageError(f"{path}: {error.strerror}") from error
        digest.update(f"{Path(path).resolve()}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:32]
