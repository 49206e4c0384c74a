"""Foreign weights files to a state dict in this package's names. The first bytes of a file tell its format, not its name.

A weights file is hostile until proven otherwise: nothing is unpickled beyond tensors, and sizes are checked against a bound before
memory is given to them.
"""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from resight.errors import MissingDependencyError, WeightsError
from resight.networks import NETWORKS
from resight.networks.published import MAX_BYTES

__all__ = ["architecture", "differences", "read_state", "read_weights"]

_KERAS_NAMES = {
    "kernel": "weight",
    "depthwise_kernel": "weight",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
_KERAS_HEAD = "conv_preds"


def read_weights(path: str | Path) -> tuple[dict[str, Tensor], str]:
    """Read one weights file.

    Parameters
    ----------
    path : str or Path
        PyTorch (a bare state dict, or one under ``state_dict`` or ``model``; a prefix ``module.`` is dropped), safetensors, or
        a Keras MobileNet in HDF5, with or without its classifier.

    Returns
    -------
    dict of str to Tensor
        On the CPU. Keras' tensors have the names and the axes of `MobileNet`.
    str
        SHA-256 of the file, 64 hexadecimal digits.

    Raises
    ------
    WeightsError
        If the file is missing, too large, of an unknown format, damaged, or holds anything but tensors.
    """
    try:
        with Path(path).open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            data = stream.read(MAX_BYTES + 1) if size <= MAX_BYTES else b""
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path}: {getattr(error, 'strerror', None) or error}; expected a weights file") from error
    if max(size, len(data)) > MAX_BYTES:
        raise WeightsError(f"{path}: the file is larger than {MAX_BYTES // 2**30} GiB")
    try:
        return read_state(data), hashlib.sha256(data).hexdigest()
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from error


def read_state(data: bytes) -> dict[str, Tensor]:
    """Read the state dict in the content of a weights file; see `read_weights`. Raises `WeightsError`."""
    if data.startswith(b"\x89HDF\r\n\x1a\n"):
        return _read_keras(data)
    # Safetensors begin with the length of what follows, of which one byte in 256 is a pickle's first.
    if data[8:9] == b"{" and int.from_bytes(data[:8], "little") <= len(data):
        return _read_safetensors(data)
    if data.startswith((b"PK\x03\x04", b"\x80")):
        return _read_torch(data)
    raise WeightsError("not a weights file: expected PyTorch (.pth), safetensors, or Keras (.h5)")


def _read_torch(data: bytes) -> dict[str, Tensor]:
    stream = io.BytesIO(data)
    # A decoder of hostile bytes can fail with any exception; whatever it is, the file cannot be used.
    try:
        if data.startswith(b"PK"):
            with zipfile.ZipFile(stream) as archive:
                _check_total(entry.file_size for entry in archive.infolist())
            stream.seek(0)
        content = torch.load(stream, map_location="cpu", weights_only=True)
    except WeightsError:
        raise
    except Exception as error:
        if "GLOBAL" in str(error):
            raise WeightsError(
                "the file holds Python objects that are not tensors, and those are never unpickled; "
                "save the network's state_dict() alone, where you trust the file"
            ) from error
        raise WeightsError("the file is damaged, or not a PyTorch weights file") from error
    for key in ("state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
            break
    state = _only_tensors(content)
    if all(name.startswith("module.") for name in state):
        state = {name.removeprefix("module."): tensor for name, tensor in state.items()}
    return state


def _only_tensors(content: Any) -> dict[str, Tensor]:
    if not isinstance(content, Mapping) or not content:
        raise WeightsError(f"the file holds a {type(content).__name__}; expected a state dict: names and tensors")
    for name, value in content.items():
        plain = isinstance(value, Tensor) and value.layout == torch.strided and value.device.type == "cpu"
        if not plain or value.is_quantized or not isinstance(name, str):
            raise WeightsError(f"the file's entry {name!r} is not a plain tensor; expected a state dict: names and tensors")
    # A tensor can claim any size with strides of 0.
    _check_total(value.numel() * value.element_size() for value in content.values())
    return {name: value.detach() for name, value in content.items()}


def _read_safetensors(data: bytes) -> dict[str, Tensor]:
    import safetensors.torch

    try:
        return _only_tensors(safetensors.torch.load(data))
    except WeightsError:
        raise
    except Exception as error:
        raise WeightsError("the file is damaged, or not a safetensors file") from error


def _read_keras(data: bytes) -> dict[str, Tensor]:
    """Tensors of a Keras MobileNet: ``conv_dw_1/conv_dw_1/depthwise_kernel:0`` becomes ``backbone.conv_dw_1.weight``."""
    try:
        import h5py
    except ImportError as error:
        raise MissingDependencyError("Keras weights need h5py; in the folder of Resight, pip install '.[train]'") from error
    found: dict[str, Any] = {}

    def collect(name: str, item: Any) -> None:
        # A file of a whole model keeps its weights one group deeper, and the optimizer's beside them.
        if isinstance(item, h5py.Dataset) and not name.startswith("optimizer_weights/"):  # type: ignore[attr-defined]
            found[name.removeprefix("model_weights/")] = item

    state = {}
    try:
        with h5py.File(io.BytesIO(data), "r") as file:  # type: ignore[attr-defined, no-untyped-call]
            file.visititems(collect)  # links that lead out of the file are not followed
            if any(item.external or item.is_virtual for item in found.values()):
                raise WeightsError("the file refers to other files; expected one that holds its weights itself")
            _check_total(item.nbytes for item in found.values())
            for name, item in found.items():
                if item.dtype.kind != "f":
                    raise WeightsError(f"the file's entry {name!r} holds no floating-point numbers")
                layer, kind = name.split("/")[0], name.split("/")[-1].removesuffix(":0")
                state[_keras_name(layer, kind)] = _keras_axes(layer, torch.from_numpy(item[...]))
    except WeightsError:
        raise
    except Exception as error:
        raise WeightsError("the file is damaged, or not a Keras weights file") from error
    if not state:
        raise WeightsError("the file holds no weights")
    return state


def _keras_name(layer: str, kind: str) -> str:
    prefix = "classifier" if layer == _KERAS_HEAD else f"backbone.{layer}"
    return f"{prefix}.{_KERAS_NAMES.get(kind, kind)}"


def _keras_axes(layer: str, tensor: Tensor) -> Tensor:
    """Keras' (height, width, in, out) in PyTorch's order; depthwise is (height, width, channels, 1)."""
    if tensor.ndim != 4:
        return tensor
    if layer == _KERAS_HEAD:  # a 1x1 convolution, which is a fully connected layer after the pooling
        return tensor.flatten(0, 2).T
    return tensor.permute(2, 3, 0, 1) if layer.startswith("conv_dw_") else tensor.permute(3, 2, 0, 1)


def _check_total(sizes: Iterable[int]) -> None:
    if sum(sizes) > MAX_BYTES:
        raise WeightsError(f"the file's tensors need more than {MAX_BYTES // 2**30} GiB")


def differences(state: Mapping[str, Tensor], expected: Mapping[str, Tensor], head: str) -> list[str]:
    """Say in words why one state dict cannot fill another.

    Parameters
    ----------
    state : mapping of str to Tensor
        From a file. Its head may be missing, or have another number of classes; counters of batches may be missing.
    expected : mapping of str to Tensor
        The network's state dict.
    head : str
        Prefix of the head's tensors.

    Returns
    -------
    list of str
        Empty if it can.
    """
    head_names = {f"{head}.weight", f"{head}.bias"}
    optional = set() if head_names & state.keys() else head_names
    shared = [name for name in expected if name in state]
    reshaped = [name for name in shared if state[name].shape != expected[name].shape]
    if _differs_in_classes(state, expected, head):
        reshaped = [name for name in reshaped if name not in head_names]
    kinds = {
        "missing": [
            name for name in expected if name not in state and name not in optional and not name.endswith(".num_batches_tracked")
        ],
        "unknown": [name for name in state if name not in expected],
        "of another shape": [f"{name} is {tuple(state[name].shape)} instead of {tuple(expected[name].shape)}" for name in reshaped],
        "of another type": [
            f"{name} is {state[name].dtype}"
            for name in shared
            if state[name].is_floating_point() != expected[name].is_floating_point()
        ],
    }
    return [
        f"{len(names)} tensors {kind} ({', '.join(names[:3])}{', ...' if len(names) > 3 else ''})"
        for kind, names in kinds.items()
        if names
    ]


def _differs_in_classes(state: Mapping[str, Tensor], expected: Mapping[str, Tensor], head: str) -> bool:
    """Tell if the head in `state` is whole, and differs from the expected one only in its number of classes."""
    weight, bias = state.get(f"{head}.weight"), state.get(f"{head}.bias")
    if weight is None or weight.ndim != 2 or weight.shape[1] != expected[f"{head}.weight"].shape[1]:
        return False
    if f"{head}.bias" not in expected:  # after a neck
        return bias is None
    return bias is not None and bias.shape == weight.shape[:1]


def architecture(state: Mapping[str, Tensor]) -> str | None:
    """Find the network that a state dict fits; None if there is none."""
    for name, build_network in NETWORKS.items():
        with torch.device("meta"):  # shapes alone: no memory, no random numbers
            network = build_network(1)
            if "neck.weight" in state:
                network.add_neck()
        if not differences(state, network.state_dict(), network.head):
            return name
    return None
