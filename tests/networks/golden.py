"""The weights and images that the golden networks were computed with: formulas, given beside the golden arrays."""

from __future__ import annotations

import numpy as np
import torch

from resight.networks.network import ReidNetwork


def fill(network: ReidNetwork) -> None:
    """Give every tensor but the counters its formula, by its place in the sorted state dict."""
    state = network.state_dict()
    for place, name in enumerate(sorted(state)):
        tensor = state[name]
        number = np.arange(tensor.numel(), dtype=np.float64)
        if name.endswith("num_batches_tracked"):
            continue
        if name.endswith("running_var"):
            values = 1 + 0.1 * np.cos(0.7 * number + place)
        elif name.endswith("running_mean"):
            values = 0.1 * np.sin(0.3 * number + place)
        elif tensor.ndim >= 2:
            inputs = tensor.numel() / tensor.shape[0]
            values = np.sin(0.37 * number * (1 + 0.001 * place) + place) * np.sqrt(2 / inputs)
        elif name.endswith("weight"):
            values = 1 + 0.1 * np.sin(0.9 * number + place)
        else:
            values = 0.1 * np.cos(0.5 * number + place)
        tensor.copy_(torch.from_numpy(values.reshape(tensor.shape)))


def images(height: int, width: int) -> torch.Tensor:
    """The two golden images, float64 of shape (2, 3, height, width)."""
    return torch.from_numpy(np.sin(0.011 * np.arange(2 * 3 * height * width)).reshape(2, 3, height, width))
