"""An exported model at work on ONNX Runtime alone: nothing here needs PyTorch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from resight.errors import WeightsError
from resight.images import Pixels
from resight.models.exported import ExportedModel, first_line
from resight.models.onnx_file import INPUT, OUTPUT, check_graph, read_onnx

__all__ = ["OnnxModel"]

_TYPES = {"tensor(uint8)": "uint8", "tensor(float)": "float32"}


class OnnxModel(ExportedModel):
    """A file that `resight export` wrote, on ONNX Runtime.

    Parameters
    ----------
    path : str or Path
        The file; see `resight.models.onnx_file.read_onnx`.
    threads : int
        See `ExportedModel`.

    Raises
    ------
    WeightsError
        If it is no such file, if it is damaged, or if its graph is not what its card says.
    """

    runtime = "onnx"

    def __init__(self, path: str | Path, *, threads: int = 0) -> None:
        file = read_onnx(path)
        options = onnxruntime.SessionOptions()  # type: ignore[attr-defined]
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4  # what goes wrong comes back as an error
        try:
            self._session = onnxruntime.InferenceSession(  # type: ignore[attr-defined]
                file.data, options, providers=["CPUExecutionProvider"], enable_fallback=0
            )
            both = (*self._session.get_inputs(), *self._session.get_outputs())
            values = {value.name: (_TYPES.get(value.type, value.type), value.shape) for value in both}
        except Exception as error:  # ONNX Runtime's errors have no base of their own
            raise WeightsError(f"{path}: ONNX Runtime refuses it ({first_line(error)}); export it again") from error
        super().__init__(file, threads, check_graph(file, values))

    def _run(self, pixels: Pixels) -> NDArray[np.float32]:
        return np.asarray(self._session.run([OUTPUT], {INPUT: pixels})[0], np.float32)
