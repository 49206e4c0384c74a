"""The moving average against a plain loop."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from resight.networks import build
from resight.training.average import WeightAverage


def small() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))


def test_it_is_the_plain_recurrence() -> None:
    network = small()
    average = WeightAverage(network, 0.6)
    random = torch.Generator().manual_seed(1)
    expected = {name: tensor.numpy().copy() for name, tensor in network.state_dict().items() if "num_batches" not in name}
    for step in range(1, 12):
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=random))
            network[1].running_mean.copy_(torch.randn(4, generator=random))  # type: ignore[index, operator, union-attr]
        average.update(network)
        decay = min(0.6, (1 + step) / (10 + step))
        for name in expected:
            expected[name] = decay * expected[name] + (1 - decay) * network.state_dict()[name].numpy()
    assert average.steps == 11 and (1 + 11) / (10 + 11) < 0.6 < (1 + 13) / (10 + 13)
    assert average.tensors.keys() == expected.keys()
    for name, tensor in average.tensors.items():
        np.testing.assert_allclose(tensor.numpy(), expected[name], rtol=1e-5, atol=1e-6)


def test_the_decay_is_reached() -> None:
    network = small()
    average = WeightAverage(network, 0.5)
    average.steps = 100
    before = average.tensors["0.bias"].clone()
    with torch.no_grad():
        network[0].bias.add_(1)  # type: ignore[index, union-attr, operator]
    average.update(network)
    torch.testing.assert_close(average.tensors["0.bias"], before + 0.5)


def test_the_network_has_the_average_inside_the_block_alone() -> None:
    network = build("mobilenet-0.25", 3)
    average = WeightAverage(network, 0.9)
    with torch.no_grad():
        network.get_parameter("classifier.weight").add_(1)
    own = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with pytest.raises(RuntimeError, match="stop"), average.applied(network):
        torch.testing.assert_close(network.get_parameter("classifier.weight") + 1, own["classifier.weight"])
        raise RuntimeError("stop")
    assert all(torch.equal(own[name], tensor) for name, tensor in network.state_dict().items())
    assert network.get_parameter("classifier.weight").requires_grad
    average.copy_to(network)
    assert torch.equal(network.get_parameter("classifier.weight"), average.tensors["classifier.weight"])
    with torch.no_grad():
        network.get_parameter("classifier.weight").add_(1)  # the average's tensors are its own, not the network's
    torch.testing.assert_close(average.tensors["classifier.weight"], own["classifier.weight"] - 1)
