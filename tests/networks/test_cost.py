from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from resight.images import Preprocessing
from resight.networks import build
from resight.networks.cost import count_parameters, multiply_adds
from resight.networks.network import ReidNetwork

PUBLISHED = [
    # Howard et al. 2017, tables 6 and 7, and its authors' list of weights: with the head of 1,000 classes.
    ("mobilenet-1.0", (224, 224), 4.24e6, 569e6, True),
    ("mobilenet-0.75", (224, 224), 2.59e6, 325e6, True),
    ("mobilenet-0.5", (224, 224), 1.34e6, 149e6, True),
    ("mobilenet-0.25", (224, 224), 0.47e6, 41e6, True),
    # torchvision: 25.6 M parameters, 4.09 G.
    ("resnet-50", (224, 224), 25.557032e6, 4.09e9, True),
    # Zhou et al. 2019, table 6: without the head.
    ("osnet-1.0", (256, 128), 2.2e6, 978.9e6, False),
    ("osnet-0.75", (256, 128), 1.3e6, 571.8e6, False),
    ("osnet-0.5", (256, 128), 0.6e6, 272.9e6, False),
    ("osnet-0.25", (256, 128), 0.2e6, 82.3e6, False),
]


@pytest.mark.parametrize(("name", "size", "parameters", "operations", "with_head"), PUBLISHED)
def test_costs_equal_the_published(name: str, size: tuple[int, int], parameters: float, operations: float, with_head: bool) -> None:
    network = build(name, 1000)
    # Published to two digits; OSNet's parameters to one decimal of a million.
    assert count_parameters(network, with_head=with_head) == pytest.approx(parameters, rel=0.01, abs=0.05e6)
    assert multiply_adds(network, size, with_head=with_head) == pytest.approx(operations, rel=0.006)


class Small(ReidNetwork):
    head = "classifier"

    def __init__(self) -> None:
        super().__init__(5, 6, Preprocessing(height=8, width=4))
        self.conv = nn.Conv2d(3, 6, 3, padding=1, groups=3)
        self.norm = nn.BatchNorm2d(6)
        self.classifier = nn.Linear(6, 5)

    def maps(self, images: Tensor) -> Tensor:
        maps: Tensor = self.norm(self.conv(images))
        return maps


def test_costs_equal_a_count_by_hand() -> None:
    network = Small().double()
    assert count_parameters(network) == (6 * 9 + 6) + 2 * 6
    assert count_parameters(network, with_head=True) == (6 * 9 + 6) + 2 * 6 + (6 * 5 + 5)
    assert multiply_adds(network, (8, 4)) == 6 * 8 * 4 * 9
    assert multiply_adds(network, (8, 4), with_head=True) == 6 * 8 * 4 * 9 + 6 * 5


def test_counting_leaves_the_network_as_it_was() -> None:
    network = Small()
    network.conv.eval()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    multiply_adds(network, (8, 4))
    assert network.training and network.norm.training and not network.conv.training
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    assert not network.conv._forward_hooks and not network.classifier._forward_hooks
