"""Fewer bits: weights in half precision, or a network of 8-bit whole numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnxruntime.quantization.qdq_quantizer import QDQQuantizer
from onnxruntime.quantization.quant_utils import QuantType

from resight.errors import ExportError
from resight.export.calibration import OPERATORS, Calibration
from resight.export.parity import cosines
from resight.images import Pixels
from resight.models.onnx import Session
from resight.progress import Progress, silent

__all__ = ["errors_alone", "half_weights", "layers", "quantised"]


def half_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """Store the weights of every layer in half precision. Runtimes convert them when they load, and compute in float32.

    Parameters
    ----------
    model : onnx.ModelProto
        From `network_graph`; not changed.

    Returns
    -------
    onnx.ModelProto

    Raises
    ------
    ExportError
        If a weight is too large.
    """
    model = _copy(model)
    casts = []
    for tensor in model.graph.initializer:
        if len(tensor.dims) > 1 and tensor.name.endswith(".weight"):
            name, values = tensor.name, numpy_helper.to_array(tensor)
            if np.abs(values).max() > np.finfo(np.float16).max:
                raise ExportError(f"{name} is {np.abs(values).max():.3g} at most, too large for fp16 (65504); export it as fp32")
            tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
            casts.append(helper.make_node("Cast", [tensor.name], [name], name, to=onnx.TensorProto.FLOAT))
    _replace_nodes(model, [*casts, *model.graph.node])
    return model


def quantised(
    model: onnx.ModelProto,
    calibration: Calibration,
    *,
    only: str = "",
    leave_float: Iterable[str] = (),
    reduce_range: bool = False,
) -> onnx.ModelProto:
    """Make convolutions and fully connected layers compute in 8 bits, with weights scaled channel by channel.

    Rounding the weights shifts the mean of a channel; the shift is subtracted from its bias [1]_.

    Parameters
    ----------
    model : onnx.ModelProto
        From `network_graph`; not changed.
    calibration : Calibration
    only : str
        One layer, with the activation after it; empty for all of them.
    leave_float : iterable of str
        Layers to leave in float. The first one always stays: with the three channels of an image, 8 bits are slower.
    reduce_range : bool
        See `ExportConfig`.

    Returns
    -------
    onnx.ModelProto

    Raises
    ------
    ExportError
        If a layer is unknown.

    References
    ----------
    .. [1] M. Nagel, M. van Baalen, T. Blankevoort, M. Welling, "Data-Free Quantization Through Weight Equalization and Bias
           Correction", ICCV 2019, section 4.2, with means that are measured.
    """
    known = layers(model)
    if unknown := set(leave_float) - set(known):
        raise ExportError(f"no layer {', '.join(sorted(unknown))}; there are: {', '.join(known)}")
    left = {known[0], *leave_float}
    quantizer = QDQQuantizer(  # type: ignore[no-untyped-call]
        onnx.shape_inference.infer_shapes(model),
        per_channel=True,
        reduce_range=reduce_range,
        weight_qType=QuantType.QInt8,
        activation_qType=QuantType.QUInt8,
        tensors_range=calibration.ranges,
        nodes_to_quantize=_with_activation(model, only) if only else [],
        nodes_to_exclude=[node.name for node in model.graph.node if _layer(node) in left],
        op_types_to_quantize=OPERATORS,
        extra_options={},
    )
    quantizer.quantize_model()  # type: ignore[no-untyped-call]
    quantizer.model.topological_sort()  # type: ignore[no-untyped-call]
    result: onnx.ModelProto = quantizer.model.model
    result.producer_name, result.producer_version = model.producer_name, ""
    del result.graph.value_info[:]
    del result.opset_import[:]
    result.opset_import.extend(model.opset_import)
    _correct_biases(result, model, calibration)
    _keep_float(result)
    onnx.checker.check_model(result, full_check=True)
    return result


def layers(model: onnx.ModelProto) -> list[str]:
    """Names of the layers with weights, in order. A layer that is used several times has one name."""
    return list(dict.fromkeys(_layer(node) for node in model.graph.node if node.op_type in ("Conv", "Gemm")))


def errors_alone(
    model: onnx.ModelProto,
    calibration: Calibration,
    pixels: Pixels,
    *,
    leave_float: Sequence[str] = (),
    reduce_range: bool = False,
    progress: Progress = silent,
) -> dict[str, float]:
    """Measure how much each layer turns the vectors if it alone is in 8 bits.

    Parameters
    ----------
    model, calibration, reduce_range
        As for `quantised`.
    pixels : uint8 array of shape (n, height, width, 3)
        Images to look at; some dozen are enough.
    leave_float : sequence of str
        Layers that need not be tried.
    progress : Progress

    Returns
    -------
    dict of str to float
        Mean of 1 - cosine between the embeddings with and without the layer in 8 bits, largest first.
    """
    exact = Session(model).embed(pixels)
    tried = [name for name in layers(model)[1:] if name not in leave_float]
    errors = {}
    for number, name in enumerate(tried, 1):
        found = Session(quantised(model, calibration, only=name, reduce_range=reduce_range)).embed(pixels)
        errors[name] = float(1 - cosines(exact, found).mean())
        progress("looking for the layers that lose most", number, len(tried))
    return dict(sorted(errors.items(), key=lambda item: -item[1]))


def _layer(node: onnx.NodeProto) -> str:
    return str(node.name).partition("#")[0]


def _with_activation(model: onnx.ModelProto, layer: str) -> list[str]:
    mine = [node for node in model.graph.node if _layer(node) == layer]
    outputs = {node.output[0] for node in mine}
    after = [node for node in model.graph.node if node.op_type in ("Relu", "Clip") and node.input[0] in outputs]
    return [node.name for node in (*mine, *after)]


def _correct_biases(result: onnx.ModelProto, model: onnx.ModelProto, calibration: Calibration) -> None:
    """Subtract the shift of each output channel's mean, which comes from rounded weights, from the biases, in place.

    A layer that is used several times has one bias for inputs of several means; it stays as it is.
    """
    exact = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    stored = {tensor.name: tensor for tensor in result.graph.initializer}
    dequantised = {node.output[0]: node for node in result.graph.node if node.op_type == "DequantizeLinear"}
    original = {node.name: node for node in model.graph.node if node.op_type in ("Conv", "Gemm")}
    uses = Counter(_layer(node) for node in original.values())
    for node in result.graph.node:
        if node.name not in original or uses[_layer(node)] > 1 or node.input[1] not in dequantised or len(node.input) < 3:
            continue
        before = original[node.name]
        weight, scale = (numpy_helper.to_array(stored[name]) for name in dequantised[node.input[1]].input[:2])
        exact_weight = exact[before.input[1]]
        rounding = weight * scale.reshape(-1, *[1] * (weight.ndim - 1)) - exact_weight
        over_window = rounding.reshape(*rounding.shape[:2], -1).sum(2)  # (outputs, inputs of a group)
        means = calibration.means[before.input[0]]
        groups = len(means) // over_window.shape[1]
        of_group = np.repeat(means.reshape(groups, -1), len(over_window) // groups, axis=0)
        shift = (over_window * of_group).sum(1)
        bias, bias_scale = (stored[name] for name in dequantised[node.input[2]].input[:2])
        corrected = numpy_helper.to_array(bias) - np.rint(shift / numpy_helper.to_array(bias_scale))
        bias.CopyFrom(numpy_helper.from_array(corrected.astype(np.int32), bias.name))


def _keep_float(model: onnx.ModelProto) -> None:
    """Separate layers in float from the 8 bits before them, in place.

    ONNX Runtime quantises the weights of any layer between DequantizeLinear and QuantizeLinear when it loads the file, with one
    scale for all channels; a depthwise convolution in float lost 40 points of mAP. A Clip that clips nothing prevents this.
    """
    constants = {tensor.name for tensor in model.graph.initializer}
    dequantised = {node.output[0] for node in model.graph.node if node.op_type == "DequantizeLinear"}
    nodes = []
    for node in model.graph.node:
        if node.op_type in ("Conv", "Gemm") and node.input[0] in dequantised and node.input[1] in constants:
            name = f"{node.name}.float"
            nodes.append(helper.make_node("Clip", [node.input[0], "lowest", "highest"], [name], name))
            node.input[0] = name
        nodes.append(node)
    if len(nodes) > len(model.graph.node):
        largest = np.finfo(np.float32).max
        for name, value in (("lowest", -largest), ("highest", largest)):
            model.graph.initializer.append(numpy_helper.from_array(np.asarray(value, np.float32), name))
        _replace_nodes(model, nodes)


def _replace_nodes(model: onnx.ModelProto, nodes: list[onnx.NodeProto]) -> None:
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del model.graph.node[:]
    model.graph.node.extend(copies)


def _copy(model: onnx.ModelProto) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return copy
