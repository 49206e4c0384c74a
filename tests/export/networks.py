"""Networks whose every part matters: what is forgotten in a translation must show."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from resight.export.parity import generated_images
from resight.networks import build
from resight.networks.network import ReidNetwork


def lively(name: str, size: tuple[int, int] = (64, 32), *, neck: bool = False) -> ReidNetwork:
    """An untrained network whose batch normalisation has seen images, so that its embeddings tell images apart."""
    network = build(name, 3, neck=neck)
    network.resize_input(*size)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                module.momentum = 1
                module.weight.copy_(0.5 + torch.rand(module.num_features, generator=generator))
                module.bias.copy_(0.3 * torch.randn(module.num_features, generator=generator))
        network.train().embed(normalised(network, generated_images(size, 16, seed=9)))
    return network.eval()


def photos(count: int, size: tuple[int, int], seed: int = 0) -> NDArray[np.uint8]:
    """Noise in uint8, (count, height, width, 3)."""
    return np.random.default_rng(seed).integers(0, 256, (count, *size, 3), np.uint8)


def normalised(network: ReidNetwork, pixels: NDArray[np.uint8]) -> torch.Tensor:
    """What a network sees, by the textbook: (value / 255 - mean) / std, channel by channel, in float64."""
    own = network.preprocessing
    planes = pixels.transpose(0, 3, 1, 2).astype(np.float64) / 255
    if own.colour == "bgr":
        planes = planes[:, ::-1]
    images = (planes - np.reshape(own.mean, (1, 3, 1, 1))) / np.reshape(own.std, (1, 3, 1, 1))
    return torch.from_numpy(np.ascontiguousarray(images, np.float32))


def embedded(network: ReidNetwork, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The network's embeddings, by PyTorch."""
    with torch.inference_mode():
        return network.embed(normalised(network, pixels)).numpy()


def spoil(network: ReidNetwork, layer: str = "backbone.conv_pw_5") -> None:
    """Give a layer weights that change nothing it computes and leave 8 bits no room: they meet an input that is always zero."""
    before = network.get_submodule(layer.replace("pw", "dw") + "_bn")
    with torch.no_grad():
        before.weight[0], before.bias[0] = 0, -1  # type: ignore[index]
        network.get_submodule(layer).weight[:, 0] = 1000  # type: ignore[index]
