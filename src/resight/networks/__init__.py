"""Architectures, looked up by name in one dict, and their published weights."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch

from resight.configuration import nearest_name
from resight.errors import ConfigurationError
from resight.networks.mobilenet import MobileNet
from resight.networks.network import ReidNetwork
from resight.networks.osnet import OSNet
from resight.networks.resnet import ResNet50

__all__ = ["NETWORKS", "ReidNetwork", "build"]

NETWORKS: dict[str, Callable[[int], ReidNetwork]] = {
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
"""Every architecture: its name, and a function from the number of classes to a network."""


def build(name: str, classes: int, seed: int = 0) -> ReidNetwork:
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

    Returns
    -------
    ReidNetwork
        In training mode, on the CPU.

    Raises
    ------
    ConfigurationError
        If there is no such network, or if `classes` is less than 1.
    """
    if name not in NETWORKS:
        raise ConfigurationError(f"no network is named {name!r}{nearest_name(name, NETWORKS)}; there are: {', '.join(NETWORKS)}")
    with torch.random.fork_rng(devices=[]):  # no other device draws here, and theirs need not be copied
        torch.default_generator.manual_seed(seed)
        return NETWORKS[name](classes)
