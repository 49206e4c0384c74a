"""A moving average of a network's weights, which generalises better than the last weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

__all__ = ["WeightAverage"]


class WeightAverage:
    """Exponential moving average of weights and running statistics (Polyak averaging, as in Tarvainen and Valpola, 2017).

    Parameters
    ----------
    network : nn.Module
    decay : float
        Share of the old average to keep at every step. The first steps keep less, (1 + n) / (10 + n), to forget the initial weights
        soon.

    Attributes
    ----------
    tensors : dict of str to Tensor
        The average, by the names of the network's state.
    steps : int
        Number of updates.

    References
    ----------
    .. [1] A. Tarvainen, H. Valpola, "Mean teachers are better role models", NeurIPS 2017.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.steps = 0
        self.tensors = {name: tensor.detach().clone() for name, tensor in _averaged(network).items()}

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Move the average towards the network's present weights."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        torch._foreach_lerp_(list(self.tensors.values()), list(_averaged(network).values()), 1 - decay)

    @contextmanager
    def applied(self, network: nn.Module) -> Iterator[None]:
        """Give the network the average's weights inside the block, and its own again afterwards."""
        own = {name: tensor.detach().clone() for name, tensor in _averaged(network).items()}
        self.copy_to(network)
        try:
            yield
        finally:
            _copy(own, network)

    def copy_to(self, network: nn.Module) -> None:
        """Give the network the average's weights."""
        _copy(self.tensors, network)


def _averaged(network: nn.Module) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in network.state_dict(keep_vars=True).items() if tensor.is_floating_point()}


@torch.no_grad()
def _copy(tensors: dict[str, Tensor], network: nn.Module) -> None:
    for name, tensor in _averaged(network).items():
        tensor.copy_(tensors[name])
