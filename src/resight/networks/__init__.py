"""Architectures, looked up by name in one dict. Importing this does not import PyTorch."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from resight.configuration import nearest_name
from resight.errors import ConfigurationError

if TYPE_CHECKING:
    from resight.networks.network import ReidNetwork

__all__ = ["CARD", "NETWORKS", "build", "check_name"]

CARD = "card.json"
"""File of a run folder that describes its network."""


def _network(module: str, name: str, classes: int, **options: Any) -> ReidNetwork:
    """Build a network of a class of ``resight.networks.MODULE``."""
    network: ReidNetwork = getattr(importlib.import_module(f"resight.networks.{module}"), name)(classes, **options)
    return network


NETWORKS: dict[str, Callable[..., ReidNetwork]] = {
    "mobilenet-0.25": partial(_network, "mobilenet", "MobileNet", width=0.25),
    "mobilenet-0.5": partial(_network, "mobilenet", "MobileNet", width=0.5),
    "mobilenet-0.75": partial(_network, "mobilenet", "MobileNet", width=0.75),
    "mobilenet-1.0": partial(_network, "mobilenet", "MobileNet", width=1.0),
    "resnet-50": partial(_network, "resnet", "ResNet50"),
    "osnet-0.25": partial(_network, "osnet", "OSNet", width=0.25),
    "osnet-0.5": partial(_network, "osnet", "OSNet", width=0.5),
    "osnet-0.75": partial(_network, "osnet", "OSNet", width=0.75),
    "osnet-1.0": partial(_network, "osnet", "OSNet", width=1.0),
}
"""Every architecture by name: a function from the number of classes to a `ReidNetwork`. A class of your own is one, too."""


def check_name(name: str) -> None:
    """Raise `ConfigurationError` if no network has this name."""
    if name not in NETWORKS:
        raise ConfigurationError(f"no network is named {name!r}{nearest_name(name, NETWORKS)}; there are: {', '.join(NETWORKS)}")


def build(name: str, classes: int, seed: int = 0, *, last_stride: int = 0, neck: bool = False) -> ReidNetwork:
    """Build a network with fresh weights.

    The weights depend on `name`, `classes` and `seed` alone; PyTorch's global random state stays as it was. Each class says how
    its weights start. Every head starts from a normal distribution of standard deviation 0.01, without bias.

    Parameters
    ----------
    name : str
        A key of `NETWORKS`.
    classes : int
        Identities in the head.
    seed : int
        Seed of the initial weights.
    last_stride : int
        1 keeps the last feature maps at twice the height and width; 0 is the network's own. OSNet has no stride to change.
    neck : bool
        Add a neck; see `resight.networks.network.ReidNetwork.add_neck`.

    Returns
    -------
    ReidNetwork
        In training mode, on the CPU.

    Raises
    ------
    ConfigurationError
        If the network or its stride is unknown, or `classes` is less than 1.
    """
    import torch

    check_name(name)
    if last_stride not in (0, 1, 2):
        raise ConfigurationError(f"last_stride = {last_stride}; expected 1 or 2, or 0 for the network's own")
    options = {"last_stride": last_stride} if last_stride else {}
    with torch.random.fork_rng(devices=[]):  # no other device draws here, and copying their states takes time
        torch.default_generator.manual_seed(seed)
        network = NETWORKS[name](classes, **options)
        if neck:
            network.add_neck()
        return network
