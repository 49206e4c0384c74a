"""The cost of a network: parameters and multiply-adds."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from resight.networks.network import ReidNetwork

__all__ = ["count_parameters", "multiply_adds"]


def count_parameters(network: ReidNetwork, *, with_head: bool = False) -> int:
    """Count the trained numbers in a network: also batch normalisation's scale and shift, but not its running statistics.

    Parameters
    ----------
    network : ReidNetwork
    with_head : bool
        Count the classifier too, which a trained network no longer needs.
    """
    every = sum(parameter.numel() for parameter in network.parameters())
    return every if with_head else every - sum(parameter.numel() for parameter in _head(network).parameters())


def multiply_adds(network: ReidNetwork, size: tuple[int, int], *, with_head: bool = False) -> int:
    """Count the multiplications, each with its addition, in convolutions and fully connected layers for one image.

    The convention of the MobileNet and OSNet papers: a multiplication and its addition are one; bias, batch normalisation,
    activations, pooling and products of maps (OSNet's gates) count nothing. Twice this number is often called FLOPs.

    Parameters
    ----------
    network : ReidNetwork
        Runs once on a black image, and is not changed.
    size : tuple of (height, width)
    with_head : bool
        Count the classifier too.
    """
    total = 0

    def count(module: nn.Conv2d | nn.Linear, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal total
        # Every output number is the product of one row of the weights with as many inputs.
        total += output.numel() * module.weight[0].numel()

    head = _head(network)
    handles = [
        module.register_forward_hook(count)
        for module in network.modules()
        if isinstance(module, (nn.Conv2d, nn.Linear)) and (with_head or module is not head)
    ]
    modes = [(module, module.training) for module in network.modules()]
    parameter = next(network.parameters())
    image = torch.zeros((1, 3, *size), dtype=parameter.dtype, device=parameter.device)
    try:
        network.eval()
        with torch.inference_mode():
            network(image)
    finally:
        for module, mode in modes:
            module.training = mode
        for handle in handles:
            handle.remove()
    return total


def _head(network: ReidNetwork) -> nn.Module:
    return network.get_submodule(network.head)
