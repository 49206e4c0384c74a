from __future__ import annotations

import email.message
import hashlib
import io
import urllib.error
import urllib.request
import urllib.response
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

from resight.errors import ConfigurationError, DownloadError, StorageError, WeightsError
from resight.files import sha256_file
from resight.models import load_model
from resight.networks import NETWORKS, build, published
from resight.networks.published import PUBLISHED, Published, fetch
from resight.networks.weights import load_weights, weights_classes
from support import SHARED, needs_shared

OSNET = SHARED / "weights/osnet_x0_25_market1501.pth"


@needs_shared("weights/osnet_x0_25_market1501.pth")
def test_torchreids_checkpoint_loads_whole() -> None:
    assert weights_classes(OSNET, "classifier") == 751
    network = build("osnet-0.25", 751)
    loaded = load_weights(network, OSNET)
    assert loaded.left == () and loaded.path == OSNET and loaded.sha256 == PUBLISHED["osnet-0.25-market1501"].sha256
    expected = torch.load(OSNET, weights_only=True)
    assert set(loaded.loaded) == set(expected)
    assert all(torch.equal(network.state_dict()[name], tensor) for name, tensor in expected.items())


@needs_shared("weights/osnet_x0_25_market1501.pth")
def test_a_head_for_other_classes_is_left_out_and_reported() -> None:
    network = build("osnet-0.25", 10)
    head = network.classifier.weight.detach().clone()
    loaded = load_weights(network, OSNET)
    assert loaded.left == ("classifier.weight", "classifier.bias")
    assert torch.equal(network.classifier.weight, head)
    assert torch.equal(network.conv5.conv.weight, torch.load(OSNET, weights_only=True)["conv5.conv.weight"])


def test_a_head_behind_a_neck_may_be_for_other_classes_too(tmp_path: Path) -> None:
    trained = build("mobilenet-0.25", 9, seed=1)
    trained.add_neck()
    safetensors.torch.save_file(trained.state_dict(), tmp_path / "trained.safetensors")
    network = build("mobilenet-0.25", 4)
    loaded = load_weights(network, tmp_path / "trained.safetensors")
    assert loaded.left == ("classifier.weight",)
    assert network.classifier.weight.shape == (4, 256)
    assert all(torch.equal(network.state_dict()[name], trained.state_dict()[name]) for name in loaded.loaded)


@needs_shared("weights/mobilenet_v1_0.25_imagenet.pytorch.tar")
@pytest.mark.parametrize(
    ("name", "file", "expected"),
    [
        ("mobilenet-0.25", "mobilenet_v1_0.25_imagenet.pytorch.tar", "does not fit mobilenet-0.25: .*stage1.* it fits none of"),
        ("mobilenet-0.5", "mobilenet_2_5_224_tf_no_top.h5", "does not fit mobilenet-0.5: .* it looks like mobilenet-0.25"),
        ("osnet-0.5", "osnet_x0_25_market1501.pth", "does not fit osnet-0.5: .* it looks like osnet-0.25"),
        ("resnet-50", "osnet_x0_25_market1501.pth", "does not fit resnet-50: .* it looks like osnet-0.25"),
        ("osnet-0.25", "osnet_x0_25_msmt17.onnx", "not a weights file"),
    ],
)
def test_weights_of_another_architecture_are_refused(name: str, file: str, expected: str) -> None:
    network = build(name, 5)
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    random = torch.get_rng_state()
    with pytest.raises(WeightsError, match=expected) as error:
        load_weights(network, SHARED / "weights" / file)
    assert "\n" not in str(error.value)
    assert all(torch.equal(before[key], tensor) for key, tensor in network.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e300])
def test_weights_that_are_not_finite_are_refused_and_change_nothing(value: float, tmp_path: Path) -> None:
    state = build("mobilenet-0.25", 5, seed=1).state_dict()
    state["classifier.bias"] = torch.tensor([0, 0, value, 0, 0], dtype=torch.float64)
    safetensors.torch.save_file(state, tmp_path / "bad.safetensors")
    network = build("mobilenet-0.25", 5, seed=2)
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    with pytest.raises(WeightsError, match=r"classifier\.bias holds NaN or infinity"):
        load_weights(network, tmp_path / "bad.safetensors")
    assert all(torch.equal(before[key], tensor) for key, tensor in network.state_dict().items())


@pytest.mark.parametrize("name", ["mobilenet-0.25", "resnet-50", "osnet-0.25"])
def test_own_weights_come_back(name: str, tmp_path: Path) -> None:
    saved, network = build(name, 5, seed=1), build(name, 5, seed=2)
    safetensors.torch.save_file(saved.state_dict(), tmp_path / "own.safetensors")
    assert load_weights(network, tmp_path / "own.safetensors").left == ()
    assert all(torch.equal(network.state_dict()[key], tensor) for key, tensor in saved.state_dict().items())


def test_a_neck_in_the_file_is_given_to_a_network_without(tmp_path: Path) -> None:
    saved, network = build("osnet-0.25", 5, seed=1, neck=True), build("osnet-0.25", 9, seed=2)
    state = {name: tensor for name, tensor in saved.state_dict().items() if not name.startswith("classifier")}
    safetensors.torch.save_file(state, tmp_path / "own.safetensors")
    assert load_weights(network, tmp_path / "own.safetensors").left == ("classifier.weight",)
    assert network.distance == "cosine"
    images = torch.rand(2, 3, 64, 32)
    with torch.inference_mode():
        assert torch.equal(network.eval().embed(images), saved.eval().embed(images))


def test_weights_classes() -> None:
    assert weights_classes(build("resnet-50", 9).state_dict(), "fc") == 9
    assert weights_classes({"conv.weight": torch.zeros(3, 3)}, "fc") is None


def test_what_is_published_is_complete() -> None:
    for entry in PUBLISHED.values():
        assert entry.url.startswith("https://") and entry.network in (*NETWORKS, "") and entry.terms
        assert (entry.beside is None) == bool(entry.network)  # OpenVINO's graphs have their weights beside them
        assert len(entry.sha256) == 64 and int(entry.sha256, 16)
        if entry.file.startswith("resnet50"):  # torch.hub's habit: the first digits of the hash are in the name
            assert entry.file == f"{entry.file.rsplit('-', 1)[0]}-{entry.sha256[:8]}.pth" and entry.url.endswith(entry.file)


@needs_shared("weights/README.md")
def test_published_hashes_are_those_of_the_files_at_hand() -> None:
    entries = [each for entry in PUBLISHED.values() for each in (entry, entry.beside) if each is not None]
    at_hand = [entry for entry in entries if (SHARED / "weights" / entry.file).exists()]
    assert len(at_hand) == 6
    for entry in at_hand:
        assert sha256_file(SHARED / "weights" / entry.file) == entry.sha256


# Downloads, from a server that is a function.

CONTENT = b"weights" * 1000
URL = "https://weights.example/file.pth"
Answer = Callable[[str], "tuple[int, dict[str, str], bytes]"]


class FakeHttps(urllib.request.HTTPSHandler):
    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer
        self.asked: list[str] = []

    def https_open(self, req: urllib.request.Request) -> Any:
        assert req.timeout == 30
        self.asked.append(req.full_url)
        code, headers, body = self.answer(req.full_url)
        message = email.message.Message()
        for key, value in headers.items():
            message[key] = value
        response = urllib.response.addinfourl(io.BytesIO(body), message, req.full_url, code)
        response.msg = "answer"  # type: ignore[attr-defined]
        return response


class NoHttp(urllib.request.HTTPHandler):
    def http_open(self, req: urllib.request.Request) -> Any:
        raise AssertionError(f"plain HTTP was used: {req.full_url}")


def serving(body: bytes = CONTENT) -> FakeHttps:
    return FakeHttps(lambda url: (200, {"Content-Length": str(len(body))}, body))


def offline(url: str) -> tuple[int, dict[str, str], bytes]:
    raise urllib.error.URLError("Name or service not known")


@pytest.fixture(autouse=True)
def example(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = Published(file="file.pth", url=URL, sha256=hashlib.sha256(CONTENT).hexdigest(), network="resnet-50", terms="none")
    monkeypatch.setitem(PUBLISHED, "example", entry)


def test_a_file_is_downloaded_once(tmp_path: Path) -> None:
    server, steps = serving(), []
    path = fetch("example", tmp_path / "new" / "folder", handlers=[server], progress=lambda *step: steps.append(step))
    assert path == tmp_path / "new" / "folder" / "file.pth" and path.read_bytes() == CONTENT
    assert steps[-1] == ("downloading file.pth", 7000, 7000)
    assert fetch("example", path.parent, handlers=[server]) == path
    assert server.asked == [URL]


def test_a_file_that_lies_beside_another_is_downloaded_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    beside = Published(file="file.bin", url="https://weights.example/file.bin", sha256=sha256)
    monkeypatch.setitem(PUBLISHED, "pair", Published(file="file.xml", url=URL, sha256=sha256, terms="none", beside=beside))
    server = serving()
    assert fetch("pair", tmp_path, handlers=[server, NoHttp()]) == tmp_path / "file.xml"
    assert server.asked == [beside.url, URL] and (tmp_path / "file.bin").read_bytes() == CONTENT
    with pytest.raises(DownloadError, match=r"download https://weights.example/file.bin elsewhere and put it into \S+ as file.bin"):
        fetch("pair", tmp_path / "other", handlers=[FakeHttps(offline), NoHttp()])


@pytest.mark.parametrize("name", ["omz-0277", "omz-0286"])
def test_without_network_a_teacher_by_name_says_which_files_it_needs(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_route(*_: object) -> bytes:
        raise OSError("no route to host")

    monkeypatch.setattr(published, "_download", no_route)
    monkeypatch.setenv("RESIGHT_CACHE", str(tmp_path))
    with pytest.raises(DownloadError) as error:
        load_model(name)
    said, model = str(error.value), f"person-reidentification-retail-{name[-4:]}"
    folder = tmp_path / "weights"
    for ending in ("xml", "bin"):
        assert f"{folder / model}.{ending} is missing" in said
        assert f"/{model}/FP16/{model}.{ending} elsewhere and put it into {folder} as {model}.{ending}" in said
    assert "Apache-2.0" in said and "do not list the training images" in said and "\n" not in said
    folder.mkdir()
    (folder / f"{model}.xml").write_text("<html>sign in</html>")
    with pytest.raises(DownloadError, match=r"\.bin is missing and \S+\.xml is not the published file"):
        load_model(name)


@needs_shared("weights/person-reidentification-retail-0286.xml")
def test_a_published_model_of_openvino_embeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESIGHT_CACHE", str(tmp_path))
    (tmp_path / "weights").mkdir()
    for ending in ("xml", "bin"):
        name = f"person-reidentification-retail-0286.{ending}"
        (tmp_path / "weights" / name).symlink_to((SHARED / "weights" / name).resolve())
    image = np.random.default_rng(0).integers(0, 256, (1, 256, 128, 3), np.uint8)
    file = f"openvino:{SHARED / 'weights/person-reidentification-retail-0286.xml'}"
    np.testing.assert_array_equal(load_model("omz-0286").extract(image), load_model(file).extract(image))


def test_the_cache_is_where_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESIGHT_CACHE", str(tmp_path))
    assert fetch("example", handlers=[serving()]) == tmp_path / "weights" / "file.pth"


def test_a_damaged_copy_is_downloaded_anew(tmp_path: Path) -> None:
    (tmp_path / "file.pth").write_bytes(CONTENT[:-1])
    assert fetch("example", tmp_path, handlers=[serving()]).read_bytes() == CONTENT


def test_without_network_the_error_says_what_to_put_where(tmp_path: Path) -> None:
    with pytest.raises(DownloadError) as error:
        fetch("example", tmp_path, handlers=[FakeHttps(offline)])
    assert str(error.value) == (
        f"{tmp_path / 'file.pth'} is missing and cannot be downloaded (Name or service not known); "
        f"download {URL} elsewhere and put it into {tmp_path} as file.pth; terms of use: none"
    )
    (tmp_path / "file.pth").write_bytes(b"something else")
    with pytest.raises(DownloadError, match="is not the published file"):
        fetch("example", tmp_path, handlers=[FakeHttps(offline)])
    assert (tmp_path / "file.pth").read_bytes() == b"something else"


@pytest.mark.parametrize("body", [CONTENT[:-1], CONTENT + b"x", b"<html>Sign in</html>", b""])
def test_other_content_is_refused_and_not_kept(body: bytes, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="the download has SHA-256"):
        fetch("example", tmp_path, handlers=[serving(body)])
    assert list(tmp_path.iterdir()) == []


def test_a_refusal_of_the_server_is_passed_on(tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="cannot be downloaded"):
        fetch("example", tmp_path, handlers=[FakeHttps(lambda url: (404, {}, b"gone"))])


def test_an_endless_answer_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published, "MAX_BYTES", 5000)
    with pytest.raises(DownloadError, match="more than"):
        fetch("example", tmp_path, handlers=[serving()])


def test_redirects_stay_encrypted(tmp_path: Path) -> None:
    def redirect(target: str) -> Answer:
        return lambda url: (302, {"Location": target}, b"") if url == URL else (200, {}, CONTENT)

    elsewhere = FakeHttps(redirect("https://elsewhere.example/file.pth"))
    assert fetch("example", tmp_path / "good", handlers=[elsewhere]).read_bytes() == CONTENT
    assert elsewhere.asked == [URL, "https://elsewhere.example/file.pth"]
    for target in ("http://weights.example/file.pth", "ftp://weights.example/file.pth", "file:///etc/hostname"):
        with pytest.raises(DownloadError, match=r"not HTTPS|not allowed"):
            fetch("example", tmp_path / "bad", handlers=[FakeHttps(redirect(target)), NoHttp()])


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file where the folder should be")
    with pytest.raises(StorageError, match="cannot write"):
        fetch("example", tmp_path / "taken", handlers=[serving()])


def test_unknown_weights_are_told_what_there_is() -> None:
    with pytest.raises(ConfigurationError, match=r"did you mean 'resnet-50-imagenet'") as error:
        fetch("resnet50-imagenet")
    assert all(name in str(error.value) for name in PUBLISHED)
    with pytest.raises(ConfigurationError, match=r"mobilenet_5_0_224_tf_no_top\.h5.*https://storage\.googleapis\.com"):
        fetch("mobilenet-0.5-imagenet")
