"""Deep features: the embedding of an image is the input of a network's head, in most networks the globally averaged maps."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from resight.errors import ConfigurationError, WeightsError
from resight.images import Pixels, Preprocessing
from resight.memory import keep_freed_memory
from resight.models.model import Model, Vectors
from resight.models.reference import Reference
from resight.networks import CARD, build
from resight.networks.batches import Batches, View
from resight.networks.card import load_network
from resight.networks.cost import count_parameters, multiply_adds
from resight.networks.network import ReidNetwork
from resight.networks.published import PUBLISHED, fetch
from resight.networks.weights import load_weights, weights_classes
from resight.progress import Progress, silent

__all__ = ["NetworkModel", "channels_last", "choose_device", "load_network_model", "network_outputs", "without_denormals"]


def choose_device(name: str = "auto") -> torch.device:
    """The device of ``"cpu"``, ``"cuda"`` or ``"auto"``, which takes a GPU if there is one. Raises `ConfigurationError`."""
    if name not in ("auto", "cpu", "cuda"):
        raise ConfigurationError(f"device {name!r}; expected auto, cpu or cuda")
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigurationError("device 'cuda': this machine has no usable GPU; use --device cpu")
    return torch.device("cuda" if name == "cuda" or (name == "auto" and torch.cuda.is_available()) else "cpu")


def channels_last(network: ReidNetwork, device: torch.device) -> ReidNetwork:
    """Move a network, in place, to `device` and into the memory format that is fastest on CPUs and GPUs."""
    network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


@contextlib.contextmanager
def without_denormals() -> Iterator[None]:
    """Let PyTorch take numbers below 1e-38 for zero: weight decay makes them, and some processors compute them very slowly."""
    before = bool(torch.tensor(1e-40) == 0)  # PyTorch does not tell otherwise
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)


@without_denormals()
def network_outputs(
    network: ReidNetwork,
    pixels: Pixels,
    *,
    preprocessing: Preprocessing | None = None,
    mirrored: bool = False,
    wanted: Sequence[str] = ("embedding",),
    batch_size: int = 64,
    progress: Progress = silent,
    stage: str = "embedding",
) -> list[NDArray[np.float32]]:
    """Run a network over many images.

    Parameters
    ----------
    network : ReidNetwork
        Runs on its own device, in evaluation mode; its mode is restored afterwards.
    pixels : uint8 array of shape (n, height, width, 3)
        RGB, of the size that the network expects.
    preprocessing : Preprocessing, optional
        By default the network's own.
    mirrored : bool
        Mirror every image left to right.
    wanted : sequence of str
        Fields of `resight.networks.network.Outputs`, including ``"attention"``.
    batch_size : int
    progress : Progress
    stage : str
        Name of this work in the progress.

    Returns
    -------
    list of float32 arrays of shape (n, ...)
        One for each name in `wanted`.
    """
    keep_freed_memory()
    device = next(network.parameters()).device
    batches = Batches(pixels, preprocessing or network.preprocessing, device)
    results: list[NDArray[np.float32]] = []
    was_training = network.training
    network.eval()
    try:
        with torch.inference_mode():
            for start in range(0, max(len(pixels), 1), batch_size):  # without images, once for the shapes
                rows = np.arange(start, min(start + batch_size, len(pixels)))
                images = batches(View(rows, np.full(len(rows), mirrored)))
                if list(wanted) == ["embedding"]:  # the head is not needed
                    outputs = [network.embed(images)]
                else:
                    everything = network(images)
                    outputs = [getattr(everything, name) for name in wanted]
                if not results:
                    results = [np.empty((len(pixels), *output.shape[1:]), np.float32) for output in outputs]
                for result, output in zip(results, outputs, strict=True):
                    result[rows] = output.float().cpu().numpy()
                progress(stage, start + len(rows), len(pixels))
    finally:
        network.train(was_training)
    return results


class NetworkModel(Model):
    """A network as a function from images to embeddings.

    Parameters
    ----------
    name : str
        Name in tables.
    network : ReidNetwork
    identities : tuple of str
        Name of the person that each of the head's outputs stands for; empty if unknown.
    sha256 : str
        SHA-256 of the weights file; empty for an untrained network.
    device : str
        See `choose_device`.
    """

    def __init__(
        self, name: str, network: ReidNetwork, *, identities: tuple[str, ...] = (), sha256: str = "", device: str = "auto"
    ) -> None:
        self.name = name
        self.sha256 = sha256
        self.distance: str = network.distance
        self.size = network.preprocessing.size
        self.embedding_size = network.embedding_size
        self.parameters = count_parameters(network, with_head=False)
        self.identities = identities
        self.network = channels_last(network.eval(), choose_device(device))

    @cached_property
    def multiply_adds(self) -> int:  # type: ignore[override]
        """Multiply-adds for one image, counted when they are asked for."""
        return multiply_adds(self.network, self.size)

    def extract(self, pixels: Pixels, *, batch_size: int = 64, progress: Progress = silent) -> Vectors:
        """See `Model.extract`."""
        return network_outputs(self.network, pixels, batch_size=batch_size, progress=progress)[0]


def load_network_model(reference: Reference, *, device: str = "auto", height: int = 0, width: int = 0) -> NetworkModel:
    """Load a network that a user names.

    Parameters
    ----------
    reference : Reference
        A reference of the kind run, weights, published or network.
    device, height, width
        See `resight.load_model`.

    Returns
    -------
    NetworkModel

    Raises
    ------
    ConfigurationError
        If the device or the input size cannot be used.
    WeightsError
        If the weights cannot be used, or a folder holds no network.
    """
    identities: tuple[str, ...] = ()
    sha256, name, path = "", reference.name, reference.path
    if reference.kind == "published":
        published = PUBLISHED[reference.name]
        name, path = published.network, fetch(reference.name)
    if reference.kind == "network":
        network = build(name, 1)
        name += " untrained"
    elif reference.kind in ("weights", "published") and path is not None:
        classes = weights_classes(path, build(name, 1).head)
        network = build(name, classes or 1)
        sha256 = load_weights(network, path).sha256
        if classes is None:
            network.classes = 0  # the file has no head: it embeds and cannot teach
        name += f" {path.stem}"
    elif reference.kind == "run" and path is not None:
        network, card = load_network(path)
        identities, sha256, name = card.identities, card.weights_sha256, path.resolve().name
    else:
        way_out = f"train into it with `resight train --out {reference.text}`"
        raise WeightsError(f"{reference.text} holds no finished network ({CARD} is missing); {way_out}")
    network.resize_input(height, width)
    return NetworkModel(name, network, identities=identities, sha256=sha256, device=device)
