"""Options of an export. PyTorch is not imported here, because the command line reads this for `--help`."""

from __future__ import annotations

import math
from dataclasses import dataclass

from resight.errors import ConfigurationError

__all__ = ["FORMS", "PRECISIONS", "ExportConfig"]

PRECISIONS = ("fp32", "fp16", "int8")
FORMS = ("uint8", "nchw-float", "nchw-255")
"""Inputs of an exported file; see `resight.models.description.INPUTS`, which is not imported here for the sake of `--help`."""


@dataclass(frozen=True, kw_only=True)
class ExportConfig:
    """Options of an export.

    Attributes
    ----------
    precision : str
        ``"fp32"``; ``"fp16"``, which stores the weights in half of the bytes and computes in fp32; or ``"int8"``, which stores
        and computes in whole numbers of 8 bits.
    batch : str
        Images in one call of the network: ``"dynamic"`` for any number, or a fixed number.
    input : str
        ``"uint8"`` for RGB bytes (n, height, width, 3); ``"nchw-float"`` for float planes (n, 3, height, width) from which the
        caller has taken ImageNet's mean and divided by its deviation, as BoxMOT does; or ``"nchw-255"`` for float planes from 0 to
        255, as DeepStream and OpenVINO's samples give them. Colours are RGB.
    normalise : bool
        Scale every embedding to length 1, in the graph.
    calibration_images : int
        Training images to calibrate int8 with.
    max_drop : float
        Most points of mAP that the file may lose against the network, on held-out identities.
    leave_float : tuple of str
        Layers to leave in float for int8, by their names in the network. The first layer always stays in float.
    reduce_range : bool
        Use 7 bits for the weights of int8, for x86 processors without VNNI: there the sum of two products can overflow.
    """

    precision: str = "fp32"
    batch: str = "dynamic"
    input: str = "uint8"
    normalise: bool = False
    calibration_images: int = 128
    max_drop: float = 0.5
    leave_float: tuple[str, ...] = ()
    reduce_range: bool = False

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise ConfigurationError(f"precision {self.precision!r}; expected {', '.join(PRECISIONS)}")
        if self.batch != "dynamic" and not (self.batch.isdecimal() and int(self.batch) > 0):
            raise ConfigurationError(f"batch {self.batch!r}; expected dynamic, or a number of at least 1")
        if self.input not in FORMS:
            raise ConfigurationError(f"input {self.input!r}; expected {', '.join(FORMS)}")
        if self.calibration_images < 1:
            raise ConfigurationError(f"calibration_images = {self.calibration_images}; expected at least 1")
        if not math.isfinite(self.max_drop):
            raise ConfigurationError(f"max_drop = {self.max_drop}; expected a number of points")
        if self.precision != "int8" and (self.leave_float or self.reduce_range):
            raise ConfigurationError(f"leave_float and reduce_range belong to int8; precision is {self.precision}")

    @property
    def fixed_batch(self) -> int | None:
        """Images in one call, or None if any number will do."""
        return None if self.batch == "dynamic" else int(self.batch)
