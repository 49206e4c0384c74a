"""The trained models inside the package; README.md beside this file is their model card."""

from __future__ import annotations

from pathlib import Path

__all__ = ["SHIPPED", "TERMS", "shipped_file"]

SHIPPED = {"student": "student-160x64", "student-fast": "student-osnet-128x64", "student-fastest": "student-mobilenet-128x64"}
"""What a user calls them, and the name of their files."""

TERMS = "trained on Market-1501, MSMT17 and ImageNet, whose images are for non-commercial research"


def shipped_file(name: str, ending: str) -> Path:
    """The file of a key of `SHIPPED`: ``.onnx`` embeds images, ``.safetensors`` are weights to train on from, without a head."""
    return Path(__file__).parent / f"{SHIPPED[name]}{ending}"
