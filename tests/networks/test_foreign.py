from __future__ import annotations

import io
import os
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import safetensors.torch
import torch
from torch import Tensor

from resight.errors import WeightsError
from resight.networks import NETWORKS, build, foreign
from resight.networks.foreign import architecture, read_state, read_weights
from support import SHARED, needs_shared

STATE = {"layer.weight": torch.arange(600.0).reshape(20, 30), "layer.bias": torch.ones(20, dtype=torch.float16)}


def torch_bytes(content: Any, *, legacy: bool = False) -> bytes:
    stream = io.BytesIO()
    torch.save(content, stream, _use_new_zipfile_serialization=not legacy)
    return stream.getvalue()


def keras_bytes(fill: Callable[[h5py.File], object]) -> bytes:
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        fill(file)
    return stream.getvalue()


FORMATS = {
    "zip": torch_bytes(STATE),
    "legacy": torch_bytes(STATE, legacy=True),
    "safetensors": safetensors.torch.save(STATE),
}


def begins_like_a_pickle() -> bytes:
    """Safetensors whose header has a length that is 128 modulo 256."""
    padded = (safetensors.torch.save(STATE, {"padding": "x" * (8 * number)}) for number in range(64))
    return next(data for data in padded if data.startswith(b"\x80"))


@pytest.mark.parametrize(
    "data",
    [
        *FORMATS.values(),
        begins_like_a_pickle(),
        torch_bytes(OrderedDict(STATE)),
        torch_bytes({"epoch": 3, "state_dict": STATE, "optimizer": {"lr": 0.1}}),
        torch_bytes({"model": STATE, "arch": "resnet18"}),
        torch_bytes({f"module.{name}": tensor for name, tensor in STATE.items()}),
        torch_bytes({"state_dict": {f"module.{name}": torch.nn.Parameter(tensor) for name, tensor in STATE.items()}}),
    ],
)
def test_every_wrapping_gives_the_same_tensors(data: bytes) -> None:
    state = read_state(data)
    assert state.keys() == STATE.keys()
    for name, tensor in STATE.items():
        assert torch.equal(state[name], tensor) and state[name].dtype == tensor.dtype and not state[name].requires_grad


def test_keras_axes_and_names() -> None:
    kernel, depthwise = np.arange(54.0).reshape(3, 3, 3, 2), np.arange(18.0).reshape(3, 3, 2, 1)
    head = np.arange(6.0).reshape(1, 1, 2, 3)

    def fill(file: h5py.File) -> None:
        file["conv1/conv1/kernel:0"] = kernel
        file["conv1_bn/conv1_bn/moving_variance:0"] = np.ones(2)
        file["conv_dw_1/conv_dw_1/depthwise_kernel:0"] = depthwise
        file["conv_preds/conv_preds/kernel:0"] = head
        file["conv_preds/conv_preds/bias:0"] = np.zeros(3)

    state = read_state(keras_bytes(fill))
    assert state["backbone.conv1.weight"][1, 2, 0, 1] == kernel[0, 1, 2, 1]  # out, in, row, column
    assert state["backbone.conv_dw_1.weight"][1, 0, 2, 0] == depthwise[2, 0, 1, 0]
    assert state["classifier.weight"].tolist() == head[0, 0].T.tolist()
    assert state.keys() == {
        "backbone.conv1.weight",
        "backbone.conv1_bn.running_var",
        "backbone.conv_dw_1.weight",
        "classifier.weight",
        "classifier.bias",
    }


class Hostile:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("legacy", [False, True])
def test_code_in_a_file_does_not_run(tmp_path: Path, legacy: bool) -> None:
    trap = tmp_path / "executed"
    (tmp_path / "hostile.pth").write_bytes(torch_bytes({**STATE, "x": Hostile(trap)}, legacy=legacy))
    with pytest.raises(WeightsError, match="never unpickled") as error:
        read_weights(tmp_path / "hostile.pth")
    assert not trap.exists()
    assert "\n" not in str(error.value) and str(tmp_path / "hostile.pth") in str(error.value)
    torch.load(tmp_path / "hostile.pth", weights_only=False)
    assert trap.exists(), "the trap does not work: this test would pass whatever is loaded"


@pytest.mark.parametrize("pickled", [pickle.dumps({"a": np.ones(3)}), pickle.dumps([1, 2]), torch_bytes([1, 2])])
def test_other_pickles_are_refused(pickled: bytes) -> None:
    with pytest.raises(WeightsError):
        read_state(pickled)


@pytest.mark.parametrize("name", FORMATS)
def test_a_truncated_file_is_refused(name: str) -> None:
    data = FORMATS[name]
    for length in [*range(0, 40, 3), len(data) // 4, len(data) // 2, len(data) - 30, len(data) - 1]:
        with pytest.raises(WeightsError) as error:
            read_state(data[:length])
        assert "\n" not in str(error.value)


@needs_shared("weights/mobilenet_2_5_224_tf_no_top.h5")
def test_a_truncated_keras_file_is_refused() -> None:
    data = (SHARED / "weights/mobilenet_2_5_224_tf_no_top.h5").read_bytes()
    assert read_state(data)
    for length in (8, 96, 5000, len(data) // 2, len(data) - 1):
        with pytest.raises(WeightsError):
            read_state(data[:length])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", FORMATS)
def test_damage_raises_nothing_but_weights_errors(name: str) -> None:
    random = np.random.default_rng(0)
    refused = 0
    for _ in range(150):
        data = bytearray(FORMATS[name])
        # The front of the file, where its structure is; damaged numbers cannot be told from numbers.
        for place in random.integers(0, min(len(data), 700), 2):
            data[place] = random.integers(256)
        try:
            read_state(bytes(data))
        except WeightsError:
            refused += 1
    assert refused > 30


@pytest.mark.parametrize(
    "entry",
    [
        3,
        "text",
        torch.ones(4).to_sparse(),
        torch.empty(4, device="meta"),
        [torch.ones(2)],
    ],
)
def test_entries_that_are_no_tensors_are_refused(entry: Any) -> None:
    with pytest.raises(WeightsError, match=r"'odd' is not a plain tensor|damaged"):
        read_state(torch_bytes({**STATE, "odd": entry}))


@pytest.mark.parametrize("content", [{}, torch.ones(3), {"state_dict": {}}])
def test_files_without_named_tensors_are_refused(content: Any) -> None:
    with pytest.raises(WeightsError, match="expected a state dict"):
        read_state(torch_bytes(content))


def test_claims_of_huge_tensors_are_refused_before_memory_is_given() -> None:
    with pytest.raises(WeightsError, match="more than 2 GiB"):
        read_state(torch_bytes({"a": torch.zeros(1).expand(2**44)}))
    with pytest.raises(WeightsError, match="more than 2 GiB"):
        read_state(keras_bytes(lambda file: file.create_dataset("conv1/conv1/kernel:0", (2**44,), "f4", chunks=(64,))))


def test_a_compressed_bomb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(torch_bytes(STATE))) as good, zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as bad:
        for entry in good.infolist():
            bad.writestr(entry.filename, good.read(entry))
        bad.writestr("archive/data/9", bytes(5_000_000))
    assert len(bomb.getvalue()) < 20_000
    monkeypatch.setattr(foreign, "MAX_BYTES", 1_000_000)
    with pytest.raises(WeightsError, match="more than"):
        read_state(bomb.getvalue())


def test_a_keras_file_cannot_read_other_files(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(range(256)))

    def external(file: h5py.File) -> None:
        file.create_dataset("conv1/conv1/kernel:0", (64,), "f4", external=[(str(secret), 0, 256)])

    def linked(file: h5py.File) -> None:
        file["conv1"] = h5py.ExternalLink(str(other), "/conv1")
        file["model_weights"] = h5py.ExternalLink(str(other), "/")

    other = tmp_path / "other.h5"
    other.write_bytes(keras_bytes(lambda file: file.create_dataset("conv1/kernel:0", data=np.ones(3))))
    with pytest.raises(WeightsError, match="refers to other files"):
        read_state(keras_bytes(external))
    with pytest.raises(WeightsError, match="holds no weights"):
        read_state(keras_bytes(linked))


def test_keras_entries_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(WeightsError, match="no floating-point numbers"):
        read_state(keras_bytes(lambda file: file.create_dataset("conv1/conv1/kernel:0", data=[b"text"])))


@pytest.mark.parametrize("data", [b"", b"x", b"<html>not found</html>", bytes(5000), b"\xff\xd8\xff\xe0JFIF"])
def test_other_files_are_refused(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "file.pth").write_bytes(data)
    with pytest.raises(WeightsError, match="not a weights file"):
        read_weights(tmp_path / "file.pth")


def test_files_that_cannot_be_opened_are_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"nowhere\.pth: No such file"):
        read_weights(tmp_path / "nowhere.pth")
    with pytest.raises(WeightsError, match="directory"):
        read_weights(tmp_path)
    with pytest.raises(WeightsError, match="null"):
        read_weights("a\0b")


def test_a_file_over_the_bound_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "large.pth").write_bytes(FORMATS["zip"])
    monkeypatch.setattr(foreign, "MAX_BYTES", len(FORMATS["zip"]) - 1)
    with pytest.raises(WeightsError, match=r"large\.pth: the file is larger"):
        read_weights(tmp_path / "large.pth")


def test_every_architecture_is_told_from_the_others() -> None:
    for name in NETWORKS:
        network = build(name, 4)
        assert architecture(network.state_dict()) == name
        network.add_neck()
        assert architecture(network.state_dict()) == name
    assert architecture(STATE) is None


def _state() -> dict[str, Tensor]:
    return dict(build("mobilenet-0.25", 4).state_dict())


def test_differences_are_put_into_words() -> None:
    expected = _state()
    assert foreign.differences(expected, expected, "classifier") == []

    def said(**changes: Tensor | None) -> str:
        state = {name: tensor for name, tensor in {**expected, **changes}.items() if tensor is not None}
        return "; ".join(foreign.differences(state, expected, "classifier"))

    # A head for other classes, none at all, and counters that old files lack are no difference.
    assert said(**{"classifier.weight": torch.zeros(9, 256), "classifier.bias": torch.zeros(9)}) == ""
    assert said(**{"classifier.weight": None, "classifier.bias": None}) == ""
    assert said(**{"backbone.conv1_bn.num_batches_tracked": None}) == ""
    assert said(**{"classifier.bias": None}) == "1 tensors missing (classifier.bias)"
    assert "classifier.weight is (9, 256) instead of (4, 256)" in said(**{"classifier.weight": torch.zeros(9, 256)})
    assert "classifier.weight is (4, 99)" in said(**{"classifier.weight": torch.zeros(4, 99)})
    assert said(**{"backbone.conv1.weight": None}) == "1 tensors missing (backbone.conv1.weight)"
    assert said(extra=torch.zeros(1)) == "1 tensors unknown (extra)"
    assert "is (8, 3, 3) instead of (8, 3, 3, 3)" in said(**{"backbone.conv1.weight": torch.zeros(8, 3, 3)})
    assert said(**{"backbone.conv1_bn.bias": torch.zeros(8, dtype=torch.int32)}).startswith("1 tensors of another type")
    assert said(**{"backbone.conv1_bn.bias": torch.zeros(8, dtype=torch.complex64)}).startswith("1 tensors of another type")
