"""Folders of drawn people, as `resight.drawn` makes them: Market-1501's layout with a file that says how it was drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from resight.datasets import market1501
from resight.datasets.records import Dataset, image_files
from resight.errors import DatasetError
from resight.files import read_json

__all__ = ["MARKER", "drawn_files", "find_root", "load", "read_marker"]

MARKER = "drawn.json"
"""File that says how a folder was drawn; written last, so that a folder without it is not complete."""


def find_root(root: str | Path) -> Path | None:
    """`root`, if it holds a drawn network; else None."""
    root = Path(root)
    return root if (root / MARKER).is_file() else None


def load(root: str | Path) -> Dataset:
    """Read a folder that `resight.drawn.crops.generate` made.

    Raises
    ------
    DatasetError
        If it is missing, was never finished, or has lost images.
    """
    root = Path(root)
    marker = read_marker(root)
    if marker is None or len(drawn_files(root)) != marker.get("images"):
        raise DatasetError(f"{root}: no complete drawn network here; draw it again")
    return market1501.load(root, name="drawn")


def read_marker(root: Path) -> dict[str, Any] | None:
    """How a folder was drawn; None if that is not known."""
    try:
        value = read_json(root / MARKER)
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def drawn_files(root: Path) -> set[str]:
    """The images in the three folders, as folder/file."""
    found = (folder for name in market1501.FOLDERS if (folder := root / name).is_dir())
    return {f"{folder.name}/{path.name}" for folder in found for path in image_files(folder)}
