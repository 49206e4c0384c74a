from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from export.networks import embedded, lively, photos
from resight.errors import ExportError
from resight.export.graph import network_graph, set_batch, set_input
from resight.models.description import INPUTS
from resight.models.onnx import Session
from resight.networks import NETWORKS


def assert_same(found: np.ndarray, expected: np.ndarray) -> None:
    """Equal but for the order in which float32 adds up."""
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-5 * np.abs(expected).max())


@pytest.mark.parametrize("name", NETWORKS)
def test_every_architecture_equals_pytorch(name: str) -> None:
    size = (67, 40)  # an odd and an even side: Keras pads them differently
    network = lively(name, size)
    assert_same(Session(network_graph(network)).embed(photos(3, size)), embedded(network, photos(3, size)))


@pytest.mark.parametrize("name", ["mobilenet-0.25", "osnet-0.25"])
def test_a_neck_is_exported(name: str) -> None:
    network = lively(name, neck=True)
    assert_same(Session(network_graph(network)).embed(photos(3, (64, 32))), embedded(network, photos(3, (64, 32))))


@pytest.mark.parametrize("colour", ["rgb", "bgr"])
def test_preprocessing_is_inside(colour: str) -> None:
    network = lively("osnet-0.25")
    network.preprocessing = replace(network.preprocessing, colour=colour, mean=(0.2, 0.45, 0.6), std=(0.3, 0.15, 0.2))
    pixels = photos(4, (64, 32))
    found = Session(network_graph(network)).embed(pixels)
    assert_same(found, embedded(network, pixels))
    with pytest.raises(AssertionError):  # the colours do matter
        assert_same(found, embedded(network, pixels[..., ::-1]))


def test_nothing_is_in_the_graph_that_is_not_needed() -> None:
    """MobileNet: 27 convolutions, as many ReLU6, three steps before and two after them; ResNet-50 and OSNet likewise."""
    before, after = {"Transpose": 1, "Cast": 1, "Sub": 1}, {"GlobalAveragePool": 1, "Flatten": 1}
    expected = {
        "mobilenet-0.25": {"Conv": 27, "Clip": 27},
        "resnet-50": {"Conv": 53, "Relu": 49, "Add": 16, "MaxPool": 1},
        "osnet-0.25": {"Conv": 187, "Relu": 101, "Add": 24, "MaxPool": 1, "Mul": 24, "Sigmoid": 24, "AveragePool": 2, "Gemm": 1},
    }
    for name, layers in expected.items():
        network = lively(name)
        graph = network_graph(network).graph
        gates = {"GlobalAveragePool": 24} if name == "osnet-0.25" else {}
        counts = Counter(before) + Counter(after) + Counter(layers) + Counter(gates)
        assert Counter(node.op_type for node in graph.node) == counts
        known = dict(network.named_modules())
        assert all(node.name.partition("#")[0] in known for node in graph.node if node.op_type in ("Conv", "Gemm"))
        assert not any(tensor.name.startswith(f"{network.head}.") for tensor in graph.initializer)


def test_input_and_output() -> None:
    model = network_graph(lively("mobilenet-0.25"))
    (images,), (embeddings,) = model.graph.input, model.graph.output
    shape = images.type.tensor_type.shape.dim
    assert images.name == "images" and images.type.tensor_type.elem_type == onnx.TensorProto.UINT8
    assert [side.dim_value for side in shape[1:]] == [64, 32, 3] and shape[0].dim_param == "batch"
    assert embeddings.name == "embeddings" and embeddings.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    assert embeddings.type.tensor_type.shape.dim[1].dim_value == 256
    set_batch(model, 5)
    assert shape[0].dim_value == embeddings.type.tensor_type.shape.dim[0].dim_value == 5
    session = Session(model)
    assert session.fixed_batch == 5
    assert session.embed(photos(7, (64, 32))).shape == (7, 256)


def test_the_same_network_gives_the_same_bytes_and_is_left_as_it_was() -> None:
    network = lively("osnet-0.25").train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    first, second = (network_graph(network).SerializeToString(deterministic=True) for _ in range(2))
    assert first == second
    assert network.training
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    for text in (b"/src/", b".py", b"torch"):  # nothing of the machine that it was made on
        assert text not in first


def test_normalised_embeddings_have_length_1_and_zero_stays_zero() -> None:
    network = lively("mobilenet-0.25")
    found = Session(network_graph(network, normalise=True)).embed(photos(3, (64, 32)))
    expected = embedded(network, photos(3, (64, 32)))
    assert_same(found, expected / np.linalg.norm(expected, axis=1, keepdims=True))
    last = network.get_submodule("backbone.conv_pw_13_bn")
    assert isinstance(last, nn.BatchNorm2d)
    with torch.no_grad():
        last.weight.zero_()
        last.bias.fill_(-1)  # nothing gets through the ReLU
    assert not Session(network_graph(network, normalise=True)).embed(photos(3, (64, 32))).any()


def test_a_projection_is_one_more_layer() -> None:
    network = lively("mobilenet-0.25")
    rng = np.random.default_rng(0)
    matrix, offset = rng.normal(size=(9, 256)).astype(np.float32), rng.normal(size=9).astype(np.float32)
    found = Session(network_graph(network, projection=(matrix, offset))).embed(photos(3, (64, 32)))
    assert_same(found, embedded(network, photos(3, (64, 32))) @ matrix.T + offset)


def test_what_cannot_be_translated_is_named() -> None:
    network = lively("mobilenet-0.25")
    network.backbone.conv_pw_3_relu = nn.GELU()  # type: ignore[union-attr]
    with pytest.raises(ExportError, match=r"backbone\.conv_pw_3_relu is a GELU"):
        network_graph(network)


@pytest.mark.parametrize("name", ["mobilenet-0.25", "osnet-0.25"])
@pytest.mark.parametrize("form", ["nchw-float", "nchw-255"])
def test_float_planes_as_other_programs_give_them(name: str, form: str) -> None:
    """Planes made by the textbook, and ONNX Runtime itself: nothing here knows Resight's own way of making them."""
    network = lively(name)  # MobileNet itself wants other means than ImageNet's
    pixels = photos(3, (64, 32))
    model = network_graph(network)
    set_input(model, INPUTS[form])
    planes = pixels.transpose(0, 3, 1, 2).astype(np.float64)
    if form == "nchw-float":
        planes = (planes / 255 - np.reshape([0.485, 0.456, 0.406], (3, 1, 1))) / np.reshape([0.229, 0.224, 0.225], (3, 1, 1))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    assert [(one.name, one.type, one.shape[1:]) for one in session.get_inputs()] == [("images", "tensor(float)", [3, 64, 32])]
    (found,) = session.run(None, {"images": planes.astype(np.float32)})
    np.testing.assert_allclose(found, embedded(network, pixels), rtol=0, atol=1e-4 * np.abs(found).max())
    np.testing.assert_allclose(Session(model, takes=INPUTS[form]).embed(pixels), found, rtol=0, atol=1e-4 * np.abs(found).max())
