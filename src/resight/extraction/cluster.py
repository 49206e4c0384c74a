"""The copies of a model on a Ray cluster: one for each core or GPU, in processes that keep theirs."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache

import ray
from ray.exceptions import RayError

from resight.errors import ConfigurationError, WeightsError
from resight.models import load_model
from resight.models.model import Model

__all__ = ["Copies", "copy_here", "joined"]


@dataclass(frozen=True, kw_only=True)
class Copies:
    """Model by its name, and the cluster that runs copies of it. A model in a file must have the same path on all machines.

    Attributes
    ----------
    address : str
        Address of a cluster; ``"auto"`` for the one of this machine, ``"local"`` to start one for this work.
    model : str
        Name of the model; see `resight.models.load_model`, also for `device`, `height` and `width`.
    device : str
    threads : int
        Cores of each copy; 0 is one.
    height, width : int
    """

    address: str
    model: str
    device: str = "auto"
    threads: int = 0
    height: int = 0
    width: int = 0
    present: str = field(default_factory=os.getcwd, repr=False)

    def load(self) -> Model:
        """Load the model in this process."""
        return load_model(self.model, device=self.device, height=self.height, width=self.width, threads=self.threads)

    @property
    def needs(self) -> dict[str, int]:
        """Resources of each copy, as Ray names them. The cluster must have been joined."""
        gpu = self.device != "cpu" and "GPU" in ray.cluster_resources()
        return {"num_cpus": self.threads or 1, **({"num_gpus": 1} if gpu else {})}


@cache
def copy_here(copies: Copies, sha256: str) -> Model:
    """Return the model of this worker, loaded once. Raises `WeightsError` if it has other weights than `sha256`."""
    os.chdir(copies.present)  # the name may be a path
    model = load_model(copies.model, device=copies.device, height=copies.height, width=copies.width, threads=copies.threads or 1)
    if model.sha256 != sha256:
        raise WeightsError(f"{copies.model} has other weights on {os.uname().nodename}; give all machines the same")
    return model


@contextmanager
def joined(address: str) -> Iterator[None]:
    """Connect to a cluster for the length of a block. Raises `ConfigurationError` if no cluster runs at `address`."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    logging.getLogger("ray.data").setLevel(logging.WARNING)
    try:
        ray.init(address, log_to_driver=False, logging_level=logging.WARNING, include_dashboard=False)
    except (RayError, ConnectionError, ValueError, RuntimeError) as error:
        raise ConfigurationError(
            f"no Ray cluster at {address} ({error}); start one with `ray start --head`, or give --ray local"
        ) from error
    try:
        yield
    finally:
        ray.shutdown()
