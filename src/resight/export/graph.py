"""A network as an ONNX graph, from decoded pixels to embeddings.

The graph is built operator by operator from a trace of `ReidNetwork.embed`; a dozen kinds of layer need no exporter. Batch
normalisation is folded into the convolution before it, and the scale of the pixels and the order of the colours into the first
convolution. Layers keep their names.
"""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from torch import fx, nn
from torch.fx.passes.shape_prop import ShapeProp
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from resight.errors import ExportError
from resight.images import Preprocessing
from resight.models.description import GraphInput
from resight.models.onnx_file import INPUT, OUTPUT
from resight.networks.mobilenet import KerasConv2d
from resight.networks.network import ReidNetwork

__all__ = ["OPSET", "Projection", "network_graph", "set_batch", "set_input"]

OPSET, _IR_VERSION = 17, 8  # both from 2022: any of today's runtimes reads them

Projection = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Matrix (k, d) and offset (k,): an embedding x becomes ``matrix @ x + offset``."""

_FUNCTIONS: dict[Any, str] = {
    F.relu: "Relu",
    F.relu_: "Relu",
    torch.sigmoid: "Sigmoid",
    operator.add: "Add",
    operator.mul: "Mul",
    F.adaptive_avg_pool2d: "GlobalAveragePool",
    "flatten": "Flatten",
}
"""Functions, and methods by name, that need no attributes. The networks here call them with default arguments; the parity gate
refuses a graph of other calls."""


def network_graph(network: ReidNetwork, *, projection: Projection | None = None, normalise: bool = False) -> onnx.ModelProto:
    """Build the graph of a network's embedding.

    Parameters
    ----------
    network : ReidNetwork
        Not changed. Its `preprocessing` becomes a part of the graph; its head does not.
    projection : tuple of float32 arrays, optional
        A last layer; see `Projection`.
    normalise : bool
        Scale every embedding to length 1; one of length 0 stays as it is.

    Returns
    -------
    onnx.ModelProto
        From `images`, uint8 RGB (batch, height, width, 3), to `embeddings`, float32 (batch, d), for any batch. Convolutions and
        fully connected layers have their names in the network, with ``#2``, ``#3`` where one is used again.

    Raises
    ------
    ExportError
        If the network has a layer or function that is not translated here.
    """
    network = copy.deepcopy(network).cpu().float().eval()
    height, width = network.preprocessing.size
    graph = _Tracer().trace(network)
    with torch.inference_mode():
        ShapeProp(fx.GraphModule(network, graph)).propagate(torch.zeros(1, 3, height, width))
    writer = _Writer()
    values: dict[fx.Node, str] = {}
    for node in graph.nodes:
        inputs = [values[value] for value in node.all_input_nodes]
        if node.op == "placeholder":
            values[node] = writer.centred_planes(INPUT, network.preprocessing)
        elif node.op == "call_module":
            module = network.get_submodule(node.target)
            if _folds_into_its_input(node, network):
                values[node] = inputs[0]
            elif isinstance(module, nn.BatchNorm1d):  # a neck, which stands alone
                values[node] = writer.normalisation(node, module, inputs[0])
            elif isinstance(module, nn.Conv2d | nn.Linear):
                values[node] = writer.weighted(node, _folded(node, network), inputs[0], network.preprocessing)
            else:
                values[node] = writer.add(*_layer(node, module), inputs, node.name)
        elif node.op != "output":
            if node.target not in _FUNCTIONS:
                raise ExportError(f"{type(network).__name__} uses {node.target}, which export/graph.py does not translate")
            values[node] = writer.add(_FUNCTIONS[node.target], {}, inputs, node.name)
    last = writer.nodes[-1].output[0]
    size = network.embedding_size
    if projection is not None:
        matrix, offset = projection
        weights = [writer.constant("projection.weight", matrix), writer.constant("projection.bias", offset)]
        last, size = writer.add("Gemm", {"transB": 1}, [last, *weights], "projection"), len(matrix)
    if normalise:
        length = writer.add("ReduceL2", {"axes": [1], "keepdims": 1}, [last], "length")
        length = writer.add("Max", {}, [length, writer.constant("smallest", np.float32(1e-12))], "divisor")
        writer.add("Div", {}, [last, length], "normalised")
    return writer.model((height, width), size)


def set_batch(model: onnx.ModelProto, batch: int) -> None:
    """Fix the number of images in one call, in place."""
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = batch


def set_input(model: onnx.ModelProto, takes: GraphInput) -> None:
    """Let a graph of `network_graph` take float planes instead of bytes, in place. Whatever was done to the planes is undone."""
    if not takes.planes:
        return
    value = model.graph.input[0].type.tensor_type
    shape = value.shape.dim
    height, width = (shape[place].dim_value for place in (1, 2))
    value.elem_type = onnx.TensorProto.FLOAT
    for side, size in zip(shape[1:], (3, height, width), strict=True):
        side.dim_value = size
    scale = 1 / np.array(takes.scale, np.float32).reshape(1, 3, 1, 1)
    shift = -np.array(takes.shift, np.float32).reshape(1, 3, 1, 1) * scale
    before = [helper.make_node("Mul", [INPUT, "scale"], ["scaled"], "scaled")]
    before.append(helper.make_node("Add", ["scaled", "shift"], ["numbers"], "numbers"))
    nodes = [*before, *(node for node in model.graph.node if node.name not in ("planes", "numbers"))]
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del model.graph.node[:]
    model.graph.node.extend(copies)
    model.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in (("scale", scale), ("shift", shift)))
    onnx.checker.check_model(model, full_check=True)


class _Tracer(fx.Tracer):
    """Traces `embed`; a convolution is one step, however it pads."""

    traced_func_name = "embed"

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, nn.Conv2d) or super().is_leaf_module(m, module_qualified_name)


def _folds_into_its_input(node: fx.Node, network: ReidNetwork) -> bool:
    """Tell if this is the batch normalisation of a layer's only output."""
    before = node.args[0]
    return (
        isinstance(before, fx.Node)
        and before.op == "call_module"
        and len(before.users) == 1
        and isinstance(network.get_submodule(str(node.target)), nn.BatchNorm1d | nn.BatchNorm2d)
        and isinstance(network.get_submodule(str(before.target)), nn.Conv2d | nn.Linear)
    )


def _folded(node: fx.Node, network: ReidNetwork) -> nn.Conv2d | nn.Linear:
    """The layer of a node, with the batch normalisation after it folded in."""
    layer = network.get_submodule(str(node.target))
    after = next(iter(node.users))
    if after.op == "call_module" and _folds_into_its_input(after, network):
        fold: Callable[..., Any] = fuse_conv_bn_eval if isinstance(layer, nn.Conv2d) else fuse_linear_bn_eval
        layer = fold(layer, network.get_submodule(str(after.target)))
    return layer  # type: ignore[return-value]


def _layer(node: fx.Node, module: nn.Module) -> tuple[str, dict[str, Any]]:
    """Operator and attributes of a layer without weights."""
    match module:
        case nn.ReLU6():
            return "Clip", {}
        case nn.ReLU():
            return "Relu", {}
        case nn.MaxPool2d() | nn.AvgPool2d():
            window = {"kernel_shape": _pair(module.kernel_size), "strides": _pair(module.stride), "pads": 2 * _pair(module.padding)}
            return "MaxPool" if isinstance(module, nn.MaxPool2d) else "AveragePool", window
        case _:
            raise ExportError(f"layer {node.target} is a {type(module).__name__}, which export/graph.py does not translate")


def _pair(value: Any) -> list[int]:
    return [value, value] if isinstance(value, int) else list(value)


class _Writer:
    """Collects operators and constants, in order."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}

    def constant(self, name: str, array: NDArray[np.float32] | np.float32) -> str:
        """Add a constant, once: OSNet's shared gates use theirs several times."""
        self._constants.setdefault(name, numpy_helper.from_array(np.asarray(array, np.float32, order="C"), name))
        return name

    def add(self, operator: str, attributes: dict[str, Any], inputs: list[str], name: str) -> str:
        """Add an operator; its output has the same name."""
        if operator == "Clip":  # of ReLU6, the only one here
            inputs = [*inputs, self.constant("zero", np.float32(0)), self.constant("six", np.float32(6))]
        self.nodes.append(helper.make_node(operator, inputs, [name], name, **attributes))
        return name

    def centred_planes(self, images: str, preprocessing: Preprocessing) -> str:
        """Interleaved bytes to float planes around the mean; moving bytes before they are floats moves a quarter as much."""
        planes = self.add("Transpose", {"perm": [0, 3, 1, 2]}, [images], "planes")
        numbers = self.add("Cast", {"to": onnx.TensorProto.FLOAT}, [planes], "numbers")
        mean = 255 * np.asarray(preprocessing.mean, np.float32)
        if preprocessing.colour == "bgr":
            mean = mean[::-1]
        return self.add("Sub", {}, [numbers, self.constant("mean", mean.reshape(1, 3, 1, 1))], "centred")

    def weighted(self, node: fx.Node, layer: nn.Conv2d | nn.Linear, source: str, preprocessing: Preprocessing) -> str:
        """Add a convolution or fully connected layer. The first one also scales the pixels and orders their colours."""
        before = node.all_input_nodes[0]
        weight = layer.weight.detach().numpy()
        if before.op == "placeholder":
            weight = weight * preprocessing.affine()[0].reshape(1, 3, 1, 1)
            if preprocessing.colour == "bgr":
                weight = weight[:, ::-1]
        target = str(node.target)
        inputs = [source, self.constant(f"{target}.weight", weight)]
        if layer.bias is not None:
            inputs.append(self.constant(f"{target}.bias", layer.bias.detach().numpy()))
        uses = 1 + sum(inputs[1] in other.input for other in self.nodes)
        name = f"{target}#{uses}" if uses > 1 else target
        if isinstance(layer, nn.Linear):
            return self.add("Gemm", {"transB": 1}, inputs, name)
        left, right, top, bottom = _margins(layer, before.meta["tensor_meta"].shape)
        attributes = {
            "kernel_shape": list(layer.kernel_size),
            "strides": list(layer.stride),
            "pads": [top, left, bottom, right],
            "group": layer.groups,
        }
        return self.add("Conv", attributes, inputs, name)

    def normalisation(self, node: fx.Node, layer: nn.BatchNorm1d, source: str) -> str:
        """Add a batch normalisation with the statistics of the training."""
        tensors = [getattr(layer, name) for name in ("weight", "bias", "running_mean", "running_var")]
        names = [f"{node.target}.{name}" for name in ("weight", "bias", "mean", "variance")]
        constants = [self.constant(name, tensor.detach().numpy()) for name, tensor in zip(names, tensors, strict=True)]
        return self.add("BatchNormalization", {"epsilon": layer.eps}, [source, *constants], node.name)

    def model(self, size: tuple[int, int], embedding_size: int) -> onnx.ModelProto:
        """Make one checked model; its output is that of the last operator."""
        self.nodes[-1].output[0] = OUTPUT
        images = helper.make_tensor_value_info(INPUT, onnx.TensorProto.UINT8, ["batch", *size, 3])
        embeddings = helper.make_tensor_value_info(OUTPUT, onnx.TensorProto.FLOAT, ["batch", embedding_size])
        graph = helper.make_graph(self.nodes, "resight", [images], [embeddings], list(self._constants.values()))
        opset = helper.make_opsetid("", OPSET)
        model = helper.make_model(graph, opset_imports=[opset], ir_version=_IR_VERSION, producer_name="resight")
        onnx.checker.check_model(model, full_check=True)
        return model


def _margins(layer: nn.Conv2d, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Zeros that a convolution puts around a map: left, right, top, bottom."""
    extra = layer.margins(shape[2], shape[3]) if isinstance(layer, KerasConv2d) else (0, 0, 0, 0)
    vertical, horizontal = _pair(layer.padding)
    left, right, top, bottom = extra
    return left + horizontal, right + horizontal, top + vertical, bottom + vertical
