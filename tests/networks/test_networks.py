from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from resight.errors import ConfigurationError, WeightsError
from resight.files import read_json, sha256_file, write_json
from resight.networks import NETWORKS, build
from resight.networks.card import Card, load_network, save_network
from resight.networks.network import Outputs

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
    maps, features, embedding, logits = network(images)
    assert maps.shape[:2] == (2, network.channels)
    assert embedding.shape == (2, EMBEDDINGS[name]) and logits.shape == (2, 7)
    assert torch.equal(features, embedding)
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


def random_images(size: tuple[int, int] = (64, 32), images: int = 6) -> torch.Tensor:
    return torch.randn(images, 3, *size, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", ["mobilenet-0.25", "osnet-0.25"])
def test_the_neck_is_batch_normalisation(name: str) -> None:
    network = build(name, 7, neck=True)
    assert network.neck is not None and network.distance == "cosine"
    assert build(name, 7).distance == "euclidean"
    head = {key for key in network.state_dict() if key.startswith(f"{network.head}.")}
    assert head == {f"{network.head}.weight"}
    assert not network.neck.bias.requires_grad
    with torch.no_grad():
        network.neck.weight.uniform_(0.5, 2, generator=torch.Generator().manual_seed(1))
    outputs = network(random_images())
    features, scale = outputs.features.detach().double().numpy(), network.neck.weight.detach().double().numpy()
    expected = scale * (features - features.mean(0)) / np.sqrt(features.var(0) + 1e-5)
    np.testing.assert_allclose(outputs.embedding.detach(), expected, rtol=1e-3, atol=1e-4)
    weight = network.get_parameter(f"{network.head}.weight").detach()
    torch.testing.assert_close(outputs.logits.detach(), outputs.embedding.detach() @ weight.T, rtol=1e-4, atol=1e-5)
    # at test time: by the running statistics, a tenth of the way from 0 and 1 to this batch's
    network.neck.eval()
    running = 0.1 * features.mean(0), 0.9 + 0.1 * features.var(0, ddof=1)
    with torch.no_grad():
        found = network.neck(torch.from_numpy(features).float())
    np.testing.assert_allclose(found, scale * (features - running[0]) / np.sqrt(running[1] + 1e-5), rtol=1e-3, atol=1e-4)


def test_embed_gives_what_is_ranked() -> None:
    network = build("mobilenet-0.25", 7, neck=True).train()
    for _ in range(3):
        network(random_images())
    network.eval()
    with torch.inference_mode():
        outputs = network(random_images())
        assert torch.equal(network.embed(random_images()), outputs.embedding)
    assert not torch.allclose(outputs.features, outputs.embedding)


def test_attention_is_the_sum_of_squares_over_the_channels() -> None:
    maps = torch.randn(2, 5, 3, 4, generator=torch.Generator().manual_seed(0))
    empty = torch.empty(0)
    expected = (maps.numpy().astype(np.float64) ** 2).sum(1)
    np.testing.assert_allclose(Outputs(maps, empty, empty, empty).attention, expected, rtol=1e-5)


@pytest.mark.parametrize("name", ["mobilenet-0.25", "resnet-50"])
def test_the_last_stride_keeps_the_map(name: str) -> None:
    shapes = {}
    for stride in (0, 1, 2):
        network = build(name, 3, last_stride=stride).eval()
        with torch.inference_mode():
            shapes[stride] = tuple(network.maps(random_images((96, 64), 1)).shape)
    assert shapes[0] == shapes[2] == (1, network.channels, 3, 2)
    assert shapes[1] == (1, network.channels, 6, 4)


@pytest.mark.parametrize(("name", "stride"), [("osnet-0.25", 1), ("mobilenet-0.25", 3), ("resnet-50", -1)])
def test_a_stride_that_a_network_does_not_have_is_refused(name: str, stride: int) -> None:
    with pytest.raises(ConfigurationError, match=f"last_stride = {stride}"):
        build(name, 3, last_stride=stride)


@pytest.mark.parametrize(("stride", "neck"), [(0, False), (1, False), (0, True), (1, True)])
def test_a_saved_network_comes_back_with_neck_and_stride(tmp_path: Path, stride: int, neck: bool) -> None:
    network = build("mobilenet-0.25", 4, seed=3, last_stride=stride, neck=neck)
    network(random_images())  # running statistics of its own
    card = Card(
        architecture="mobilenet-0.25",
        identities=("1", "2", "3", "4"),
        preprocessing=network.preprocessing,
        last_stride=stride,
        neck=neck,
    )
    saved = save_network(tmp_path, network, card)
    loaded, read = load_network(tmp_path)
    assert read == saved and (read.last_stride, read.neck) == (stride, neck)
    assert loaded.distance == ("cosine" if neck else "euclidean")
    network.eval()
    with torch.inference_mode():
        for one, other in zip(loaded(random_images()), network(random_images()), strict=True):
            assert torch.equal(one, other)
    values = read_json(tmp_path / "card.json")
    write_json(tmp_path / "card.json", values | {"neck": not neck})
    with pytest.raises(WeightsError, match="does not fit its card"):
        load_network(tmp_path)


def test_a_card_and_odd_tensors_decide_no_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = build("mobilenet-0.25", 2)
    card = Card(architecture="mobilenet-0.25", identities=("5", "9"), preprocessing=network.preprocessing)
    save_network(tmp_path, network, card)
    values, state = read_json(tmp_path / "card.json"), network.state_dict()
    devices = []
    monkeypatch.setattr("resight.networks.card.build", lambda *a, **k: devices.append(torch.empty(0).device.type) or build(*a, **k))
    write_json(tmp_path / "card.json", values | {"identities": list(range(10**5))})
    with pytest.raises(WeightsError, match=r"does not fit its card: size mismatch for classifier"):
        load_network(tmp_path)
    assert devices == ["meta"]  # nothing was built of the size that the card says
    for name, kind in (
        ("classifier.weight", torch.float8_e4m3fn),
        ("backbone.conv1.weight", torch.complex64),
        ("backbone.conv1.weight", torch.int8),
        ("backbone.conv1.weight", torch.int64),
        ("backbone.conv1_bn.num_batches_tracked", torch.float32),
    ):
        save_file(state | {name: state[name].to(kind)}, tmp_path / "network.safetensors")
        write_json(tmp_path / "card.json", values | {"weights_sha256": sha256_file(tmp_path / "network.safetensors")})
        with pytest.raises(WeightsError, match=f"holds {name} as {kind}, as no network of Resight's does; train again"):
            load_network(tmp_path)


def test_cards_from_before_necks_are_read(tmp_path: Path) -> None:
    network = build("mobilenet-0.25", 2)
    card = Card(architecture="mobilenet-0.25", identities=("5", "9"), preprocessing=network.preprocessing)
    save_network(tmp_path, network, card)
    values = read_json(tmp_path / "card.json")
    del values["neck"], values["last_stride"]
    write_json(tmp_path / "card.json", values)
    _, read = load_network(tmp_path)
    assert (read.neck, read.last_stride) == (False, 0)
