"""All images of a data set as one array, in memory or in a decoded copy on the disk."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from resight.errors import ImageError, StorageError
from resight.images.decode import Pixels
from resight.images.reading import read_images
from resight.progress import Progress, silent

__all__ = ["cache_folder", "load_pixels"]


def load_pixels(
    paths: Sequence[str],
    size: tuple[int, int],
    *,
    cache: Path | None = None,
    workers: int | None = None,
    progress: Progress = silent,
) -> Pixels:
    """Read all images of a data set into one array: in memory, or memory-mapped from a cache if memory is short.

    Parameters
    ----------
    paths : sequence of str
        n image files.
    size : tuple of (height, width)
    cache : Path, optional
        Folder for a decoded copy. Without it, a copy is kept only if the array would take more than half of the free memory; it
        is in `cache_folder`. The copy's name depends on the images' paths, sizes and times of change, so that a changed folder is
        decoded anew.
    workers : int, optional
        Number of threads; by default one for each usable core.
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
    """Reserve the disk space of a sparse file, if the system can. Raises `OSError` if there is not enough."""
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as stream:
            os.posix_fallocate(stream.fileno(), 0, path.stat().st_size)


def cache_folder() -> Path:
    """Folder of decoded images and downloaded weights: ``$RESIGHT_CACHE``, or ``~/.cache/resight``."""
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
