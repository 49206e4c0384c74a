"""The shipped students as networks of PyTorch. Their weights files hold the card that a run folder would hold."""

from __future__ import annotations

import json

from safetensors import safe_open

from resight.images import Preprocessing
from resight.models.pytorch import NetworkModel
from resight.networks import build
from resight.networks.card import Card
from resight.networks.weights import load_weights
from resight.shipped import SHIPPED, shipped_file

__all__ = ["load_shipped"]


def load_shipped(name: str) -> tuple[NetworkModel, Card]:
    """Load the network of a shipped student on the CPU, without a head.

    Parameters
    ----------
    name : str
        A key of `resight.shipped.SHIPPED`.

    Returns
    -------
    NetworkModel
        Named like its files.
    Card
        Card of its run, without the identities that the head told apart.
    """
    path = shipped_file(name, ".safetensors")
    with safe_open(path, "pt") as file:
        values = json.loads(file.metadata()["resight"])
    network = build(values["architecture"], 1, last_stride=values["last_stride"], neck=values["neck"])
    network.classes = 0
    sha256 = load_weights(network, path).sha256
    own = values.pop("preprocessing")
    network.preprocessing = Preprocessing(**own | {key: tuple(own[key]) for key in ("mean", "std")})
    card = Card(identities=(), preprocessing=network.preprocessing, **values)
    return NetworkModel(SHIPPED[name], network, sha256=sha256, device="cpu"), card
