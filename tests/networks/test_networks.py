from __future__ import annotations

import pytest
import torch

from resight.errors import ConfigurationError
from resight.networks import NETWORKS, build

EMBEDDINGS = {
    "mobilenet-0.25": 256,
    "mobilenet-0.5": 512,
    "mobilenet-0.75": 768,
    "mobilenet-1.0": 1024,
    "resnet-50": 2048,
    "osnet-0.25": 512,
    "osnet-0.5": 512,
    "osnet-0.75": 512,
    "osnet-1.0": 512,
}


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_embeds_and_classifies(name: str) -> None:
    network = build(name, 7)
    assert (network.classes, network.embedding_size) == (7, EMBEDDINGS[name])
    images = torch.randn(2, 3, 64, 32, generator=torch.Generator().manual_seed(0))
    embedding, logits = network(images)
    assert embedding.shape == (2, EMBEDDINGS[name]) and logits.shape == (2, 7)
    head = {key: tensor for key, tensor in network.state_dict().items() if key.startswith(f"{network.head}.")}
    weight, bias = head[f"{network.head}.weight"], head[f"{network.head}.bias"]
    torch.testing.assert_close(logits, embedding @ weight.T + bias, rtol=1e-4, atol=1e-5)
    assert weight.std().item() == pytest.approx(0.01, rel=0.1) and not bias.any()
    logits.sum().backward()  # in-place layers must not overwrite what the gradient needs
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in network.parameters())


def test_the_seed_alone_decides() -> None:
    first = build("mobilenet-0.25", 5, seed=3).state_dict()
    torch.rand(11)  # whatever was drawn before
    second, other = build("mobilenet-0.25", 5, seed=3).state_dict(), build("mobilenet-0.25", 5, seed=4).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["backbone.conv1.weight"], other["backbone.conv1.weight"])
    assert not torch.equal(first["classifier.weight"], other["classifier.weight"])


def test_the_global_random_state_is_left_alone() -> None:
    before = torch.get_rng_state()
    build("osnet-0.25", 5)
    assert torch.equal(torch.get_rng_state(), before)


def test_an_unknown_name_is_told_the_nearest() -> None:
    with pytest.raises(ConfigurationError, match=r"did you mean 'mobilenet-0\.25'") as error:
        build("mobilnet-025", 5)
    assert all(name in str(error.value) for name in NETWORKS)


@pytest.mark.parametrize("classes", [0, -3])
def test_a_network_without_classes_is_refused(classes: int) -> None:
    with pytest.raises(ConfigurationError, match=f"{classes} classes"):
        build("mobilenet-0.25", classes)
