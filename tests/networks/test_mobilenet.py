from __future__ import annotations

import os
from pathlib import Path
from typing import Any

os.environ["KERAS_BACKEND"] = "torch"
os.environ["KERAS_TORCH_DEVICE"] = "cpu"

import h5py
import keras
import numpy as np
import pytest
import torch

from networks.golden import fill
from resight.networks import build
from resight.networks.mobilenet import KerasConv2d, MobileNet
from resight.networks.network import ReidNetwork
from resight.networks.weights import load_weights, weights_classes
from support import SHARED, needs_shared

# Keras' variables under PyTorch do not know NumPy 2's `copy` yet.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

PUBLISHED_FILE = SHARED / "weights/mobilenet_2_5_224_tf_no_top.h5"


def keras_mobilenet(width: float, size: tuple[int, int]) -> Any:
    return keras.applications.MobileNet(input_shape=(*size, 3), alpha=width, weights=None, include_top=False, pooling="avg")


def randomise(model: Any, seed: int) -> None:
    """Weights under which the maps stay alive to the last layer, and every tensor matters."""
    random = np.random.default_rng(seed)
    for variable in model.variables:
        if "seed_generator" in variable.path:
            continue
        shape = tuple(variable.shape)
        name = variable.name
        if name == "kernel":
            inputs = 9 if "conv_dw" in variable.path else np.prod(shape[:-1])
            values = random.normal(0, np.sqrt(2 / inputs), shape)
        elif name in ("gamma", "moving_variance"):
            values = random.uniform(0.8, 1.2, shape)
        else:
            values = random.normal(0, 0.1, shape)
        variable.assign(values.astype(np.float32))


def save_as_published(model: Any, path: Path) -> None:
    """The layout of the published files, as seen in the one at hand: ``conv_dw_1/conv_dw_1/depthwise_kernel:0``."""
    with h5py.File(path, "w") as file:
        for layer in model.layers:
            for variable in layer.weights:
                kind = "depthwise_kernel" if layer.name.startswith("conv_dw") and variable.name == "kernel" else variable.name
                if kind != "seed_generator_state":
                    file[f"{layer.name}/{layer.name}/{kind}:0"] = variable.numpy()


def agree(model: Any, network: ReidNetwork, size: tuple[int, int]) -> None:
    images = np.random.default_rng(1).uniform(-1, 1, (2, *size, 3)).astype(np.float32)
    with torch.inference_mode():
        expected = keras.ops.convert_to_numpy(model(images, training=False))
        given = network.eval().embed(torch.from_numpy(images).permute(0, 3, 1, 2)).numpy()
    assert expected.std() > 0.05, "the features say nothing; the comparison would not either"
    np.testing.assert_allclose(given, expected, rtol=0, atol=1e-4)


@needs_shared("weights/mobilenet_2_5_224_tf_no_top.h5")
@pytest.mark.parametrize("size", [(128, 128), (160, 96), (224, 224), (90, 45), (127, 99)])
def test_equals_keras_with_the_published_file(size: tuple[int, int]) -> None:
    model = keras_mobilenet(0.25, size)
    model.load_weights(PUBLISHED_FILE)
    network = build("mobilenet-0.25", 3)
    loaded = load_weights(network, PUBLISHED_FILE)
    assert {name for name in loaded.left if "num_batches" not in name} == {"classifier.weight", "classifier.bias"}
    agree(model, network, size)


@pytest.mark.parametrize("width", [0.25, 0.5, 0.75, 1.0])
@pytest.mark.parametrize("size", [(128, 128), (75, 50)])
def test_equals_keras_at_every_width(width: float, size: tuple[int, int], tmp_path: Path) -> None:
    model = keras_mobilenet(width, size)
    randomise(model, seed=int(100 * width))
    save_as_published(model, tmp_path / "weights.h5")
    network = build(f"mobilenet-{width}", 3)
    load_weights(network, tmp_path / "weights.h5")
    agree(model, network, size)


@pytest.mark.filterwarnings("ignore:.*HDF5 file")
def test_a_full_keras_file_brings_its_classifier(tmp_path: Path) -> None:
    size = (64, 64)
    model = keras.applications.MobileNet(input_shape=(*size, 3), alpha=0.25, weights=None, classes=11, classifier_activation=None)
    randomise(model, seed=5)
    save_as_published(model, tmp_path / "published.h5")
    model.save(tmp_path / "model.h5")  # Keras' own file of a whole model, weights in the group model_weights
    images = np.random.default_rng(1).uniform(-1, 1, (2, *size, 3)).astype(np.float32)
    with torch.inference_mode():
        expected = keras.ops.convert_to_numpy(model(images, training=False))
    for file in ("published.h5", "model.h5"):
        classes = weights_classes(tmp_path / file, MobileNet.head)
        assert classes == 11
        network = build("mobilenet-0.25", classes).eval()
        assert all("num_batches_tracked" in name for name in load_weights(network, tmp_path / file).left)
        with torch.inference_mode():
            logits = network(torch.from_numpy(images).permute(0, 3, 1, 2)).logits
        np.testing.assert_allclose(logits.numpy(), expected, rtol=0, atol=1e-4)


def test_last_stride_one_sees_what_stride_two_sees_and_more() -> None:
    published, finer = build("mobilenet-0.25", 3).eval(), MobileNet(3, width=0.25, last_stride=1).eval()
    fill(published)
    finer.load_state_dict(published.state_dict())
    images = torch.randn(1, 3, 128, 96, generator=torch.Generator().manual_seed(0))
    upto = list(dict(published.backbone.named_children())).index("conv_dw_12") + 1
    with torch.inference_mode():
        coarse, fine = published.backbone[:upto](images), finer.backbone[:upto](images)
        assert finer.backbone(images).shape == (1, 256, 8, 6)
    assert fine.shape == (1, 128, 8, 6) and coarse.std() > 0.05
    # A window of stride 2 that starts at the first pixel has its middle on every other one.
    torch.testing.assert_close(fine[:, :, 1::2, 1::2], coarse, rtol=0, atol=1e-5)


def test_channels_last_stays_channels_last() -> None:
    network = build("mobilenet-0.25", 3).to(memory_format=torch.channels_last)
    maps = torch.zeros(2, 3, 128, 128).to(memory_format=torch.channels_last)
    for layer in network.backbone:
        maps = layer(maps)
        assert maps.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(("stride", "expected"), [(1, torch.bfloat16), (2, torch.float32)])
def test_strided_layers_stay_in_float32_beside_bfloat16(stride: int, expected: torch.dtype) -> None:
    layer = KerasConv2d(8, 8, 3, stride=stride, groups=8)
    images = torch.rand(2, 8, 16, 16).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert layer(images).dtype == expected
