"""What an ONNX graph would compute: worked out as the `onnx` package does, and refused where it is too much or strange."""

from __future__ import annotations

import re
import resource
import subprocess
import sys
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from export.networks import lively, photos
from models.exported_models import colours, save
from resight.errors import ConfigurationError, WeightsError
from resight.export.calibration import calibrate
from resight.export.graph import network_graph, set_batch
from resight.export.quantise import half_weights, layers, quantised
from resight.models.onnx_file import read_onnx
from resight.models.onnx_work import OPERATORS, check_work
from resight.models.protobuf import budget
from resight.networks import NETWORKS
from resight.networks.cost import multiply_adds
from resight.shipped import SHIPPED, shipped_file

SIZE = (67, 40)


def work(model: onnx.ModelProto) -> int:
    return check_work(memoryview(model.graph.SerializeToString()), budget(10**6)).numbers


def counted(model: onnx.ModelProto, batch: int = 8) -> int:
    """The same by the shapes of the `onnx` package."""
    fixed = onnx.ModelProto.FromString(model.SerializeToString())
    set_batch(fixed, batch)
    graph = onnx.shape_inference.infer_shapes(fixed, strict_mode=True).graph
    sides = [
        [dim.dim_value for dim in value.type.tensor_type.shape.dim] for value in (*graph.input, *graph.value_info, *graph.output)
    ]
    return sum(map(prod, sides)) + sum(prod(tensor.dims) for tensor in graph.initializer)


def int8(model: onnx.ModelProto) -> onnx.ModelProto:
    left = [name for name in layers(model) if name == "backbone.conv_dw_2"]
    return quantised(model, calibrate(model, photos(4, SIZE)), leave_float=left)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_is_counted_as_onnx_does(name: str) -> None:
    network = lively(name, SIZE)
    model = network_graph(network)
    assert work(model) == counted(model) > 10**5
    found = check_work(memoryview(model.graph.SerializeToString()), budget(10**6)).multiply_adds
    assert 8 * multiply_adds(network, SIZE) <= found < 8.4 * multiply_adds(network, SIZE)  # poolings are counted, too


@pytest.mark.parametrize("name", ["mobilenet-0.25", "osnet-0.25"])
def test_so_are_a_neck_fewer_bits_and_what_follows_the_network(name: str) -> None:
    network = lively(name, SIZE, neck=True)
    projection = np.ones((5, network.embedding_size), np.float32), np.ones(5, np.float32)
    model = network_graph(network, projection=projection)
    small = int8(model)
    for each in (model, half_weights(model), small):
        assert work(each) == counted(each)
    normalised = network_graph(network, projection=projection, normalise=True)
    assert work(normalised) == counted(normalised)
    set_batch(normalised, 3)
    assert work(normalised) == counted(normalised, 3)
    used = {
        (node.op_type, attribute.name) for graph in (normalised, small) for node in graph.graph.node for attribute in node.attribute
    }
    assert used <= {(operator, attribute) for operator, attributes in OPERATORS.items() for attribute in attributes}


@pytest.mark.parametrize("name", SHIPPED)
def test_so_are_the_shipped_models(name: str) -> None:
    model = onnx.load(shipped_file(name, ".onnx"))
    assert work(model) == counted(model)


def with_node(operator: str, inputs: list[str], *constants: Any, domain: str = "", **attributes: Any) -> onnx.ModelProto:
    """The small model, with one more operator before its last."""
    model = colours()
    names = [f"constant{number}" for number in range(len(constants))]
    model.graph.initializer.extend(
        numpy_helper.from_array(np.asarray(*array), name) for name, array in zip(names, constants, strict=True)
    )
    node = helper.make_node(operator, [*inputs, *names], ["more"], domain=domain, **attributes)
    model.graph.node.insert(4, node)
    return model


HOSTILE = {
    "ConstantOfShape": with_node("ConstantOfShape", [], ([500_000_000], np.int64)),
    "Expand": with_node("Expand", ["means"], ([1, 3, 30_000, 30_000], np.int64)),
    "Tile": with_node("Tile", ["numbers"], ([1, 1, 30_000, 30_000], np.int64)),
    "Pad": with_node("Pad", ["numbers"], ([0, 0, 0, 0, 0, 0, 30_000, 30_000], np.int64)),
    "Resize": with_node("Resize", ["numbers", "", ""], ([1, 3, 30_000, 30_000], np.int64)),
    "Reshape": with_node("Reshape", ["rows"], ([1, -1], np.int64)),
    "Range": with_node("Range", [], (0.0, np.float32), (1e9, np.float32), (1.0, np.float32)),
    "RandomNormal": with_node("RandomNormal", [], shape=[500_000_000]),
    "ConvTranspose": with_node("ConvTranspose", ["numbers"], (np.ones((3, 3, 1, 1)), np.float32), strides=[9999, 9999]),
    "com.microsoft.Gelu": with_node("Gelu", ["means"], domain="com.microsoft"),
    "com.microsoft.Relu": with_node("Relu", ["means"], domain="com.microsoft"),
    "a'\\x1b[31m\\n": with_node("a'\x1b[31m\n", ["means"]),
}


@pytest.mark.parametrize("operator", HOSTILE)
def test_other_operators_are_refused_by_name(operator: str, tmp_path: Path) -> None:
    with pytest.raises(
        WeightsError, match=rf"m\.onnx: holds the operator ['\"]{re.escape(operator)}['\"], which no network"
    ) as caught:
        read_onnx(save(tmp_path / "m.onnx", HOSTILE[operator]))
    assert str(caught.value).isprintable()


WINDOW = (np.ones((1, 3, 1, 1)), np.float32)


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (with_node("Conv", ["numbers"], WINDOW, pads=[0, 0, 100_000, 100_000]), r"Conv has 'pads' \[0, 0, 100000, 100000\]"),
        (with_node("Conv", ["numbers"], WINDOW, pads=[-1, 0, 0, 0]), "Conv has 'pads'"),
        (with_node("Conv", ["numbers"], WINDOW, strides=[0, 1]), "Conv has 'strides'"),
        (with_node("Conv", ["numbers"], WINDOW, auto_pad="SAME_UPPER"), "Conv has 'auto_pad'"),
        (with_node("MaxPool", ["numbers"], kernel_shape=[1, 1], ceil_mode=1), "MaxPool has 'ceil_mode'"),
        (with_node("Gemm", ["rows", "rows"], transA=1), "Gemm has 'transA'"),
        (with_node("Flatten", ["numbers"], axis=4), "Flatten has 'axis'"),
        (with_node("Cast", ["numbers"], to=TensorProto.STRING), r"Cast has 'to' \[8\]"),
        (with_node("ReduceL2", ["numbers"], axes=[1], keepdims=0), "ReduceL2 has 'keepdims'"),
        (
            with_node("Add", [], (np.ones((50_000, 1)), np.float32), (np.ones((1, 50_000)), np.float32)),
            "more than 2147483648 numbers",
        ),
        (
            with_node("Gemm", [], (np.ones((50_000, 1)), np.float32), (np.ones((1, 50_000)), np.float32)),
            "more than 2147483648 numbers",
        ),
        (with_node("Conv", ["numbers"], WINDOW, pads=[4096] * 4, strides=[1, 1]), None),
        (with_node("Conv", ["numbers"], (np.ones((8, 3, 1, 1)), np.float32), pads=[4096] * 4), "more than 2147483648 numbers"),
        (with_node("Relu", ["nobody"]), "Relu does not fit what goes into it"),
        (with_node("Relu", []), "Relu does not fit what goes into it"),
        (with_node("Conv", ["numbers"]), "Conv does not fit what goes into it"),
        (with_node("MaxPool", ["rows"], kernel_shape=[1, 1]), "MaxPool does not fit what goes into it"),
        (with_node("Transpose", ["rows"], perm=[0, 0]), "Transpose does not fit what goes into it"),
        (colours(batch=10**9), "more than 2147483648 numbers"),
    ],
)
def test_what_would_take_too_much_memory_is_refused(model: onnx.ModelProto, reason: str | None, tmp_path: Path) -> None:
    path = save(tmp_path / "m.onnx", model)
    if reason is None:
        read_onnx(path)
        return
    with pytest.raises(WeightsError, match=rf"m\.onnx: .*{reason}"):
        read_onnx(path)


def test_what_would_take_too_long_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wide = (np.zeros((16, 16, 17, 17)), np.float32)  # 73984 multiply-adds for each of 4 million places
    model = with_node("Conv", ["wide"], wide, pads=[8] * 4)
    model.graph.node.insert(4, helper.make_node("Conv", ["numbers", "narrow"], ["wide"], name="first", pads=[1024] * 4))
    model.graph.initializer.append(numpy_helper.from_array(np.zeros((16, 3, 1, 1), np.float32), "narrow"))
    path = save(tmp_path / "m.onnx", model)
    with pytest.raises(WeightsError, match=r"m\.onnx: it takes [\d,]+ multiply-adds an image, and 274,877,906,944 are allowed"):
        read_onnx(path)
    monkeypatch.setenv("RESIGHT_MOST_MULTIPLY_ADDS", str(2**42))
    read_onnx(path)
    for wrong in ("0", "many", "-1", "1e12"):
        monkeypatch.setenv("RESIGHT_MOST_MULTIPLY_ADDS", wrong)
        with pytest.raises(ConfigurationError, match="RESIGHT_MOST_MULTIPLY_ADDS is"):
            read_onnx(path)


def test_growth_step_by_step_is_refused(tmp_path: Path) -> None:
    """A row and a column of it, their sum, and the sum of that with itself turned: no constant is large."""
    model = colours()
    model.graph.initializer.append(numpy_helper.from_array(np.ones((1, 1, 1, 300), np.float32), "row"))
    model.graph.node.append(helper.make_node("Transpose", ["row"], ["column"], perm=[0, 1, 3, 2]))
    model.graph.node.append(helper.make_node("Add", ["row", "column"], ["square"]))
    model.graph.node.append(helper.make_node("Transpose", ["square"], ["turned"], perm=[2, 3, 0, 1]))
    assert work(model) < 10**6
    model.graph.node.append(helper.make_node("Add", ["square", "turned"], ["everything"]))
    with pytest.raises(WeightsError, match="more than 2147483648 numbers"):
        read_onnx(save(tmp_path / "m.onnx", model))


def sparse() -> onnx.ModelProto:
    model = colours()
    parts = numpy_helper.from_array(np.ones(1, np.float32), "big"), numpy_helper.from_array(np.zeros(1, np.int64), "i")
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(*parts, [500_000_000]))
    return model


def function() -> onnx.ModelProto:
    model = with_node("Relu", ["means"])
    twice = [helper.make_node("Relu", ["x"], ["y"]), helper.make_node("Relu", ["y"], ["z"])]
    model.functions.append(helper.make_function("", "Relu", ["x"], ["z"], twice, [helper.make_opsetid("", 17)]))
    return model


@pytest.mark.parametrize(("model", "what"), [(sparse(), "a sparse tensor"), (function(), "an operator of its own")])
def test_what_grows_when_it_is_loaded_is_refused(model: onnx.ModelProto, what: str, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=rf"m\.onnx: holds {what}, which Resight does not run"):
        read_onnx(save(tmp_path / "m.onnx", model))


def test_two_things_of_one_name_are_refused(tmp_path: Path) -> None:
    """Or it would depend on the runtime which of them counts."""
    model = colours()
    model.graph.initializer.append(numpy_helper.from_array(np.ones((2, 2), np.float32), "weight"))
    with pytest.raises(WeightsError, match="one name stands for two things"):
        read_onnx(save(tmp_path / "m.onnx", model))


_SMALL = "import sys; from resight.cli import main; sys.exit(main(sys.argv[1:]))"


@pytest.mark.parametrize("operator", ["ConstantOfShape", "Expand"])
def test_a_hostile_model_takes_little_memory(operator: str, tiny: Path, tmp_path: Path) -> None:
    path = save(tmp_path / "m.onnx", HOSTILE[operator])
    arguments = ["extract", "--model", str(path), "--images", str(tiny), "--out", str(tmp_path / "v"), "--threads", "1"]
    limit = 4 * 2**30
    done = subprocess.run(
        [sys.executable, "-c", _SMALL, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
    )
    assert done.returncode == 2
    assert done.stderr == f"resight: {path}: holds the operator '{operator}', which no network of Resight's has; it is not run\n"
