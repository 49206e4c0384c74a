"""Shapes of everything that graphs of others compute, against what ONNX Runtime computes; and graphs that would take too much."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn
from torch.nn import functional as F

from models.exported_models import foreign
from resight.errors import WeightsError
from resight.models.onnx_work import check_work
from resight.models.protobuf import budget
from support import SHARED, needs_shared


class Tower(nn.Module):
    """An image tower as CLIP's, with one block."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 32, 8, 8, bias=False)
        self.first = nn.Parameter(torch.randn(32))
        self.places = nn.Embedding(17, 32)
        self.register_buffer("numbers", torch.arange(17)[None])
        self.before, self.after = nn.LayerNorm(32), nn.LayerNorm(32)
        self.parts, self.joined = nn.Linear(32, 96), nn.Linear(32, 32)
        self.wide, self.narrow = nn.Linear(32, 64), nn.Linear(64, 32)
        self.projection = nn.Linear(32, 24, bias=False)

    def forward(self, pixel_values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        count = pixel_values.shape[0]
        tokens = self.patches(pixel_values).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.first.expand(count, 1, -1), tokens], 1) + self.places(self.numbers)
        b, n, d = tokens.shape
        query, key, value = (
            part.view(b, n, 4, d // 4).transpose(1, 2) for part in self.parts(self.before(tokens)).split([d, d, d], -1)
        )
        weights = (query @ key.transpose(-1, -2) / (d // 4) ** 0.5).softmax(-1)
        tokens = tokens + self.joined((weights @ value).transpose(1, 2).reshape(b, n, d))
        tokens = tokens + self.narrow(F.gelu(self.wide(self.after(tokens))))
        return F.normalize(self.projection(tokens[:, 0]), dim=-1), tokens


def exported_tower(path: Path) -> onnx.ModelProto:
    axes = {"pixel_values": dict(enumerate("bchw")), "image_embeds": {0: "b"}, "last_hidden_state": {0: "b"}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Tower().eval(),
            (torch.zeros(1, 3, 32, 32),),
            path,
            input_names=["pixel_values"],
            output_names=["image_embeds", "last_hidden_state"],
            dynamic_axes=axes,
            opset_version=14,
            dynamo=False,
        )
    return onnx.load(path)


def assert_shapes_are_those_of_onnx_runtime(model: onnx.ModelProto, size: tuple[int, int]) -> None:
    expected = check_work(memoryview(model.graph.SerializeToString()), budget(10**6), (2, 3, *size)).shapes
    known = {value.name for value in model.graph.output}
    names = [name for node in model.graph.node for name in node.output if name]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in known)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    found = session.run(names, {session.get_inputs()[0].name: np.zeros((2, 3, *size), np.float32)})
    assert {name: value.shape for name, value in zip(names, found, strict=True)} == {name: expected[name] for name in names}


def test_a_transformer(tmp_path: Path) -> None:
    assert_shapes_are_those_of_onnx_runtime(exported_tower(tmp_path / "tower.onnx"), (32, 32))


@needs_shared("weights/osnet_x0_5_msmt17.onnx")
@pytest.mark.parametrize("name", ["osnet_x0_25_msmt17.onnx", "osnet_x0_5_msmt17.onnx"])
def test_the_exports_of_others(name: str) -> None:
    assert_shapes_are_those_of_onnx_runtime(onnx.load(SHARED / "weights" / name), (256, 128))


INTEGERS = {
    "Slice": ([1, 5, 7, 9], [[3], [-100], [0], [-1]], {}),
    "Split": ([6], [[1, 5]], {"axis": 0}),
    "Pad": ([2, 3], [[1, 0, 0, 2]], {}),
    "Tile": ([2, 3], [[2, 4]], {}),
    "Expand": ([2, 1], [[3, 1, 5]], {}),
    "Squeeze": ([2, 1, 3, 1], [[1, -1]], {}),
    "Unsqueeze": ([2, 3], [[0, -1]], {}),
    "Reshape": ([2, 3, 4], [[0, -1, 2]], {}),
    "Concat": ([2, 3], [], {"axis": -1}),
    "Gather": ([4, 5], [[3, 0, 1]], {"axis": 1}),
    "Flatten": ([2, 3, 4], [], {"axis": 2}),
    "ReduceMax": ([2, 3, 4], [], {"axes": [-1], "keepdims": 0}),
    "MaxPool": ([1, 1, 7, 8], [], {"kernel_shape": [3, 2], "strides": [2, 3], "ceil_mode": 1, "pads": [1, 0, 1, 0]}),
    "AveragePool": ([1, 1, 7, 8], [], {"kernel_shape": [3, 2], "strides": [2, 3], "auto_pad": "SAME_UPPER"}),
}


@pytest.mark.parametrize("operator", INTEGERS)
def test_operators_one_by_one(operator: str) -> None:
    shape, constants, attributes = INTEGERS[operator]
    names = [f"c{number}" for number in range(len(constants))]
    outputs = ["y", "z"] if operator == "Split" else ["y"]
    nodes = [
        helper.make_node("ReduceMean", ["pixels"], ["mean"], keepdims=0),
        helper.make_node("Expand", ["mean", "shape"], ["x"]),
        helper.make_node(operator, ["x", *names], outputs, **attributes),
    ]
    arrays = [numpy_helper.from_array(np.array(value, np.int64), name) for name, value in zip(names, constants, strict=True)]
    graph = helper.make_graph(
        nodes,
        "one",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["n", 3, 4, 4])],
        [],
        [*arrays, numpy_helper.from_array(np.array(shape, np.int64), "shape")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    assert_shapes_are_those_of_onnx_runtime(model, (4, 4))


def hostile(*nodes: onnx.NodeProto, **constants: list[int]) -> onnx.ModelProto:
    model = foreign()
    model.graph.initializer.extend(numpy_helper.from_array(np.array(value, np.int64), name) for name, value in constants.items())
    model.graph.node.extend(nodes)
    return model


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (hostile(helper.make_node("ConstantOfShape", ["s"], ["x"]), s=[500_000_000_000]), "more than 2147483648 numbers"),
        (hostile(helper.make_node("ConstantOfShape", ["s"], ["x"]), s=[-1, -(2**40)]), "negative size"),
        (hostile(helper.make_node("Expand", ["rows", "s"], ["x"]), s=[30_000, 30_000, 8, 3]), "more than 2147483648 numbers"),
        (hostile(helper.make_node("Tile", ["numbers", "s"], ["x"]), s=[1, 1, 30_000, 30_000]), "more than 2147483648 numbers"),
        (
            hostile(
                helper.make_node("Cast", ["rows"], ["i"], to=TensorProto.INT64),
                helper.make_node("Reshape", ["i", "flat"], ["j"]),
                helper.make_node("ConstantOfShape", ["j"], ["x"]),
                flat=[-1],
            ),
            "depends on pixels",
        ),
        (
            hostile(
                helper.make_node("Range", ["a", "b", "c"], ["r"]),
                helper.make_node("Reshape", ["r", "s"], ["column"]),
                helper.make_node("Mul", ["r", "column"], ["square"]),
                helper.make_node("Reshape", ["square", "t"], ["tall"]),
                helper.make_node("Mul", ["square", "tall"], ["cube"]),
                a=0,  # type: ignore[arg-type]
                b=1024,  # type: ignore[arg-type]
                c=1,  # type: ignore[arg-type]
                s=[1024, 1],
                t=[1024 * 1024, 1, 1],
            ),
            "more than 2147483648 numbers",
        ),
        (
            hostile(
                helper.make_node("Reshape", ["rows", "flat"], ["f"]),
                helper.make_node("Split", ["f"], ["x"], axis=0, num_outputs=12288),
                flat=[-1],
            ),
            "Split does not fit .*12288 parts",
        ),
        (hostile(helper.make_node("NonZero", ["rows"], ["x"])), "holds the operator 'NonZero', which Resight does not run"),
        (hostile(helper.make_node("Gelu", ["rows"], ["x"], domain="com.microsoft")), "'com.microsoft.Gelu', which Resight"),
        (hostile(helper.make_node("Reshape", ["rows", "s"], ["x"]), s=[-1, 7]), "Reshape does not fit what goes into it"),
    ],
)
def test_what_would_take_too_much_memory_is_refused(model: onnx.ModelProto, message: str) -> None:
    with pytest.raises(WeightsError, match=message):
        check_work(memoryview(model.graph.SerializeToString()), budget(10**6), (8, 3, 32, 16))
