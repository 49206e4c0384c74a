"""ONNX Runtime at work; nothing here needs PyTorch or the package onnx."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime

from resight.errors import WeightsError
from resight.images import Pixels
from resight.models.description import INPUTS, GraphInput
from resight.models.exported import OUTPUT, ExportedModel, filled, first_line
from resight.models.model import Vectors
from resight.models.onnx_file import check_graph, read_onnx
from resight.models.onnx_graph import without_tiny_weights
from resight.progress import Progress, silent

if TYPE_CHECKING:
    import onnx

__all__ = ["OnnxModel", "Session", "open_session"]

_TYPES = {"tensor(uint8)": "uint8", "tensor(float)": "float32"}


def open_session(data: bytes, threads: int, *, spin: bool = True) -> Any:
    """Load a graph into ONNX Runtime, on the processor. Threads that spin answer sooner, but keep the cores from others."""
    options = onnxruntime.SessionOptions()  # type: ignore[attr-defined]
    options.intra_op_num_threads = options.inter_op_num_threads = threads
    options.log_severity_level = 4  # what goes wrong is raised
    if not spin:
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(  # type: ignore[attr-defined]
        without_tiny_weights(data), options, providers=["CPUExecutionProvider"], enable_fallback=0
    )


class Session:
    """A graph on ONNX Runtime, on the processor.

    Parameters
    ----------
    model : bytes or onnx.ModelProto
    output : str
        Output to compute, with a row for each image.
    takes : GraphInput
        Input of the graph.
    threads : int
        Threads inside one call; 0 leaves their number to ONNX Runtime.

    Attributes
    ----------
    values : dict of str to (str, list)
        Type and shape of each input and output; a dimension that is not a number is open.
    fixed_batch : int or None
        Images in one call, if the graph fixes it.
    """

    def __init__(
        self, model: bytes | onnx.ModelProto, output: str = OUTPUT, *, takes: GraphInput = INPUTS["uint8"], threads: int = 0
    ) -> None:
        self._session = open_session(model if isinstance(model, bytes) else model.SerializeToString(), threads)
        self._output, self._takes = output, takes
        both = (*self._session.get_inputs(), *self._session.get_outputs())
        self.values = {value.name: (_TYPES.get(value.type, value.type), list(value.shape)) for value in both}
        batch = self._session.get_inputs()[0].shape[0]
        self.fixed_batch: int | None = batch if isinstance(batch, int) else None

    def run(self, pixels: Pixels) -> Vectors:
        """Compute the output for one batch, uint8 (n, height, width, 3). Threads may call it at once."""
        return np.asarray(self._session.run([self._output], {self._takes.name: self._takes(pixels)})[0], np.float32)

    def embed(self, pixels: Pixels, *, batch: int = 64, progress: Progress = silent, stage: str = "embedding") -> Vectors:
        """Compute the output for many images, `batch` at a time unless the graph fixes it."""
        batch = self.fixed_batch or batch
        parts = []
        for start in range(0, len(pixels), batch):
            images = np.ascontiguousarray(pixels[start : start + batch])
            parts.append(self.run(filled(images, self.fixed_batch))[: len(images)])
            progress(stage, start + len(images), len(pixels))
        return np.concatenate(parts)


class OnnxModel(ExportedModel):
    """An ONNX file on ONNX Runtime: one that `resight export` wrote, or one of others.

    Parameters
    ----------
    path : str or Path
        The file; see `resight.models.onnx_file.read_onnx`.
    threads : int
        See `ExportedModel`.

    Raises
    ------
    WeightsError
        If the file has another format or is damaged, or if its graph is not the one that its card describes.
    """

    runtime = "onnx"

    def __init__(self, path: str | Path, *, threads: int = 0) -> None:
        file = read_onnx(path)
        try:
            self._session = Session(file.data, file.output, takes=file.takes, threads=1)
        except Exception as error:  # ONNX Runtime's errors have no base of their own
            raise WeightsError(f"{path}: ONNX Runtime refuses it ({first_line(error)}); export it again") from error
        super().__init__(file, threads, check_graph(file, self._session.values))

    def _run(self, pixels: Pixels) -> Vectors:
        return self._session.run(pixels)
