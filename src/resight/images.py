"""Bytes to pixels: the only place that decodes, resizes and normalises images.

Images are hostile. The size is read from the header and held against a bound before a decoder sees the file, and a file that
ends too early is refused instead of being filled with gray.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from resight.errors import ImageError, StorageError
from resight.progress import Progress, silent

__all__ = [
    "MAX_FILE_BYTES",
    "MAX_PIXELS",
    "Preprocessing",
    "cache_folder",
    "decode",
    "header_size",
    "load_pixels",
    "read_image",
    "read_images",
    "resize",
]

MAX_PIXELS = 32_000_000
"""Largest image that is decoded, in pixels (96 MB as RGB); a person crop has some 10^4."""

MAX_FILE_BYTES = 64 * 2**20
"""Largest image file that is read."""

Pixels = NDArray[np.uint8]


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


def header_size(data: bytes) -> tuple[str, int, int]:
    """Format, height and width of an image file, from its header alone.

    Parameters
    ----------
    data : bytes
        The file's content; JPEG, PNG, WebP or BMP.

    Returns
    -------
    tuple of (str, int, int)
        Format (``"jpeg"``, ``"png"``, ``"webp"``, ``"bmp"``), height and width in pixels, before any EXIF rotation.

    Raises
    ------
    ImageError
        If it is none of these formats, or if it ends before its own size says so.
    """
    try:
        if data[:2] == b"\xff\xd8":
            return ("jpeg", *_jpeg_size(data))
        if data[:8] == b"\x89PNG\r\n\x1a\n" and data[12:16] == b"IHDR":
            return ("png", *_png_size(data))
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            if len(data) < 8 + struct.unpack("<I", data[4:8])[0]:
                raise ImageError("the WebP file ends too early")
            return ("webp", *_webp_size(data))
        if data[:2] == b"BM":
            return ("bmp", *_bmp_size(data))
    except (struct.error, IndexError) as error:
        raise ImageError("the image's header is damaged") from error
    raise ImageError("not an image of a known format (JPEG, PNG, WebP, BMP)")


def _png_size(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack(">II", data[16:24])
    position = 8
    while position + 12 <= len(data):  # length, name, content, checksum
        length = struct.unpack(">I", data[position : position + 4])[0]
        end = position + 12 + length
        if data[position + 4 : position + 8] == b"IEND" and end <= len(data):
            return height, width
        position = end
    raise ImageError("the PNG file ends too early")


def _bmp_size(data: bytes) -> tuple[int, int]:
    stated, start, header = struct.unpack("<I4xII", data[2:18])
    if header == 12:  # OS/2: 16 bits each, never compressed
        width, height, _, depth = struct.unpack("<HHHH", data[18:26])
        compressed = 0
    else:
        width, height, _, depth, compressed = struct.unpack("<iiHHI", data[18:34])
    stride = (abs(width) * depth + 31) // 32 * 4
    pixels = stride * abs(height) if compressed in (0, 3) else 0  # what run lengths take is not known beforehand
    if len(data) < max(stated, start + pixels):
        raise ImageError("the BMP file ends too early")
    return abs(height), abs(width)


def _jpeg_size(data: bytes) -> tuple[int, int]:
    position, size = 2, None
    while position + 4 <= len(data):
        if data[position] != 0xFF:
            raise ImageError("the JPEG's header is damaged")
        marker = data[position + 1]
        if marker == 0xFF:  # fill byte
            position += 1
            continue
        length = struct.unpack(">H", data[position + 2 : position + 4])[0]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", data[position + 5 : position + 9])
            size = (height, width)
        if marker == 0xDA:  # the pixels follow; only an end marker after this point is the image's own
            if size is None:
                break
            if data.rfind(b"\xff\xd9", position) < 0:
                raise ImageError("the JPEG file ends too early")
            return size
        position += 2 + length
    raise ImageError("the JPEG's header is damaged or ends too early")


def _webp_size(data: bytes) -> tuple[int, int]:
    kind = data[12:16]
    if kind == b"VP8 ":
        width, height = struct.unpack("<HH", data[26:30])
        return height & 0x3FFF, width & 0x3FFF
    if kind == b"VP8L":
        bits = struct.unpack("<I", data[21:25])[0]
        return ((bits >> 14) & 0x3FFF) + 1, (bits & 0x3FFF) + 1
    if kind == b"VP8X":
        return int.from_bytes(data[27:30], "little") + 1, int.from_bytes(data[24:27], "little") + 1
    raise ImageError("the WebP's header is damaged")


def decode(data: bytes, *, max_pixels: int = MAX_PIXELS) -> Pixels:
    """Decode one image file.

    Parameters
    ----------
    data : bytes
        JPEG, PNG, WebP or BMP.
    max_pixels : int
        Refuse larger images from their header, before any pixel is decoded.

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
    _, height, width = header_size(data)
    if height < 1 or width < 1:
        raise ImageError(f"the image has no pixels ({height}x{width})")
    if height * width > max_pixels:
        raise ImageError(f"the image is {height}x{width}, more than the {max_pixels} pixels that are decoded; crop or shrink it")
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    except cv2.error as error:
        raise ImageError("the image is damaged") from error
    if image is None or image.dtype != np.uint8:
        raise ImageError("the image is damaged")
    return image  # type: ignore[return-value]


def resize(image: Pixels, size: tuple[int, int]) -> Pixels:
    """Resize to (height, width): bilinear where the image grows, area average where it shrinks both ways.

    Parameters
    ----------
    image : uint8 array of shape (h, w, 3)
    size : tuple of (height, width)

    Returns
    -------
    uint8 array of shape (height, width, 3)
        The array itself if it has that size already.
    """
    height, width = size
    if image.shape[:2] == (height, width):
        return image
    shrinks = height < image.shape[0] and width < image.shape[1]
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)  # type: ignore[return-value]


def read_image(path: str | Path, *, max_pixels: int = MAX_PIXELS) -> Pixels:
    """Read and decode one file; see `decode`. Raises `ImageError`, which names the file."""
    try:
        with Path(path).open("rb") as stream:
            data = stream.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        raise ImageError(f"{path}: {getattr(error, 'strerror', None) or error}") from error
    try:
        if len(data) > MAX_FILE_BYTES:
            raise ImageError(f"the file is larger than {MAX_FILE_BYTES // 2**20} MiB")
        return decode(data, max_pixels=max_pixels)
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from error


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

    def read(row: int) -> str | None:
        try:
            pixels[row] = resize(read_image(paths[row]), size)
        except ImageError as error:
            return str(error)
        return None

    failures = [reason for reason in _map_in_threads(read, len(paths), workers, progress, "decoding") if reason]
    if failures:
        shown = "; ".join(failures[:3]) + ("; ..." if len(failures) > 3 else "")
        raise ImageError(f"{len(failures)} of {len(paths)} images cannot be read: {shown}. Repair or remove them.")
    return pixels


def _map_in_threads(
    function: Callable[[int], str | None], count: int, workers: int | None, progress: Progress, stage: str
) -> list[str | None]:
    results = []
    with ThreadPoolExecutor(workers or os.cpu_count() or 1) as pool:
        for done, result in enumerate(pool.map(function, range(count), chunksize=32), 1):
            results.append(result)
            if done % 256 == 0 or done == count:
                progress(stage, done, count)
    return results


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
