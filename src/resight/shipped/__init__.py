"""The trained models inside the package; README.md beside this file is their model card."""

from __future__ import annotations

from pathlib import Path

__all__ = ["SHIPPED", "TERMS", "shipped_file"]

SHIPPED = {
    "student": "student-160x64",
    "student-general": "student-160x64-general",
    "student-accurate": "student-256x128",
    "student-fast": "student-osnet-128x64",
    "student-fastest": "student-mobilenet-128x64",
}
"""Name of each model for users, and the name of its files."""

_RESEARCH = "whose images are for non-commercial research"
_ZOO = "taught by models of Intel's Open Model Zoo (Apache-2.0), whose makers do not list the training images"
TERMS = {
    "student": f"trained on Market-1501, MSMT17 and ImageNet, {_RESEARCH}",
    "student-general": f"trained on Market-1501, MSMT17, ImageNet and PRID 2011, {_RESEARCH}, and {_ZOO}",
    "student-accurate": f"trained on Market-1501, MSMT17, ImageNet and PRID 2011, {_RESEARCH}, and {_ZOO}",
    "student-fast": f"trained on Market-1501, MSMT17 and ImageNet, {_RESEARCH}",
    "student-fastest": f"trained on Market-1501, MSMT17, ImageNet and PRID 2011, {_RESEARCH}, and {_ZOO}",
}
"""Terms of each, with those of the weights that it and its teachers started from."""


def shipped_file(name: str, ending: str) -> Path:
    """Path of a shipped model's file: ``.onnx`` embeds images; ``.safetensors`` are weights without a head, to train from."""
    return Path(__file__).parent / f"{SHIPPED[name]}{ending}"
