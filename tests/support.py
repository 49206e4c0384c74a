"""What several tests need: the material beside the checkout, and real data where it is to be had."""

from __future__ import annotations

import os
import tarfile
import tempfile
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"
"""Golden arrays, weights of others and Market-1501; beside the checkout of those who build this, absent for other people."""


def needs_shared(name: str) -> pytest.MarkDecorator:
    """Skip a test, with the reason, where a file of `SHARED` is absent."""
    return pytest.mark.skipif(not (SHARED / name).exists(), reason=f"needs {name} beside the checkout (../shared)")


needs_market1501 = pytest.mark.skipif(
    "RESIGHT_MARKET1501" not in os.environ and not (SHARED / "data/market1501").exists(),
    reason="needs Market-1501: set RESIGHT_MARKET1501 to its folder",
)


@cache
def market1501() -> Path:
    """Root of Market-1501: the folder that RESIGHT_MARKET1501 names, or the tars beside the checkout, unpacked once."""
    if named := os.environ.get("RESIGHT_MARKET1501"):
        return Path(named)
    root = Path(tempfile.gettempdir()) / "resight-market1501"
    if not (root / "complete").exists():
        for archive in sorted((SHARED / "data/market1501").glob("*.tar")):
            with tarfile.open(archive) as tar:
                tar.extractall(root, filter="data")
        (root / "complete").touch()
    return root


def colour_people(root: Path) -> None:
    """Give everybody of a drawn network a colour, so that small and untaught networks tell them apart."""
    for path in root.rglob("*.jpg"):
        hue = max(int(path.name.split("_")[0]), 0) * 67 % 180
        image = cv2.imread(str(path))
        colour = cv2.cvtColor(np.full_like(image, (hue, 255, 220)), cv2.COLOR_HSV2BGR)
        path.write_bytes(cv2.imencode(".jpg", cv2.addWeighted(image, 0.5, colour, 0.5, 0))[1].tobytes())
