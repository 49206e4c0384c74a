"""An exported model on OpenVINO, the second runtime, which is the optional extra ``[openvino]``."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resight.compute import usable_cores
from resight.errors import MissingDependencyError, WeightsError
from resight.images import Pixels
from resight.models.exported import ExportedModel, ModelFile, first_line
from resight.models.onnx_file import check_graph, read_bounded, read_onnx

__all__ = ["OpenVinoModel"]

_TYPES = {"u8": "uint8", "f32": "float32"}


class OpenVinoModel(ExportedModel):
    """A model file on OpenVINO, on the processor.

    Parameters
    ----------
    path : str or Path
        A file that `resight export` wrote, or the ``.xml`` of a re-identification model of Intel's Open Model Zoo, beside its
        ``.bin``. The latter takes BGR pixels from 0 to 255, (1, 3, height, width); its vectors are compared by cosine.
    threads : int
        See `ExportedModel`.

    Raises
    ------
    MissingDependencyError
        If OpenVINO is not installed.
    WeightsError
        If the file has another format or is damaged, or if its graph is not the one that its card describes.
    """

    runtime = "openvino"

    def __init__(self, path: str | Path, *, threads: int = 0) -> None:
        try:
            import openvino  # type: ignore[import-untyped]
        except ModuleNotFoundError as error:
            raise MissingDependencyError(
                f"{path} needs OpenVINO, which is not installed; in the folder of Resight, pip install '.[openvino]'"
            ) from error
        threads = threads or usable_cores()
        core = openvino.Core()
        # By default OpenVINO computes in bfloat16 if the processor can, and a vector then depends on how many others are computed
        # with it. In f32 it is as precise as ONNX Runtime.
        config = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": threads}
        fixed = None
        try:
            if Path(path).suffix == ".xml":
                file, model = _from_the_zoo(Path(path), core)
            else:
                file = read_onnx(path)
                model = core.read_model(io.BytesIO(file.data))
                fixed = check_graph(file, {value.any_name: _described(value) for value in (*model.inputs, *model.outputs)})
            compiled = core.compile_model(model, "CPU", config)
        except WeightsError:
            raise
        except Exception as error:  # OpenVINO's errors have no base of their own
            raise WeightsError(f"{path}: OpenVINO refuses it ({first_line(error)}); get or export it again") from error
        super().__init__(file, threads, fixed)
        self._idle: SimpleQueue[Any] = SimpleQueue()
        for _ in range(threads):
            self._idle.put(compiled.create_infer_request())
        # The first call of a process fills tables of OpenVINO's Python side. Two threads that do so at once can deadlock: one waits
        # for the interpreter's lock, the other for the tables.
        self._call(np.zeros((1, *self.size, 3), np.uint8))

    def _run(self, pixels: Pixels) -> NDArray[np.float32]:
        request = self._idle.get()
        try:
            return np.array(request.infer([pixels], share_inputs=True, share_outputs=True)[0], np.float32)
        finally:
            self._idle.put(request)


def _described(value: Any) -> tuple[str, list[int | None]]:
    """Type and shape of an input or output."""
    kind = value.element_type.get_type_name()
    return _TYPES.get(kind, kind), [side.get_length() if side.is_static else None for side in value.partial_shape]


def _from_the_zoo(path: Path, core: Any) -> tuple[ModelFile, Any]:
    """Read a model in OpenVINO's own format, and adapt its input to Resight's images."""
    from openvino import Layout, Type
    from openvino.preprocess import ColorFormat, PrePostProcessor  # type: ignore[import-untyped]

    parts = [read_bounded(part) for part in (path, path.with_suffix(".bin"))]
    model = core.read_model(io.BytesIO(parts[0]), io.BytesIO(parts[1]))
    inputs, outputs = ([_described(value) for value in values] for values in (model.inputs, model.outputs))
    match inputs, outputs:
        case [("float32", [_, 3, int(height), int(width)])], [("float32", [_, int(embedding_size)])]:
            pass
        case _:
            raise WeightsError(f"{path}: takes {inputs} and gives {outputs}; expected float32 [1, 3, height, width] and [1, d]")
    model.reshape([-1, 3, height, width])
    change = PrePostProcessor(model)
    change.input().tensor().set_element_type(Type.u8).set_layout(Layout("NHWC")).set_color_format(ColorFormat.RGB)
    change.input().preprocess().convert_element_type(Type.f32).convert_color(ColorFormat.BGR)
    change.input().model().set_layout(Layout("NCHW"))
    weights = [op for op in model.get_ops() if op.get_type_name() == "Constant" and op.get_element_type().is_real()]
    file = ModelFile(
        path=str(path),
        data=parts[0],
        sha256=hashlib.sha256(b"".join(parts)).hexdigest(),
        name=path.stem,
        size=(height, width),
        embedding_size=embedding_size,
        distance="cosine",
        parameters=sum(int(np.prod(op.get_output_shape(0))) for op in weights),
        multiply_adds=None,
        card={},
    )
    return file, change.build()
