"""Make an OSNet from an ONNX file trainable again: take its batch normalisations out of the convolutions.

    python tools/unfold.py osnet_x0_25_msmt17.onnx --height 160 --width 64 --data DIR --out osnet-0.25-msmt17.safetensors

An exporter folds a batch normalisation into the convolution before it. Training needs it back, with the statistics of that
convolution's output; otherwise the first step would change the function. The tool measures them on training images at the size of
the training, and sets scale and shift so that the function stays the same. It compares the result with the file in ONNX Runtime,
and does not write it if they differ. The result is a weights file for `--weights` and for ``osnet-0.25:FILE``.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from google.protobuf.message import DecodeError
from onnx import numpy_helper
from safetensors.torch import save
from torch import Tensor, nn

from resight.datasets import open_dataset
from resight.errors import ResightError, WeightsError
from resight.files import atomic_write
from resight.images import Pixels, load_pixels
from resight.networks import build
from resight.networks.network import ReidNetwork
from resight.progress import TerminalProgress

_BATCH = 64
_TOLERANCE = 1e-3  # of the largest number in the file's output
_EPSILON = nn.BatchNorm2d(1).eps


def main(arguments: list[str] | None = None) -> int:
    """Read the command line, and write the weights. The exit code is 0, or 2 after a user's mistake."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("onnx", type=Path)
    parser.add_argument("--network", default="osnet-0.25")
    parser.add_argument("--height", type=int, default=160)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--data", type=Path, required=True, help="folder of a data set; its training images are used")
    parser.add_argument("--images", type=int, default=1024)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args(arguments)
    try:
        unfold(given)
    except DecodeError:
        print(f"unfold: {given.onnx} is damaged, or not an ONNX file", file=sys.stderr)
    except (ResightError, OSError) as error:
        print(f"unfold: {error}", file=sys.stderr)
    else:
        return 0
    return 2


def unfold(given: argparse.Namespace) -> None:
    """Write the weights that the command line asks for. Raises `ResightError`, `OSError`, and `DecodeError` of a foreign file."""
    network = build(given.network, 1).eval()
    fill(network, onnx.load(given.onnx))
    difference = largest_difference(network, given.onnx)
    if not difference < _TOLERANCE:
        raise WeightsError(f"{given.onnx} is not {given.network} in the names of its authors: outputs differ by {difference:.2g}")
    paths = open_dataset(given.data).train.paths
    chosen = [paths[i] for i in np.linspace(0, len(paths) - 1, min(given.images, len(paths))).astype(int)]
    with TerminalProgress() as progress:
        pixels = load_pixels(chosen, (given.height, given.width), progress=progress)
    restore_statistics(network, pixels)
    difference = largest_difference(network, given.onnx)
    if not difference < _TOLERANCE:
        raise WeightsError(
            f"with the measured statistics, outputs differ from the file's by {difference:.2g}; measure on more --images"
        )
    state = {name: tensor.contiguous() for name, tensor in network.state_dict().items() if not name.startswith(network.head)}
    with atomic_write(given.out) as stream:
        stream.write(save(state))
    print(f"{given.out}: {len(state)} tensors; outputs differ from the file's by {difference:.2g} of the largest")


def fill(network: ReidNetwork, model: onnx.ModelProto) -> None:
    """Give a network a file's weights. A folded normalisation only keeps the convolution's shift."""
    values = {tensor.name: torch.from_numpy(numpy_helper.to_array(tensor).copy()) for tensor in model.graph.initializer}
    expected = network.state_dict()
    state = {name: tensor for name, tensor in values.items() if name in expected}
    for node in model.graph.node:
        if node.op_type == "Conv" and node.input[1] not in state:
            layer = _module_name(node.name)
            state[f"{layer}.weight"], shift = (values[name] for name in node.input[1:3])
            state |= _only_shift(f"{layer.rpartition('.')[0]}.bn", shift)
    missing = [name for name in expected if name not in state and not name.endswith("num_batches_tracked")]
    if missing := [name for name in missing if not name.startswith(network.head)]:
        raise WeightsError(
            f"the file lacks {len(missing)} tensors, the first is {missing[0]}; expected an OSNet in its authors' names"
        )
    network.load_state_dict(state, strict=False)


def _only_shift(bn: str, shift: Tensor) -> dict[str, Tensor]:
    ones = torch.ones_like(shift)
    return {
        f"{bn}.bias": shift,
        f"{bn}.weight": ones,
        f"{bn}.running_mean": 0 * ones,
        f"{bn}.running_var": (1 - _EPSILON) * ones,
    }


def _module_name(node: str) -> str:
    """``/conv2/conv2.0/conv1/conv/Conv`` is the call of ``conv2.0.conv1.conv``: children of a sequence repeat its name."""
    parts: list[str] = []
    for part in node.strip("/").split("/")[:-1]:
        if parts and part.startswith(f"{parts[-1]}."):
            parts.pop()
        parts.append(part)
    return ".".join(parts)


@torch.inference_mode()
def restore_statistics(network: ReidNetwork, pixels: Pixels) -> None:
    """Give normalisations that only shift the statistics of what they are given, and leave their function as it is.

    `pixels` is uint8 (n, height, width, 3). What comes in x goes out as x + shift: with mean m and variance v that is
    (x - m) / sqrt(v + eps) * weight + bias where weight = sqrt(v + eps) and bias = shift + m.
    """
    layers = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    moments = {layer: torch.zeros(3, layer.num_features, dtype=torch.float64) for layer in layers}  # count, sum, sum of squares

    def measure(layer: nn.Module, given: tuple[Tensor]) -> None:
        maps = given[0].double().transpose(0, 1).flatten(1)
        moments[layer] += torch.stack([torch.full((len(maps),), maps.shape[1]), maps.sum(1), maps.square().sum(1)])

    hooks = [layer.register_forward_pre_hook(measure) for layer in layers]
    scale, offset = network.preprocessing.affine()
    for start in range(0, len(pixels), _BATCH):
        network.embed(torch.from_numpy(pixels[start : start + _BATCH] * scale + offset).permute(0, 3, 1, 2))
    for hook in hooks:
        hook.remove()
    for layer, (count, total, squares) in moments.items():
        mean = total / count
        variance = (squares / count - mean**2).clamp(min=0)
        state = {"running_mean": mean, "running_var": variance, "weight": (variance + layer.eps).sqrt(), "bias": layer.bias + mean}
        layer.load_state_dict(state, strict=False)


@torch.inference_mode()
def largest_difference(network: ReidNetwork, file: Path) -> float:
    """Largest difference between a network's and a file's embeddings of eight random images, relative to the largest number."""
    session = onnxruntime.InferenceSession(str(file))
    height, width = session.get_inputs()[0].shape[2:]
    images = np.random.default_rng(0).normal(size=(8, 3, height, width)).astype(np.float32)
    expected = session.run(None, {session.get_inputs()[0].name: images})[0]
    found = network.embed(torch.from_numpy(images)).numpy()
    return float(np.abs(found - expected).max() / np.abs(expected).max())


if __name__ == "__main__":
    sys.exit(main())
