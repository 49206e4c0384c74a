"""How a training is configured; kept free of PyTorch, so that `resight train --help` answers at once."""

from __future__ import annotations

from dataclasses import dataclass

from resight.errors import ConfigurationError

__all__ = ["PAPER_HELD_OUT", "TrainConfig"]

PAPER_HELD_OUT = 0.1
"""Share of the training data that is held out: Market-1501's 12,936 images give the 1,294 of the paper's baseline."""


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How a network is trained; the defaults are the paper's for MobileNet 0.25 on Market-1501.

    Attributes
    ----------
    network : str
        Architecture: a key of `resight.networks.NETWORKS`.
    weights : str
        Where to start: a weights file, a key of `resight.networks.published.PUBLISHED`, or empty for random weights.
    height : int
        Of the input, in pixels; 0 is the network's own.
    width : int
        Of the input, in pixels; 0 is the network's own.
    batch_size : int
        Images in one step.
    epochs : int
        Passes over the training images.
    learning_rate : float
        Of stochastic gradient descent, at the start.
    momentum : float
        Of stochastic gradient descent.
    weight_decay : float
        L2 penalty on all parameters.
    decay_every : int
        Steps after which the learning rate is multiplied by `decay_factor`, again and again.
    decay_factor : float
        See `decay_every`.
    flip : bool
        Mirror half of the images left to right.
    validation : str
        What is held out: ``"identity"`` people, ``"image"`` images of known people, or ``"none"``.
    held_out : float
        Share of the people or images that is held out.
    held_out_seed : int
        Which people or images; the same for all runs of one comparison, whatever their own seeds.
    validate_every : int
        Epochs between two validations; the last epoch is always validated.
    seed : int
        Of the initial weights, the order of the images and the flips.
    precision : str
        ``"float32"``, ``"bfloat16"``, or ``"auto"``: bfloat16 on a GPU, float32 elsewhere.
    """

    network: str = "mobilenet-0.25"
    weights: str = ""
    height: int = 0
    width: int = 0
    batch_size: int = 32
    epochs: int = 29
    learning_rate: float = 0.01
    momentum: float = 0.9
    weight_decay: float = 0.0
    decay_every: int = 20_000
    decay_factor: float = 0.1
    flip: bool = True
    validation: str = "identity"
    held_out: float = PAPER_HELD_OUT
    held_out_seed: int = 0
    validate_every: int = 5
    seed: int = 0
    precision: str = "auto"

    def __post_init__(self) -> None:
        for name in ("batch_size", "epochs", "decay_every", "validate_every"):
            if getattr(self, name) < 1:
                raise ConfigurationError(f"{name} = {getattr(self, name)}; expected at least 1")
        for name in ("height", "width", "momentum", "weight_decay", "seed", "held_out_seed"):
            if getattr(self, name) < 0:
                raise ConfigurationError(f"{name} = {getattr(self, name)}; expected at least 0")
        if not self.learning_rate > 0:
            raise ConfigurationError(f"learning_rate = {self.learning_rate}; expected more than 0")
        if self.precision not in ("auto", "float32", "bfloat16"):
            raise ConfigurationError(f"precision {self.precision!r}; expected auto, float32 or bfloat16")
