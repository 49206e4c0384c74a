from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from onnx import numpy_helper

from export.networks import embedded, spoil
from resight.datasets import open_dataset
from resight.errors import ExportError
from resight.export.calibration import Calibration, calibrate
from resight.export.graph import network_graph
from resight.export.parity import cosines
from resight.export.quantise import errors_alone, half_weights, layers, quantised
from resight.images import Pixels, read_images
from resight.models import load_model
from resight.models.onnx import Session
from resight.models.shipped import load_shipped
from resight.networks.network import ReidNetwork
from support import SHARED, needs_shared

SIZE = (64, 32)


@pytest.fixture(scope="module")
def pictures(tiny: Path) -> Pixels:
    """Images that are not calibrated with."""
    return read_images(open_dataset(tiny).gallery.paths[:24], SIZE)


@pytest.fixture(scope="module")
def others(tiny: Path) -> Pixels:
    """Images to calibrate with."""
    return read_images(open_dataset(tiny).train.paths[::2], SIZE)


def student() -> ReidNetwork:
    """A network that learned from real people: in one that saw a few drawn ones, other errors hide what bias correction does."""
    network = load_shipped("student-fastest")[0].network
    network.resize_input(*SIZE)
    return network


@pytest.fixture(scope="module")
def model() -> onnx.ModelProto:
    return network_graph(student())


@pytest.fixture(scope="module")
def calibration(model: onnx.ModelProto, others: Pixels) -> Calibration:
    return calibrate(model, others)


def run(model: onnx.ModelProto, pixels: Pixels, optimise: bool) -> NDArray[np.float32]:
    """What ONNX Runtime gives with all of its rewriting, or with none."""
    options = onnxruntime.SessionOptions()
    level = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = level.ORT_ENABLE_ALL if optimise else level.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"images": pixels})[0])


def test_half_precision_rounds_the_weights_and_nothing_else(model: onnx.ModelProto, pictures: Pixels) -> None:
    half = half_weights(model)
    onnx.checker.check_model(half, full_check=True)
    rounded = onnx.ModelProto()
    rounded.CopyFrom(model)
    for tensor in rounded.graph.initializer:
        if tensor.name.endswith(".weight") and len(tensor.dims) > 1:
            values = numpy_helper.to_array(tensor).astype(np.float16).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    np.testing.assert_array_equal(Session(half).embed(pictures), Session(rounded).embed(pictures))
    assert len(half.SerializeToString()) < 0.55 * len(model.SerializeToString())
    assert cosines(Session(half).embed(pictures), Session(model).embed(pictures)).min() > 0.9999


def test_the_calibration_sees_what_is_computed(model: onnx.ModelProto, pictures: Pixels) -> None:
    """The mean of a layer's input, and its largest value, against PyTorch's hooks."""
    network = student()
    seen: dict[str, torch.Tensor] = {}
    for name in ("backbone.conv_dw_1", "backbone.conv_pw_7", "backbone.conv_pw_13"):
        network.get_submodule(name).register_forward_hook(lambda module, inputs, output, name=name: seen.update({name: inputs[0]}))
    embedded(network, pictures)
    found = calibrate(model, pictures)
    inputs = {node.name: node.input[0] for node in model.graph.node}
    for name, maps in seen.items():
        np.testing.assert_allclose(found.means[inputs[name]], maps.mean((0, 2, 3)), rtol=1e-4, atol=1e-5)
        assert found.ranges[inputs[name]].range_value[1] == pytest.approx(maps.max().item(), rel=1e-4)
    assert len(seen) == 3 and len(found.means) == 27


def test_eight_bits_are_near_and_a_third_of_the_size(model: onnx.ModelProto, calibration: Calibration, pictures: Pixels) -> None:
    found = quantised(model, calibration)
    assert found.opset_import == model.opset_import
    weights = {tensor.name: tensor.data_type for tensor in found.graph.initializer}
    assert weights["backbone.conv_dw_1.weight_quantized"] == onnx.TensorProto.INT8
    assert weights["backbone.conv1.weight"] == onnx.TensorProto.FLOAT  # the first layer stays in float
    assert cosines(Session(found).embed(pictures), Session(model).embed(pictures)).min() > 0.99
    assert len(found.SerializeToString()) < 0.4 * len(model.SerializeToString())


@pytest.mark.slow
@needs_shared("weights/osnet_x0_25_market1501.pth")
def test_osnet_in_eight_bits_is_near(pictures: Pixels, others: Pixels) -> None:
    """Shared gates, additions, and a fully connected layer."""
    extractor = load_model(f"osnet-0.25:{SHARED / 'weights/osnet_x0_25_market1501.pth'}", height=64, width=32)
    exact = network_graph(extractor.network)
    found = quantised(exact, calibrate(exact, others))
    assert cosines(Session(found).embed(pictures), Session(exact).embed(pictures)).min() > 0.97


def test_correcting_the_biases_keeps_the_means(model: onnx.ModelProto, calibration: Calibration, pictures: Pixels) -> None:
    """A layer gives the mean input what it gave it before; and the mean embedding of other images moves less."""
    before = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    found = quantised(model, calibration, reduce_range=True)
    after = {tensor.name: numpy_helper.to_array(tensor) for tensor in found.graph.initializer}
    inputs = {node.name: node.input[0] for node in model.graph.node}
    for name in ("backbone.conv_pw_4", "backbone.conv_dw_9"):
        mean = calibration.means[inputs[name]]

        def answer(weight: NDArray[np.float32], bias: NDArray[np.float32], name: str = name, mean: Any = mean) -> Any:
            each = weight.astype(np.float64).sum((2, 3))  # a map that is the same everywhere
            return (each[:, 0] * mean if "_dw_" in name else each @ mean) + bias

        scale = after[f"{name}.bias_quantized_scale"]
        stored = after[f"{name}.weight_quantized"] * after[f"{name}.weight_scale"].reshape(-1, 1, 1, 1)
        difference = answer(stored, after[f"{name}.bias_quantized"] * scale) - answer(
            before[f"{name}.weight"], before[f"{name}.bias"]
        )
        assert (np.abs(difference) <= 1.01 * scale).all()  # two roundings to whole numbers
    uncorrected = replace(calibration, means={name: np.zeros_like(mean) for name, mean in calibration.means.items()})
    exact = Session(model).embed(pictures)
    moved = [
        np.linalg.norm((Session(quantised(model, how, reduce_range=True)).embed(pictures) - exact).mean(0))
        for how in (calibration, uncorrected)
    ]
    assert moved[0] < 0.6 * moved[1]  # measured: 0.35


def test_what_is_left_in_float_is_float(model: onnx.ModelProto, calibration: Calibration, pictures: Pixels) -> None:
    everything = quantised(model, calibration, leave_float=layers(model))
    np.testing.assert_allclose(run(everything, pictures, optimise=True), Session(model).embed(pictures), rtol=1e-4, atol=1e-5)
    # Between two layers of 8 bits ONNX Runtime would quantise it all the same, and badly.
    one = quantised(model, calibration, leave_float=["backbone.conv_dw_3", "backbone.conv_dw_6"])
    assert cosines(run(one, pictures, optimise=True), run(one, pictures, optimise=False)).min() > 0.999
    assert not any(tensor.name.startswith("backbone.conv_dw_3.weight_") for tensor in one.graph.initializer)


def test_a_layer_that_does_not_exist_is_refused(model: onnx.ModelProto, calibration: Calibration) -> None:
    with pytest.raises(ExportError, match=r"no layer backbone\.conv_99; there are: backbone\.conv1, "):
        quantised(model, calibration, leave_float=["backbone.conv_99"])


def test_the_layer_that_loses_most_is_found(pictures: Pixels, others: Pixels) -> None:
    network = student()
    spoil(network)
    exact = network_graph(network)
    calibration = calibrate(exact, others)
    errors = errors_alone(exact, calibration, pictures, leave_float=["backbone.conv_dw_1"])
    assert len(errors) == 25 and "backbone.conv_dw_1" not in errors
    assert next(iter(errors)) == "backbone.conv_pw_5"
    assert errors["backbone.conv_pw_5"] > 5 * sorted(errors.values())[-2]
    vectors = Session(exact).embed(pictures)
    whole = Session(quantised(exact, calibration)).embed(pictures)
    left = Session(quantised(exact, calibration, leave_float=["backbone.conv_pw_5"])).embed(pictures)
    assert cosines(left, vectors).mean() > 0.99 > cosines(whole, vectors).mean()
