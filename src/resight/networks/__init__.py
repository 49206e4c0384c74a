"""Architectures, looked up by name in one dict, and their published weights."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch

from resight.configuration import nearest_name
from resight.errors import ConfigurationError
from resight.networks.mobilenet import MobileNet
from resight.networks.network import Outputs, ReidNetwork
from resight.networks.osnet import OSNet
from resight.networks.resnet import ResNet50

__all__ = ["NETWORKS", "Outputs", "ReidNetwork", "build"]

NETWORKS: dict[str, Callable[..., ReidNetwork]] = {
    "mobilenet-0.25": partial(MobileNet, width=0.25),
    "mobilenet-0.5": partial(MobileNet, width=0.5),
    "mobilenet-0.75": partial(MobileNet, width=0.75),
    "mobilenet-1.0": partial(MobileNet, width=1.0),
    "resnet-50": ResNet50,
    "osnet-0.25": partial(OSNet, width=0.25),
    "osnet-0.5": partial(OSNet, width=0.5),
    "osnet-0.75": partial(OSNet, width=0.75),
    "osnet-1.0": partial(OSNet, width=1.0),
}
"""Every architecture: its name, and a function from the number of classes, and what `build` adds to it, to a network."""


def build(name: str, classes: int, seed: int = 0, *, last_stride: int = 0, neck: bool = False) -> ReidNetwork:
    """A network with fresh weights.

    The weights depend on `name`, `classes` and `seed` alone; PyTorch's global random state is left as it was. Each class says
    how its weights start; every head starts from a normal distribution of standard deviation 0.01 without bias.

    Parameters
    ----------
    name : str
        A key of `NETWORKS`.
    classes : int
        Identities in the head.
    seed : int
        Of the initial weights.
    last_stride : int
        1 keeps the last feature maps at twice the height and width; 0 is the network's own. OSNet has none to change.
    neck : bool
        See `ReidNetwork.add_neck`.

    Returns
    -------
    ReidNetwork
        In training mode, on the CPU.

    Raises
    ------
    ConfigurationError
        If there is no such network, if it has no such stride, or if `classes` is less than 1.
    """
    if name not in NETWORKS:
        raise ConfigurationError(f"no network is named {name!r}{nearest_name(name, NETWORKS)}; there are: {', '.join(NETWORKS)}")
    if last_stride not in (0, 1, 2) or (last_stride and name.startswith("osnet")):
        raise ConfigurationError(f"last_stride = {last_stride} for {name}; expected 1 or 2 for MobileNet and ResNet, 0 otherwise")
    with torch.random.fork_rng(devices=[]):  # no other device draws here, and theirs need not be copied
        torch.default_generator.manual_seed(seed)
        network = NETWORKS[name](classes, **({"last_stride": last_stride} if last_stride else {}))
        if neck:
            network.add_neck()
        return network
