"""Keeps, shares and overwrites memory that this process has freed, where the C library is glibc."""

from __future__ import annotations

import ctypes
import functools
import gc
import sys
from collections.abc import Iterator

import numpy as np

__all__ = ["keep_freed_memory", "overwrite_freed_memory", "share_heap"]

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # from glibc's malloc.h
_LARGEST, _SMALLEST = 2**16, 40  # bytes of blocks that are taken: larger free ones in several, and smaller ones hold links alone
_TAKEN = 2**21  # bytes of Python's blocks of each size: as much as is likely to be free


@functools.cache
def keep_freed_memory() -> bool:
    """Tell the allocator to keep large freed blocks for the next request; once for the process.

    PyTorch on a CPU allocates every activation anew. glibc maps a block of 32 MB or more from the system and unmaps it when it is
    freed, so that every layer pays for zeroing its pages again: on virtual machines that can cost more than the arithmetic (OSNet
    x0.25 ran three times as fast with this, see docs/experiments.md). In exchange the process keeps its largest memory use
    until it ends.

    Returns
    -------
    bool
        False if the C library is not glibc; then nothing changes.
    """
    return _tune(_M_MMAP_THRESHOLD, 1 << 30) and _tune(_M_TRIM_THRESHOLD, (1 << 31) - 1)


@functools.cache
def share_heap() -> bool:
    """Tell the allocator to serve all threads from one heap, so that `overwrite_freed_memory` reaches what each of them freed.

    Called before there are threads. Returns False if the C library is not glibc; then nothing changes.
    """
    return _tune(_M_ARENA_MAX, 1)


def _tune(parameter: int, value: int) -> bool:
    library = _glibc()
    return library is not None and bool(library.mallopt(parameter, value))


def overwrite_freed_memory() -> None:
    """Overwrite what is free, because it may hold copies of what was deleted.

    All free blocks are taken, filled with zeros, and given back: Python's small ones, NumPy's, and the C library's. Not reached are
    blocks of other heaps (see `share_heap`), the few of each size that every other thread keeps for itself, and the last bytes of
    Python's pools of blocks, which may hold what was shorter than 512 bytes.
    """
    gc.collect()
    held: list[object] = [bytes(size - 33) for size in range(48, 513, 16) for _ in range(_TAKEN // size)]  # 33 are Python's own
    held += [np.zeros(size, np.uint8) for size in range(1, 1024) for _ in range(8)]  # NumPy keeps up to 7 of each size
    if library := _glibc():
        library.malloc_trim(0)  # whole pages go back to the system, which gives them out as zeros
        for block in list(_free_blocks(library)):
            library.free(block)
        library.malloc_trim(0)
    held.clear()


def _free_blocks(library: ctypes.CDLL) -> Iterator[ctypes.c_void_p]:
    """Take blocks, filled with zeros, of smaller and smaller sizes; of each until the heap has to grow for another one."""
    size = _LARGEST
    while size >= _SMALLEST:
        heap = library.mallinfo2().arena
        for _ in range(64):
            block = ctypes.c_void_p(library.malloc(size))
            if not block:
                return
            ctypes.memset(block, 0, library.malloc_usable_size(block))
            yield block
        if library.mallinfo2().arena > heap:
            size -= max(16, size // 8)


class _MallInfo(ctypes.Structure):
    """Figures of glibc's heap; `arena` is the bytes that it took from the system."""

    _fields_ = tuple((name, ctypes.c_size_t) for name in ("arena", *"bcdefghij"))


@functools.cache
def _glibc() -> ctypes.CDLL | None:
    if not sys.platform.startswith("linux"):
        return None
    try:
        library = ctypes.CDLL("libc.so.6")
        library.mallinfo2.restype = _MallInfo
        library.malloc.restype, library.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
        library.malloc_trim.argtypes = [ctypes.c_size_t]
    except (OSError, AttributeError):  # another C library, or one older than 2.33
        return None
    return library
