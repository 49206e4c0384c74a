"""Ranges and means of a network's numbers, which 8 bits must know beforehand."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper
from onnxruntime.quantization.calibrate import CalibrationDataReader, CalibrationMethod, TensorsData, create_calibrator

from resight.errors import StorageError
from resight.images import Pixels
from resight.models.onnx import Session
from resight.models.onnx_file import INPUT
from resight.progress import Progress, silent

__all__ = ["OPERATORS", "Calibration", "calibrate"]

OPERATORS = ("Conv", "Gemm", "Relu", "Clip", "Add", "MaxPool", "AveragePool")
"""Operators that run in 8 bits. Averages over a whole map and OSNet's gates stay in float, which costs no time (measured)."""

_BATCH = 32


@dataclass(frozen=True, eq=False)
class Calibration:
    """Ranges and means for `resight.export.quantise.quantised`.

    Attributes
    ----------
    ranges : TensorsData
        Smallest and largest value of every tensor.
    means : dict of str to float64 array of shape (channels,)
        Mean of each channel of the input of every layer with weights.
    """

    ranges: TensorsData
    means: dict[str, NDArray[np.float64]]


def calibrate(model: onnx.ModelProto, pixels: Pixels, *, progress: Progress = silent) -> Calibration:
    """Run a network over some images and note the ranges and means of its numbers.

    Parameters
    ----------
    model : onnx.ModelProto
        From `network_graph`.
    pixels : uint8 array of shape (n, height, width, 3)
        Training images; never images that the network is evaluated on.
    progress : Progress

    Returns
    -------
    Calibration

    Raises
    ------
    StorageError
        If there is no room for two temporary copies of the model.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="resight-") as folder:
            path = Path(folder) / "model.onnx"
            onnx.save(model, path)
            calibrator = create_calibrator(path, OPERATORS, str(Path(folder) / "augmented.onnx"), CalibrationMethod.MinMax)
            calibrator.collect_data(_Batches(pixels, progress))
            ranges = calibrator.compute_data()
    except OSError as error:
        raise StorageError(f"cannot write to {tempfile.gettempdir()}: {error.strerror}; free space or set TMPDIR") from error
    return Calibration(ranges, _means(model, pixels))


def _means(model: onnx.ModelProto, pixels: Pixels) -> dict[str, NDArray[np.float64]]:
    """Mean of each channel of the inputs of layers with weights, over images and places."""
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    kinds = {node.input[0]: node.op_type for node in model.graph.node if node.op_type in ("Conv", "Gemm")}
    parts = []
    for name, kind in kinds.items():
        if kind == "Conv":  # a map: average it; one image's vector is a row already
            watched.graph.node.append(helper.make_node("GlobalAveragePool", [name], [f"{name}.average"]))
            watched.graph.node.append(helper.make_node("Flatten", [f"{name}.average"], [f"{name}.row"]))
        parts.append(f"{name}.row" if kind == "Conv" else name)
    watched.graph.node.append(helper.make_node("Concat", parts, ["means"], axis=1))
    watched.graph.output.append(helper.make_tensor_value_info("means", onnx.TensorProto.FLOAT, ["batch", None]))
    means = Session(watched, "means").embed(pixels, batch=_BATCH).mean(axis=0, dtype=np.float64)
    shapes = {value.name: value.type.tensor_type.shape for value in onnx.shape_inference.infer_shapes(model).graph.value_info}
    ends = np.cumsum([shapes[name].dim[1].dim_value for name in kinds])
    return dict(zip(kinds, np.split(means, ends[:-1]), strict=True))


class _Batches(CalibrationDataReader):
    """Images in the form that the calibrator reads."""

    def __init__(self, pixels: Pixels, progress: Progress) -> None:
        self._batches = self._cut(pixels, progress)

    def get_next(self) -> Any:
        return next(self._batches, None)

    @staticmethod
    def _cut(pixels: Pixels, progress: Progress) -> Iterator[dict[str, Pixels]]:
        for start in range(0, len(pixels), _BATCH):
            yield {INPUT: pixels[start : start + _BATCH]}
            progress("calibrating", min(start + _BATCH, len(pixels)), len(pixels))
