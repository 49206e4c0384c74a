"""Configuration of a training, without PyTorch, so that `resight train --help` answers at once."""

from __future__ import annotations

import math
from dataclasses import dataclass

from resight.errors import ConfigurationError

__all__ = ["PAPER_HELD_OUT", "TrainConfig"]

PAPER_HELD_OUT = 0.1
"""Share of the training data to hold out: of Market-1501's 12,936 images it gives the 1,294 of the paper's baseline."""


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Recipe for training a network. The defaults are the paper's for MobileNet 0.25 on Market-1501.

    Attributes
    ----------
    network : str
        Architecture: mobilenet-0.25, mobilenet-0.5, mobilenet-0.75, mobilenet-1.0, resnet-50, osnet-0.25, osnet-0.5, osnet-0.75
        or osnet-1.0.
    weights : str
        Weights to start from: a run folder or a file; a student in the package, such as student-general; or published
        weights, such as mobilenet-0.25-imagenet. The default is random weights.
    height : int
        Input height in pixels; 0 is the network's own.
    width : int
        Input width in pixels; 0 is the network's own.
    last_stride : int
        Stride of the last stage: 1 doubles the height and width of the last feature maps; 0 is the network's own.
    neck : bool
        Batch normalisation between features and head (BNNeck). Its output becomes the embedding, compared by cosine.
    batch_size : int
        Images in one step.
    images_per_identity : int
        Images of each person in a batch, as a triplet loss needs them; 0 shuffles all images.
    epochs : int
        Passes over the training images.
    optimiser : str
        Optimiser: ``"sgd"`` or ``"adam"``.
    learning_rate : float
        Learning rate at the start, after the warm-up.
    momentum : float
        Momentum of stochastic gradient descent.
    weight_decay : float
        L2 penalty on all parameters.
    schedule : str
        Schedule of the learning rate: ``"step"``, or ``"cosine"``, which ends near zero.
    warm_up : float
        Epochs during which the learning rate rises.
    decay_every : int
        Batches between two falls of the learning rate, with the schedule ``"step"``.
    decay_factor : float
        Factor of each fall of the learning rate, with the schedule ``"step"``.
    average : float
        Decay of a moving average of the weights, which is validated and kept instead of the last weights; 0 turns it off.
    flip : bool
        Mirror half of the images left to right.
    pad : int
        Largest random shift of an image, in pixels each way.
    erase : float
        Probability that an image loses a random rectangle.
    colour : float
        Strength of random changes of brightness, contrast, saturation and white balance, as between cameras; 0.3 is usual.
    coarse : float
        Probability that an image loses detail, as from a camera farther away.
    hard_weight : float
        Weight of the cross-entropy with the ground truth.
    label_smoothing : float
        Share of the ground truth that is spread over all classes.
    triplet_weight : float
        Weight of the batch-hard triplet loss, which needs several images of each person in a batch.
    triplet_margin : float
        Margin of the triplet loss: distance by which other people should be farther than images of the same person.
    validation : str
        Held-out part: ``"identity"`` is people, ``"image"`` is images of known people, ``"none"`` is nothing.
    held_out : float
        Share of the people or images to hold out, between 0 and 1.
    held_out_seed : int
        Seed of the choice of held-out people or images. Keep it the same for all runs of a comparison.
    validate_every : int
        Epochs between two validations; the last epoch is always validated.
    seed : int
        Seed of everything random: initial weights, the order of the images, and their changes.
    precision : str
        Precision: ``"float32"``, ``"bfloat16"``, or ``"auto"``, which is bfloat16 on a GPU and float32 elsewhere.
    """

    network: str = "mobilenet-0.25"
    weights: str = ""
    height: int = 0
    width: int = 0
    last_stride: int = 0
    neck: bool = False
    batch_size: int = 32
    images_per_identity: int = 0
    epochs: int = 29
    optimiser: str = "sgd"
    learning_rate: float = 0.01
    momentum: float = 0.9
    weight_decay: float = 0.0
    schedule: str = "step"
    warm_up: float = 0.0
    decay_every: int = 20_000
    decay_factor: float = 0.1
    average: float = 0.0
    flip: bool = True
    pad: int = 0
    erase: float = 0.0
    colour: float = 0.0
    coarse: float = 0.0
    hard_weight: float = 1.0
    label_smoothing: float = 0.0
    triplet_weight: float = 0.0
    triplet_margin: float = 0.3
    validation: str = "identity"
    held_out: float = PAPER_HELD_OUT
    held_out_seed: int = 0
    validate_every: int = 5
    seed: int = 0
    precision: str = "auto"

    def __post_init__(self) -> None:
        for name, least in {"batch_size": 2, "epochs": 1, "decay_every": 1, "validate_every": 1}.items():
            if getattr(self, name) < least:
                raise ConfigurationError(f"{name} = {getattr(self, name)}; expected at least {least}")
        for name in (
            *("height", "width", "momentum", "weight_decay", "seed", "held_out_seed", "images_per_identity", "warm_up", "pad"),
            *("decay_factor", "triplet_margin", *self._weights()),
        ):
            if not 0 <= getattr(self, name) < math.inf:
                raise ConfigurationError(f"{name} = {getattr(self, name)}; expected at least 0")
        for name in ("average", "erase", "colour", "coarse", "label_smoothing"):
            if not 0 <= getattr(self, name) < 1:
                raise ConfigurationError(f"{name} = {getattr(self, name)}; expected 0 or more and less than 1")
        if not 0 < self.learning_rate < math.inf:
            raise ConfigurationError(f"learning_rate = {self.learning_rate}; expected more than 0")
        for name, most in {"learning_rate": 1000, "weight_decay": 1000, "decay_factor": 1, "seed": 2**63 - 1}.items():
            if getattr(self, name) > most:
                raise ConfigurationError(f"{name} = {getattr(self, name)}; expected at most {most}")
        if not 0 < self.held_out < 1 and not (self.held_out == 0 and self.validation == "none"):
            raise ConfigurationError(f"held_out = {self.held_out}; expected more than 0 and less than 1, or validation none")
        if self.warm_up >= self.epochs and self.warm_up:
            raise ConfigurationError(f"warm_up = {self.warm_up} of {self.epochs} epochs; expected fewer than all")
        for name, known in (
            ("optimiser", ("sgd", "adam")),
            ("schedule", ("step", "cosine")),
            ("precision", ("auto", "float32", "bfloat16")),
        ):
            if getattr(self, name) not in known:
                raise ConfigurationError(f"{name} {getattr(self, name)!r}; expected {' or '.join(known)}")
        if self.triplet_weight and self.images_per_identity < 2:
            raise ConfigurationError("a triplet loss needs several images of each person in a batch; set images_per_identity to 4")
        if not any(getattr(self, name) for name in self._weights()):
            raise ConfigurationError(f"every loss has weight 0; set one of {', '.join(self._weights())}")
        if self.images_per_identity and self.batch_size % self.images_per_identity:
            raise ConfigurationError(
                f"batch_size = {self.batch_size} is not a multiple of images_per_identity = {self.images_per_identity}"
            )

    @property
    def learns_identities(self) -> bool:
        """True if any loss needs to know who is on the images."""
        return bool(self.hard_weight or self.triplet_weight)

    @classmethod
    def _weights(cls) -> list[str]:
        """Fields that hold the weight of a loss."""
        return [name for name in cls.__dataclass_fields__ if name.endswith("_weight")]
