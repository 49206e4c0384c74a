"""Configuration of a distillation, without PyTorch, like `resight.training.config`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from resight.distillation import LOSSES
from resight.errors import ConfigurationError
from resight.training.config import TrainConfig

__all__ = ["AdaptConfig", "DistillConfig"]

_SHARE = 0.25


def _with_weights(kind: type[TrainConfig]) -> type[Any]:
    """Add a field NAME_weight for each loss, with the default and the help text of `LOSSES`."""
    weights = {f"{name}_weight": loss for name, loss in LOSSES.items()}
    kind.__annotations__ = dict.fromkeys(weights, "float") | kind.__annotations__
    kind.__doc__ = (kind.__doc__ or "").rstrip() + "\n"
    for name, loss in weights.items():
        setattr(kind, name, loss.weight)
        kind.__doc__ += f"    {name} : float\n        {loss.help}\n"
    return kind


@dataclass(frozen=True, kw_only=True)
@_with_weights
class DistillConfig(TrainConfig):
    """Recipe for teaching a student. The defaults are the paper's for MobileNet 0.25 from ResNet-50 on Market-1501.

    Each loss of `resight.distillation.LOSSES` has a field NAME_weight; a weight of 0 leaves the loss out.

    Attributes
    ----------
    teacher : tuple of str
        Models that teach, with any input size: run folders, NETWORK:FILE, FILE.onnx, openvino:FILE.xml, student. A teacher without
        classes gives soft targets from its mean embedding of each person.
    temperature : float or str
        Temperature T of the soft targets. ``"auto"``, for Adam and a small --hard-weight, takes the one at which they are almost
        uniform; the run's card has it.
    hard_weight : float
        Weight of the cross-entropy with the ground truth (lambda).
    peer : str
        Architecture of the peer in mutual learning. The default is the student's, and then the peer starts from its weights too.
    peer_weights : str
        Start of a peer of another architecture, given like the student's weights.
    unlabelled : tuple of str
        Folders of more crops of people, whose identities are unknown or not used. The student learns them from its teachers alone.
        Images of the data set are left out.
    copies : int
        Changed copies of each training image (other colours, and people put together from two), which the student learns from its
        teachers alone. Each takes as much memory as an image.
    unlabelled_share : float
        Share of each batch that comes from `unlabelled` and `copies`, if there are any. Leave it out if no loss needs to know who
        is on an image: then all images are shown equally often.
    centre_cameras : bool
        Subtract the mean of each camera from the teachers' embeddings, so that the student does not learn what a camera does.
    neighbours : int
        With --centre-cameras: so many images of other cameras that the teachers find most alike share in an image's target.
    targets : str
        When to ask the teacher: ``"cached"`` is once for every image and its mirror image, ``"online"`` is at every batch.
    """

    teacher: tuple[str, ...] = ()
    temperature: float | str = 3.0
    hard_weight: float = 0.001
    peer: str = ""
    peer_weights: str = ""
    unlabelled: tuple[str, ...] = ()
    copies: int = 0
    unlabelled_share: float = _SHARE
    centre_cameras: bool = False
    neighbours: int = 0
    targets: str = "cached"
    if TYPE_CHECKING:  # what `_with_weights` adds, for editors
        soft_weight: float = 1.0
        embedding_weight: float = 0.0
        similarity_weight: float = 0.0
        rkd_weight: float = 0.0
        attention_weight: float = 0.0
        hint_weight: float = 0.0
        mutual_weight: float = 0.0
    epochs: int = 39
    learning_rate: float = 0.02

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.temperature, str):
            self._check_auto()
        elif not 0 < self.temperature < math.inf:
            raise ConfigurationError(f"temperature = {self.temperature}; expected more than 0")
        if self.targets not in ("cached", "online"):
            raise ConfigurationError(f"targets {self.targets!r}; expected cached or online")
        for name in self.losses:
            if LOSSES[name].needs == "maps" and self.targets != "online":
                raise ConfigurationError(f"{name}_weight needs the teacher's feature maps at every batch; set targets to online")
            if self.batch_size < LOSSES[name].least_batch:
                raise ConfigurationError(
                    f"batch_size = {self.batch_size}; {name}_weight compares images, expected at least {LOSSES[name].least_batch}"
                )
        if self.teacher and not self.needs_teacher:
            raise ConfigurationError(
                "a teacher is named and no loss compares the student with it; set soft_weight to 1, or leave out teacher"
            )
        if self.peer and "mutual" not in self.losses:
            raise ConfigurationError(f"peer = {self.peer!r} and no loss compares the student with it; set mutual_weight to 1")
        if self.peer_weights and not self.peer:
            raise ConfigurationError("peer_weights belong to a peer of another architecture; set peer")
        for name in ("neighbours", "copies"):
            if getattr(self, name) < 0:
                raise ConfigurationError(f"{name} = {getattr(self, name)}; expected at least 0")
        if self.neighbours and not self.centre_cameras:
            raise ConfigurationError(f"neighbours = {self.neighbours} are of other cameras; set centre_cameras, or neighbours to 0")
        if not 0 < self.unlabelled_share < 1:
            raise ConfigurationError(f"unlabelled_share = {self.unlabelled_share}; expected more than 0 and less than 1")
        if self.images_per_identity and not self.learns_identities:
            raise ConfigurationError(
                f"images_per_identity = {self.images_per_identity}, and no loss needs to know who is on an image; set it to 0"
            )
        if self.unlabelled or self.copies:
            self._check_unlabelled()

    def _check_auto(self) -> None:
        if self.temperature != "auto":
            raise ConfigurationError(f"temperature = {self.temperature!r}; expected a number or auto")
        if self.optimiser != "adam":
            raise ConfigurationError(
                f"temperature = auto is for Adam, and optimiser is {self.optimiser}; set optimiser to adam, or choose a temperature"
            )
        if "soft" not in self.losses:
            raise ConfigurationError("temperature = auto is for soft targets; set soft_weight to 1, or leave temperature out")

    def _check_unlabelled(self) -> None:
        if not self.needs_teacher:
            raise ConfigurationError("images without an identity need a teacher; set soft_weight or another weight to 1")
        if not self.learns_identities:
            if self.unlabelled_share != _SHARE:
                raise ConfigurationError(
                    f"unlabelled_share = {self.unlabelled_share}, and no loss needs to know who is on an image: all images are "
                    "shown equally often; leave it out"
                )
            return
        labelled = self.batch_size - round(self.unlabelled_share * self.batch_size)
        if labelled < 2 or labelled == self.batch_size or (self.images_per_identity and labelled % self.images_per_identity):
            raise ConfigurationError(
                f"unlabelled_share = {self.unlabelled_share} leaves {labelled} of {self.batch_size} images with an identity; "
                f"expected fewer than all, at least 2, and a multiple of images_per_identity = {self.images_per_identity}"
            )

    @property
    def losses(self) -> dict[str, float]:
        """Weights of the losses in use, by their names in `resight.distillation.LOSSES`."""
        weights = {name: float(getattr(self, f"{name}_weight")) for name in LOSSES}
        return {name: weight for name, weight in weights.items() if weight}

    @property
    def needs(self) -> set[str]:
        """Answers that the losses in use need of the teachers; see `resight.distillation.loss.DistillationLoss`."""
        return {LOSSES[name].needs for name in self.losses} - {""}

    @property
    def learns_identities(self) -> bool:
        """True if any loss needs to know who is on the images."""
        return super().learns_identities or "logits" in self.needs or "mutual" in self.losses

    @property
    def needs_teacher(self) -> bool:
        """True if any loss compares the student with a teacher."""
        return bool(self.needs)


@dataclass(frozen=True, kw_only=True)
class AdaptConfig:
    """How a student is adapted.

    Attributes
    ----------
    start : str
        Student to start from: one in the package, such as student-general; a run folder; or published weights such as
        mobilenet-0.25-imagenet.
    teacher : tuple of str
        Models that teach, such as omz-0277. Without one, a re-identification student teaches itself if the cameras of the crops are
        known; otherwise only the statistics of its normalisation move.
    epochs : int, optional
        Passes over the crops; the default makes about 400 steps, and at least 2 passes. 0 moves nothing but the statistics of the
        normalisation, and takes no teacher.
    learning_rate : float
        Learning rate at the start.
    batch_size : int
        Crops in one step.
    copies : int
        Changed copies of each crop (other colours, and people put together from two), which the student learns as well.
    neighbours : int
        So many crops of other cameras that the teachers find most alike share in what a crop teaches.
    held_out : float
        Share of the crops that only judges.
    seed : int
        Seed of everything random.
    """

    start: str = "student-general"
    teacher: tuple[str, ...] = ()
    epochs: int | None = None
    learning_rate: float = 0.002
    batch_size: int = 64
    copies: int = 2
    neighbours: int = 3
    held_out: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.held_out <= 0.5:
            raise ConfigurationError(f"held_out = {self.held_out}; expected more than 0 and at most 0.5")
        if self.epochs is not None and self.epochs < 0:
            raise ConfigurationError(f"epochs = {self.epochs}; expected at least 0")
        # The rest has the bounds of a distillation without labels, which refuses what is beyond them.
        same = {name: getattr(self, name) for name in ("learning_rate", "batch_size", "copies", "neighbours", "seed")}
        DistillConfig(**same, hard_weight=0.0, soft_weight=0.0, embedding_weight=1.0, centre_cameras=True)
