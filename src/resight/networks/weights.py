"""Weights files into networks: loaded exactly, or refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from resight.errors import WeightsError
from resight.networks import NETWORKS
from resight.networks.foreign import architecture, differences, read_weights
from resight.networks.network import ReidNetwork

__all__ = ["LoadedWeights", "load_weights", "weights_classes"]


@dataclass(frozen=True)
class LoadedWeights:
    """Result of `load_weights`.

    Attributes
    ----------
    path : Path
    sha256 : str
        SHA-256 of the file, 64 hexadecimal digits.
    loaded : tuple of str
        Tensors that came from the file.
    left : tuple of str
        Tensors that stayed as they were: the head, if the file has none or one for another number of classes, and counters of
        batches, which some formats leave out.
    """

    path: Path
    sha256: str
    loaded: tuple[str, ...]
    left: tuple[str, ...]


def load_weights(network: ReidNetwork, path: str | Path) -> LoadedWeights:
    """Fill a network from a weights file, which must hold everything but the head, and nothing else.

    Parameters
    ----------
    network : ReidNetwork
        Changed in place: it gets a neck if the file has one, and the weights if no error is raised.
    path : str or Path
        See `resight.networks.foreign.read_weights` for the formats.

    Returns
    -------
    LoadedWeights

    Raises
    ------
    WeightsError
        If the file cannot be read, holds NaN or infinity, or its names or shapes differ from the network's. A head for another
        number of classes is left out instead.
    """
    state, digest = read_weights(path)
    if network.neck is None and "neck.weight" in state:
        network.add_neck()
    expected = network.state_dict()
    if problems := differences(state, expected, network.head):
        wanted = architecture(expected) or type(network).__name__
        guess = f"it looks like {found}" if (found := architecture(state)) else f"it fits none of {', '.join(NETWORKS)}"
        raise WeightsError(f"{path} does not fit {wanted}: {'; '.join(problems)}; {guess}")
    loaded = tuple(name for name in expected if name in state and state[name].shape == expected[name].shape)
    values = {name: state[name].to(expected[name].dtype) for name in loaded}
    for name, value in values.items():
        if not torch.isfinite(value).all():
            raise WeightsError(f"{path}: {name} holds NaN or infinity; the file cannot be used")
    with torch.no_grad():
        for name, value in values.items():
            expected[name].copy_(value)
    return LoadedWeights(Path(path), digest, loaded, tuple(name for name in expected if name not in values))


def weights_classes(source: str | Path | Mapping[str, Tensor], head: str) -> int | None:
    """Count the classes of the head in a weights file.

    Parameters
    ----------
    source : str, Path, or mapping of str to Tensor
        The file, or the result of `read_weights`.
    head : str
        `ReidNetwork.head` of the network.

    Returns
    -------
    int or None
        None if the file has no such head.

    Raises
    ------
    WeightsError
        If the file cannot be read.
    """
    state = source if isinstance(source, Mapping) else read_weights(source)[0]
    weight = state.get(f"{head}.weight")
    return None if weight is None or weight.ndim != 2 else weight.shape[0]
