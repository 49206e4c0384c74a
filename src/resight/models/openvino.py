"""An exported model on OpenVINO, the second runtime, which is the optional extra ``[openvino]``."""

from __future__ import annotations

import io
from dataclasses import replace
from math import prod
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resight.compute import usable_cores
from resight.configuration import to_dict
from resight.errors import MissingDependencyError, WeightsError
from resight.images import Pixels
from resight.models.description import Description, input_of, output_of, read_description
from resight.models.exported import BATCH, ExportedModel, ModelFile, first_line
from resight.models.onnx_file import check_graph, plain, read_onnx, signed
from resight.models.onnx_graph import Value, read_bounded
from resight.models.onnx_work import MOST_NUMBERS

__all__ = ["OpenVinoModel", "open_vino", "parts_of", "read_own_format"]

_LOOPS = ("If", "Loop", "TensorIterator")
_TYPES = {"u8": "uint8", "f32": "float32", "f16": "float16"}
_CONVERTED = ["conversion_parameters", "model_name"]
_ZOO = Description(colour="bgr", mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0), range=255)


class OpenVinoModel(ExportedModel):
    """A model file on OpenVINO, on the processor.

    Parameters
    ----------
    path : str or Path
        An ONNX file, or an ``.xml`` in OpenVINO's own format beside its ``.bin``. Files that `resight export` did not write need a
        description; see `resight.models.description`. The re-identification models of Intel's Open Model Zoo have a known one: BGR
        pixels from 0 to 255, and vectors that are compared by cosine.
    threads : int
        See `ExportedModel`.
    precise : bool
        False computes in bfloat16 if the processor can, which is about two and a half times as fast. A vector then differs in the
        third digit, and depends on how many others are computed with it: good enough to teach.

    Raises
    ------
    MissingDependencyError
        If OpenVINO is not installed.
    WeightsError
        If the file has another format or is damaged, or if its graph is not the one that its card describes.
    """

    runtime = "openvino"

    def __init__(self, path: str | Path, *, threads: int = 0, precise: bool = True) -> None:
        core = open_vino(path)
        threads = threads or usable_cores()
        # OpenVINO's own default is bfloat16 if the processor can. In f32 it is as precise as ONNX Runtime.
        self.precise = precise or "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        hint = "f32" if self.precise else "bf16"
        config = {"INFERENCE_PRECISION_HINT": hint, "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": threads}
        try:
            if Path(path).suffix == ".xml":
                file, model = read_own_format(Path(path), core)
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
        self._takes, self._output = file.takes, compiled.output(file.output)
        self._idle: SimpleQueue[Any] = SimpleQueue()
        for _ in range(threads):
            self._idle.put(compiled.create_infer_request())
        # The first call of a process fills tables of OpenVINO's Python side. Two threads that do so at once can deadlock: one waits
        # for the interpreter's lock, the other for the tables.
        self._call(np.zeros((1, *self.size, 3), np.uint8))

    def _run(self, pixels: Pixels) -> NDArray[np.float32]:
        request = self._idle.get()
        try:
            found = request.infer([self._takes(pixels)])  # shared memory crashes when a model is freed
            return np.array(found[self._output], np.float32)
        finally:
            self._idle.put(request)


def open_vino(path: str | Path) -> Any:
    """OpenVINO's core. Raises `MissingDependencyError`, which names the model."""
    try:
        import openvino  # type: ignore[import-untyped]
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f"{path} needs OpenVINO, which is not installed; in the folder of Resight, pip install '.[openvino]'"
        ) from error
    return openvino.Core()


def _described(value: Any) -> tuple[str, list[int | None]]:
    """Type and shape of an input or output."""
    kind = value.element_type.get_type_name()
    return _TYPES.get(kind, kind), [side.get_length() if side.is_static else None for side in value.partial_shape]


def parts_of(model: Any) -> tuple[list[Value], list[Value]]:
    """Inputs and outputs; see `resight.models.onnx_graph.Value`."""

    def part(value: Any, number: int) -> Value:
        kind, sides = _described(value)
        names = sorted(value.get_names())
        return names[0] if names else str(number), kind, ["open" if side is None else side for side in sides]

    inputs, outputs = ([part(value, number) for number, value in enumerate(values)] for values in (model.inputs, model.outputs))
    return inputs, outputs


def _is_of_zoo(model: Any) -> bool:
    """Tell a re-identification model of the Open Model Zoo by its name, which newer files keep beside how they were converted."""
    names = [model.friendly_name]
    if model.has_rt_info(_CONVERTED):
        names.append(model.get_rt_info(_CONVERTED).value)
    return any(str(name).startswith("person-reidentification-retail-") for name in names)


def _check_size(model: Any) -> None:
    """Refuse a graph that would take too much memory or time, before OpenVINO computes any of it. Raises `WeightsError`."""
    numbers = 0
    for operator in model.get_ordered_ops():
        name = operator.get_type_name()
        sides = [value.partial_shape for value in operator.outputs()]
        if name in _LOOPS or not all(shape.is_static for shape in sides):
            raise WeightsError(f"holds the operator {name}, whose work is not known before it runs; convert it again without that")
        numbers += sum(prod(shape.to_shape()) for shape in sides)
    if numbers * BATCH > MOST_NUMBERS:
        raise WeightsError(f"its operators compute more than {MOST_NUMBERS // BATCH} numbers an image; use smaller images")


def read_own_format(path: Path, core: Any, description: Description | None = None) -> tuple[ModelFile, Any]:
    """Read a model in OpenVINO's own format, with the given description or the one beside it. Raises `WeightsError`."""
    parts = [read_bounded(part) for part in (path, path.with_suffix(".bin"))]
    given = description or read_description(path)
    model = core.read_model(*map(io.BytesIO, parts))
    inputs, _ = parts_of(model)
    if len(inputs) != 1:
        raise WeightsError(f"{path}: it takes {', '.join(name for name, _, _ in inputs) or 'nothing'}; expected one input, images")
    name, kind, sides = inputs[0]
    try:
        takes, whole = input_of(_ZOO if given is None and _is_of_zoo(model) else given, name, kind, sides)
        images = [3, *whole.size] if takes.planes else [*whole.size, 3]
        model.reshape([1, *images])  # which tells all sides
        shapes = {one: [side if isinstance(side, int) else None for side in found] for one, _, found in parts_of(model)[1]}
        output, embedding_size = output_of(whole, shapes)
        _check_size(model)
        model.reshape([-1, *images])
    except WeightsError as error:
        raise WeightsError(str(error) if str(path) in str(error) else f"{path}: {error}") from error
    weights = [op for op in model.get_ops() if op.get_type_name() == "Constant" and op.get_element_type().is_real()]
    height, width = whole.size
    file = ModelFile(
        path=str(path),
        data=parts[0],
        sha256=signed(parts, given),
        name=plain(path.stem),
        size=(height, width),
        embedding_size=embedding_size,
        distance=whole.distance,
        parameters=sum(int(np.prod(op.get_output_shape(0))) for op in weights),
        multiply_adds=None,
        card=to_dict(replace(whole, output=output)),
        takes=takes,
        output=output,
    )
    return file, model
