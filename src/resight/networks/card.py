"""A trained network on the disk: a folder with ``network.safetensors``, and ``card.json`` to describe it.

Neither is ever unpickled. The SHA-256 in the card must be that of the weights file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from resight.configuration import configure
from resight.errors import ConfigurationError, WeightsError
from resight.files import atomic_write, read_json, sha256_file, write_json
from resight.images import Preprocessing
from resight.networks import CARD, build
from resight.networks.network import ReidNetwork

__all__ = ["CARD", "FORMAT", "WEIGHTS", "Card", "load_network", "read_card", "save_network"]

WEIGHTS = "network.safetensors"
FORMAT = "resight-network-1"
"""Format that the card of a network names."""


@dataclass(frozen=True, kw_only=True)
class Card:
    """Description of a network beside its weights.

    Attributes
    ----------
    architecture : str
        A key of `resight.networks.NETWORKS`.
    last_stride, neck
        See `resight.networks.build`.
    identities : tuple of str
        Name of each class, who is a person of the training images, in the order of the head's outputs.
    preprocessing : Preprocessing
    training : dict
        Data set, images, SHA-256 and terms of use of data, initial weights and teachers; plain JSON values.
    configuration : dict
        Configuration of the run.
    provenance : dict
        See `resight.provenance.provenance`.
    weights_sha256 : str
        SHA-256 of ``network.safetensors``; filled in by `save_network`.
    """

    architecture: str
    identities: tuple[str, ...]
    preprocessing: Preprocessing
    last_stride: int = 0
    neck: bool = False
    training: dict[str, Any] = field(default_factory=dict)
    configuration: dict[str, Any] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)
    weights_sha256: str = ""


def save_network(folder: str | Path, network: ReidNetwork, card: Card) -> Card:
    """Write a network and its card into `folder`; the card comes last, so that a folder with a card is whole.

    Returns
    -------
    Card
        With the SHA-256 of the weights.

    Raises
    ------
    WeightsError
        If a tensor is not finite.
    StorageError
        If a file cannot be written; what was there before is still there.
    """
    folder = Path(folder)
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    if wrong := [name for name, tensor in state.items() if not torch.isfinite(tensor).all()]:
        raise WeightsError(f"the network is not finite after the training ({wrong[0]}); lower --learning-rate")
    with atomic_write(folder / WEIGHTS) as stream:
        stream.write(safetensors.torch.save(state))
    values = asdict(card) | {"weights_sha256": sha256_file(folder / WEIGHTS)}
    write_json(folder / CARD, {"format": FORMAT} | values)
    return _card_from(values, folder / CARD)


def read_card(folder: str | Path) -> Card:
    """Read and check the card of a saved network. Raises `WeightsError`."""
    path = Path(folder) / CARD
    try:
        values = read_json(path)
    except OSError as error:
        raise WeightsError(
            f"{folder} holds no trained network ({path.name}: {error.strerror}); train one with `resight train`"
        ) from error
    except ValueError as error:
        raise WeightsError(f"{path} is damaged: not JSON") from error
    if not isinstance(values, dict) or values.pop("format", None) != FORMAT:
        raise WeightsError(f"{path} is not the card of a network; expected format {FORMAT!r}")
    return _card_from(values, path)


def load_network(folder: str | Path) -> tuple[ReidNetwork, Card]:
    """Load a network that `save_network` wrote.

    Returns
    -------
    ReidNetwork
        In evaluation mode, on the CPU.
    Card

    Raises
    ------
    WeightsError
        If the folder holds no network, its card is damaged, or the weights are not the card's.
    """
    card = read_card(folder)
    path = Path(folder) / WEIGHTS
    try:
        if sha256_file(path) != card.weights_sha256:
            raise WeightsError(f"{path} is not the file that its card describes (SHA-256 differs); restore it or train again")
        state = safetensors.torch.load_file(path)
        for name, tensor in state.items():
            if tensor.dtype != (torch.int64 if name.endswith(".num_batches_tracked") else torch.float32):
                raise WeightsError(f"{path} holds {name} as {tensor.dtype}, as no network of Resight's does; train again")
        with torch.device("meta"):  # shapes alone: a card must not decide how much memory is taken
            _built(card).load_state_dict(state, assign=True)
        network = _built(card)
        network.classes = len(card.identities)
        network.load_state_dict(state)
    except OSError as error:
        raise WeightsError(f"cannot read {path}: {error.strerror}") from error
    except (safetensors.SafetensorError, RuntimeError, ConfigurationError) as error:
        raise WeightsError(f"{path} does not fit its card: {str(error).splitlines()[-1].strip()}") from error
    if not all(torch.isfinite(tensor).all() for tensor in state.values()):
        raise WeightsError(f"{path} holds NaN or infinity; train again with a lower learning rate")
    network.preprocessing = card.preprocessing
    return network.eval(), card


def _built(card: Card) -> ReidNetwork:
    return build(card.architecture, len(card.identities) or 1, last_stride=card.last_stride, neck=card.neck)


def _card_from(values: Mapping[str, Any], path: Path) -> Card:
    try:
        pre = dict(values["preprocessing"])
        pre |= {name: tuple(float(x) for x in pre[name]) for name in ("mean", "std")}
        preprocessing = configure(Preprocessing, pre, source=str(path))
        identities = tuple(str(identity) for identity in values["identities"])
        rest = {name: value for name, value in values.items() if name not in ("preprocessing", "identities")}
        return configure(Card, rest | {"preprocessing": preprocessing, "identities": identities}, source=str(path))
    except (KeyError, TypeError, ValueError, OverflowError, ConfigurationError) as error:
        raise WeightsError(f"{path} is damaged: {error}") from error
