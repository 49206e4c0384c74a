"""Origin of a figure: command, commit, configuration, seed, versions, hardware, time."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from resight.compute import usable_cores

__all__ = ["hardware", "provenance"]

_DECODERS = ("opencv-python-headless", "simplejpeg", "pillow")
_SECRET = re.compile("://[^/]*@")
_PACKAGES = ("resight", "numpy", *_DECODERS, "onnxruntime", "openvino", "torch", "scipy", "numba")


def provenance(configuration: Mapping[str, Any] | None = None, *, seed: int | None = None) -> dict[str, Any]:
    """Collect what someone else needs to make a figure again.

    Parameters
    ----------
    configuration : mapping, optional
        Options of the run, as plain JSON values.
    seed : int, optional

    Returns
    -------
    dict
        ``command``, ``commit`` (with ``-dirty`` after local changes; None outside a checkout of Resight), ``date`` (UTC, ISO 8601),
        ``configuration``, ``seed``, ``versions`` and ``hardware``.
    """
    return {
        "command": _command(),
        "commit": _commit(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "configuration": dict(configuration or {}),
        "seed": seed,
        "versions": {"python": platform.python_version()} | {p: v for p in _PACKAGES if (v := _version(p)) is not None},
        "hardware": hardware(),
    }


def hardware() -> dict[str, Any]:
    """Processor, usable cores, memory in GiB, accelerator (None without one), and the load average of the last minute."""
    return {
        "processor": _processor(),
        "cores": usable_cores(),
        "memory_gib": _memory_gib(),
        "accelerator": _accelerator(),
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "system": f"{platform.system()} {platform.machine()}",
    }


def _command() -> str:
    """The command line, without the home folder and without users and passwords in addresses."""
    words = [Path(sys.argv[0]).name, *(_SECRET.sub("://", word) for word in sys.argv[1:])]
    return " ".join(words).replace(str(Path.home()), "~")


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _commit() -> str | None:
    try:
        _git("ls-files", "--error-unmatch", Path(__file__).name)  # an installed package in somebody's checkout is not ours
        head = _git("rev-parse", "HEAD")
        # Runs write results; a changed result does not change the code.
        changed = _git("status", "--porcelain", "--untracked-files=no", "--", ":/src", ":/recipes", ":/pyproject.toml")
    except (OSError, subprocess.SubprocessError):
        return None
    return head + ("-dirty" if changed else "")


def _git(*arguments: str) -> str:
    """Run git in the checkout that holds this file; its output. Raises `OSError` and `subprocess.SubprocessError`."""
    command = ["git", "-C", str(Path(__file__).parent), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip()


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _memory_gib() -> float | None:
    try:
        return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1)
    except (ValueError, OSError, AttributeError):
        return None


def _accelerator() -> str | None:
    torch = sys.modules.get("torch")  # only if it is in use: importing it takes seconds
    return torch.cuda.get_device_name() if torch is not None and torch.cuda.is_available() else None
