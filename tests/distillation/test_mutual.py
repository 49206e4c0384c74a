"""Mutual learning against two networks trained by hand."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from resight.distillation.mutual import MutualLoss
from resight.networks import build
from resight.networks.batches import View
from resight.networks.network import Outputs
from resight.training.losses import Batch, HardLabelLoss, WeightedLosses


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


class Says(torch.nn.Module):
    """A network that says what it is told to."""

    def __init__(self, logits: torch.Tensor) -> None:
        super().__init__()
        self.logits = torch.nn.Parameter(logits)

    def forward(self, images: torch.Tensor) -> Outputs:
        return Outputs(images, images, images, self.logits)


def test_it_is_two_divergences_and_the_peers_cross_entropy() -> None:
    random = np.random.default_rng(0)
    student, peer = 2 * random.normal(size=(2, 5, 4))
    labels = np.array([3, 1, 0, 0, 2])
    own, other = softmax(student), softmax(peer)
    divergences = [(p * np.log(p / q)).sum(1).mean() for p, q in ((other, own), (own, other))]
    hard = -np.log(other[np.arange(5), labels]).mean()
    loss = MutualLoss(Says(torch.from_numpy(peer).float()))  # type: ignore[arg-type]
    logits = torch.from_numpy(student).float().requires_grad_()
    nothing = torch.empty(0)
    batch = Batch(View(np.arange(5)), nothing, torch.from_numpy(labels))
    total, parts = loss(batch, Outputs(nothing, nothing, nothing, logits))
    assert parts["mutual_student"].item() == pytest.approx(divergences[0], rel=1e-4)
    assert parts["peer_hard"].item() == pytest.approx(hard, rel=1e-4)
    assert parts["peer_accuracy"].item() == (peer.argmax(1) == labels).mean()
    assert total.item() == pytest.approx(sum(divergences) + hard, rel=1e-4)
    total.backward()
    # d KL(p, softmax(x)) / dx = softmax(x) - p: each learns from the other, and neither bends what it is compared with
    truth = np.eye(4)[labels]
    np.testing.assert_allclose(logits.grad, (own - other) / 5, atol=1e-6)
    np.testing.assert_allclose(loss.peer.logits.grad, (other - own + other - truth) / 5, atol=1e-6)
    # an image without an identity is named neither rightly nor wrongly
    labels = np.where(np.arange(5) < 3, peer.argmax(1), -1)
    parts = loss(batch._replace(labels=torch.from_numpy(labels)), Outputs(nothing, nothing, nothing, logits))[1]
    assert parts["peer_accuracy"].item() == 1


def test_one_step_is_that_of_two_networks_side_by_side() -> None:
    networks = [build("mobilenet-0.25", 3, seed=seed) for seed in (0, 1)]
    by_hand = copy.deepcopy(networks)
    images = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 1, 2, 0])
    loss = WeightedLosses({"hard": (1.0, HardLabelLoss()), "mutual": (1.0, MutualLoss(networks[1]))})
    assert set(map(id, networks[1].parameters())) == set(map(id, loss.parameters()))
    total, _ = loss(Batch(View(np.arange(4)), images, labels), networks[0](images))
    total.backward()
    logits = [network(images).logits for network in by_hand]
    for own, other in (logits, logits[::-1]):
        target = other.detach().softmax(1)
        (F.cross_entropy(own, labels) + (target * (target.log() - own.log_softmax(1))).sum(1).mean()).backward()
    for network, expected in zip(networks, by_hand, strict=True):
        for name, parameter in network.named_parameters():
            wanted = expected.get_parameter(name).grad
            # The sums' order depends on the threads, and normalisation over four images magnifies that.
            assert parameter.grad is not None and wanted is not None
            assert (parameter.grad - wanted).norm() <= 1e-2 * wanted.norm() + 1e-5, name
