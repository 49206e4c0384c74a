"""Deep features: an image becomes what a network hands to its head, the output of the global average pool in most."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from resight.compute import keep_freed_memory
from resight.configuration import nearest_name
from resight.errors import ConfigurationError, WeightsError
from resight.images import Pixels, Preprocessing
from resight.networks import NETWORKS, ReidNetwork, build
from resight.networks.batches import Batches, View
from resight.networks.card import CARD, load_network
from resight.networks.cost import count_parameters, multiply_adds
from resight.networks.published import PUBLISHED, fetch, load_weights, weights_classes
from resight.progress import Progress, silent
from resight.shipped import SHIPPED

__all__ = ["NetworkModel", "channels_last", "choose_device", "load_extractor", "network_outputs"]


def choose_device(name: str = "auto") -> torch.device:
    """``"cpu"``, ``"cuda"``, or ``"auto"``: the GPU where there is one. Raises `ConfigurationError`."""
    if name not in ("auto", "cpu", "cuda"):
        raise ConfigurationError(f"device {name!r}; expected auto, cpu or cuda")
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigurationError("device 'cuda' was asked for and there is none; use --device cpu")
    return torch.device("cuda" if name == "cuda" or (name == "auto" and torch.cuda.is_available()) else "cpu")


def channels_last(network: ReidNetwork, device: torch.device) -> ReidNetwork:
    """Move a network, in place, to `device` and into the memory format that is fastest on CPUs and GPUs alike."""
    network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


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
        Put into evaluation mode for the run and back afterwards; runs on the device where it is.
    pixels : uint8 array of shape (n, height, width, 3)
        RGB, of the size that the network expects.
    preprocessing : Preprocessing, optional
        The network's own unless given.
    mirrored : bool
        Mirror every image left to right.
    wanted : sequence of str
        Fields of `resight.networks.Outputs`, ``"attention"`` among them.
    batch_size : int
    progress : Progress
    stage : str
        Name of this work in the progress.

    Returns
    -------
    list of float32 arrays of shape (n, ...)
        One for each that is wanted.
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
                if list(wanted) == ["embedding"]:  # the head would be in vain
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


class NetworkModel:
    """A network as a function from images to embeddings.

    Parameters
    ----------
    name : str
        How it is called in tables.
    network : ReidNetwork
    identities : tuple of int
        Training identity of each of the head's outputs; empty if unknown.
    sha256 : str
        Of the weights file; empty for an untrained network.
    device : str
        See `choose_device`.
    """

    def __init__(
        self, name: str, network: ReidNetwork, *, identities: tuple[int, ...] = (), sha256: str = "", device: str = "auto"
    ) -> None:
        self.name = name
        self.identities = identities
        self.sha256 = sha256
        self.network = channels_last(network.eval(), choose_device(device))

    @property
    def distance(self) -> str:
        """See `ReidNetwork.distance`."""
        return self.network.distance

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the images that `extract` takes."""
        return self.network.preprocessing.size

    @property
    def embedding_size(self) -> int:
        """Numbers in one embedding."""
        return self.network.embedding_size

    @property
    def parameters(self) -> int:
        """Parameters of the embedding network; the head, which is not used at test time, is left out."""
        return count_parameters(self.network, with_head=False)

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds for one image."""
        return multiply_adds(self.network, self.size)

    def extract(self, pixels: Pixels, *, batch_size: int = 64, progress: Progress = silent) -> NDArray[np.float32]:
        """Images of `size`, uint8 (n, height, width, 3), to embeddings, float32 (n, embedding_size)."""
        return network_outputs(self.network, pixels, batch_size=batch_size, progress=progress)[0]


def load_extractor(reference: str, *, device: str = "auto", height: int = 0, width: int = 0) -> NetworkModel:
    """Find the model that a user names.

    Parameters
    ----------
    reference : str
        A folder that `resight train` or `resight distill` wrote; or ``NETWORK:FILE`` with a foreign weights file, for example
        ``osnet-0.25:osnet_x0_25_market1501.pth``; or a key of `resight.networks.published.PUBLISHED`, which is downloaded once; or
        ``NETWORK`` alone, which is that network before any training.
    device : str
        See `choose_device`.
    height, width : int
        Another input size than the model's own, in pixels; 0 is its own.

    Returns
    -------
    NetworkModel

    Raises
    ------
    ConfigurationError
        If it names nothing that exists.
    WeightsError
        If the weights cannot be used.
    """
    folder = Path(reference)
    architecture, colon, file = reference.partition(":")
    identities: tuple[int, ...] = ()
    sha256 = ""
    if (folder / CARD).exists():
        network, card = load_network(folder)
        identities, sha256, name = card.identities, card.weights_sha256, folder.resolve().name
    elif reference in PUBLISHED:
        published = PUBLISHED[reference]
        return load_extractor(f"{published.network}:{fetch(reference)}", device=device, height=height, width=width)
    elif architecture in NETWORKS:
        name = f"{architecture} {Path(file).stem}" if colon else f"{architecture} untrained"
        network = build(architecture, 1)
        if colon:
            classes = weights_classes(file, network.head)
            network = build(architecture, classes or 1)
            sha256 = load_weights(network, file).sha256
            if classes is None:
                network.classes = 0  # the file has no head: it embeds and cannot teach
    elif folder.is_dir():
        raise WeightsError(
            f"{reference} holds no finished network ({CARD} is missing); train into it with `resight train --out {reference}`"
        )
    else:
        hint = "" if "/" in architecture else nearest_name(architecture, [*SHIPPED, "lomo", *NETWORKS, *PUBLISHED])
        raise ConfigurationError(
            f"no model {reference!r}{hint}: expected {', '.join(SHIPPED)}, FILE.onnx, a run folder, NETWORK:FILE or lomo; "
            f"networks: {', '.join(NETWORKS)}"
        )
    network.resize_input(height, width)
    return NetworkModel(name, network, identities=identities, sha256=sha256, device=device)
