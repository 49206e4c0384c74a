"""Numbers so small that a processor is slow with them are zeros, and nothing else changes."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import helper, numpy_helper

from resight.models.onnx import open_session
from resight.models.onnx_graph import without_tiny_weights
from resight.models.pytorch import without_denormals
from resight.models.shipped import SHIPPED, shipped_file

TINY = np.float32(1e-40)


@pytest.mark.parametrize("raw", [True, False])
def test_tiny_weights_become_zeros(raw: bool) -> None:
    weights = np.array([[0.5, TINY, -TINY, 1e-9], [1e-20, -3.0, 0.0, 2e-15]], np.float32)
    scales = np.array([0.25, TINY], np.float32)
    kept = [numpy_helper.from_array(weights, "w"), numpy_helper.from_array(scales, "scales")]
    if not raw:
        kept[0] = helper.make_tensor("w", onnx.TensorProto.FLOAT, weights.shape, weights.ravel())
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "g",
        [value("x", onnx.TensorProto.FLOAT, [1, 2])],
        [value("y", onnx.TensorProto.FLOAT, [1, 4])],
        kept,
    )
    data = helper.make_model(graph).SerializeToString()
    found = [numpy_helper.to_array(tensor) for tensor in onnx.load_from_string(without_tiny_weights(data)).graph.initializer]
    expected = np.array([[0.5, 0, 0, 1e-9], [0, -3.0, 0, 2e-15]], np.float32)
    assert np.array_equal(found[0], expected)
    assert np.array_equal(found[1], scales)


@pytest.mark.parametrize("name", SHIPPED)
def test_the_answers_of_a_shipped_model_stay_the_same_to_the_bit(name: str) -> None:
    data = shipped_file(name, ".onnx").read_bytes()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    plain, ours = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"]), open_session(data, 1)
    (given,) = plain.get_inputs()
    images = np.random.default_rng(0).integers(0, 256, (2, *given.shape[1:]), np.uint8)
    answers = [session.run(None, {given.name: images})[0] for session in (plain, ours)]
    assert np.array_equal(*answers)


def test_pytorch_takes_tiny_numbers_for_zero_inside_only() -> None:
    def product() -> float:
        return float(torch.tensor(1e-20) * torch.tensor(1e-20))

    kept = product()
    assert kept > 0
    with without_denormals():
        with without_denormals():
            assert product() == 0
        assert product() == 0, "a training goes on after its validation"
    assert product() == kept
