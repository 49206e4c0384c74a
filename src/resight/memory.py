"""Keep freed memory instead of handing it back to the operating system between two layers of a network."""

from __future__ import annotations

import ctypes
import functools
import sys

__all__ = ["keep_freed_memory"]

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # from glibc's malloc.h


@functools.cache
def keep_freed_memory() -> bool:
    """Tell glibc's allocator to keep large freed blocks for the next request; once for the process.

    PyTorch on a CPU allocates every activation anew. glibc maps a block of 32 MB or more from the system and unmaps it when it is
    freed, so that every layer pays for zeroing its pages again: on virtual machines that can cost more than the arithmetic (OSNet
    x0.25 ran three times as fast with this, see docs/experiments.md). The price is that the process keeps its largest memory
    use until it ends.

    Returns
    -------
    bool
        False where the C library is not glibc; nothing is changed there.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, 1 << 30)) and bool(mallopt(_M_TRIM_THRESHOLD, (1 << 31) - 1))
