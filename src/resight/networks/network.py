"""The base class of all networks: an image goes in, an embedding and the scores of the training identities come out."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from resight.errors import ConfigurationError
from resight.images import Preprocessing

__all__ = ["Outputs", "ReidNetwork"]


class Outputs(NamedTuple):
    """Outputs of a network for n images.

    Attributes
    ----------
    maps : float tensor of shape (n, channels, rows, columns)
        The last feature maps.
    features : float tensor of shape (n, embedding_size)
        The pooled maps; a triplet loss compares these.
    embedding : float tensor of shape (n, embedding_size)
        The features after the neck, or the features themselves without one. They are ranked, and the head reads them.
    logits : float tensor of shape (n, classes)
        The head's scores of the training identities.
    """

    maps: Tensor
    features: Tensor
    embedding: Tensor
    logits: Tensor

    @property
    def attention(self) -> Tensor:
        """The places that the network looks at: squared maps summed over the channels, (n, rows, columns)."""
        return self.maps.float().square().sum(1)


class ReidNetwork(nn.Module):
    """A network whose embedding is ranked at test time and classified into identities while it is trained.

    Parameters
    ----------
    classes : int
        Identities that the head tells apart; at least 1.
    embedding_size : int
        Numbers in one embedding.
    preprocessing : Preprocessing
        The architecture's customary input. The network takes other sizes too.

    Attributes
    ----------
    head : str
        Name of the classifier, which is also the prefix of its tensors in the state dict.
    channels : int
        Channels of the last feature maps.

    Raises
    ------
    ConfigurationError
        If `classes` is less than 1.
    """

    head: ClassVar[str]

    def __init__(self, classes: int, embedding_size: int, preprocessing: Preprocessing) -> None:
        if classes < 1:
            raise ConfigurationError(f"a network with {classes} classes; expected 1 or more")
        super().__init__()
        self.classes = classes
        self.embedding_size = embedding_size
        self.channels = embedding_size
        self.preprocessing = preprocessing
        self.neck: nn.BatchNorm1d | None = None

    def resize_input(self, height: int, width: int) -> None:
        """Take images of another size than the architecture's own; 0 leaves a side as it is.

        Raises
        ------
        ConfigurationError
            If a side is less than 32 pixels: the networks shrink their input up to 32 times.
        """
        own = self.preprocessing
        self.preprocessing = replace(own, height=height or own.height, width=width or own.width)
        if min(self.preprocessing.size) < 32:
            raise ConfigurationError(
                f"the input is {self.preprocessing.height}x{self.preprocessing.width} pixels; expected 32 or more each way"
            )

    def add_neck(self) -> None:
        """Put batch normalisation between features and head (BNNeck, Luo et al., 2019), and take the head's bias away.

        The features before it suit a triplet loss, which is about distances; those after it suit the head, which is about
        directions. The latter are ranked, so they are compared by cosine. The neck's shift stays at zero, as in the paper.

        References
        ----------
        .. [1] H. Luo, Y. Gu, X. Liao, S. Lai, W. Jiang, "Bag of Tricks and a Strong Baseline for Deep Person
               Re-identification", CVPR Workshops 2019.
        """
        self.neck = nn.BatchNorm1d(self.embedding_size).train(self.training)
        self.neck.bias.requires_grad_(False)
        self.get_submodule(self.head).register_parameter("bias", None)

    @property
    def distance(self) -> str:
        """Distance between its embeddings: ``"cosine"`` after a neck, ``"euclidean"`` otherwise."""
        return "euclidean" if self.neck is None else "cosine"

    def maps(self, images: Tensor) -> Tensor:
        """Compute the last feature maps, (n, 3, height, width) to (n, channels, rows, columns); see `embed`."""
        raise NotImplementedError

    def pool(self, maps: Tensor) -> Tensor:
        """Pool the maps to features of shape (n, embedding_size): by a global average, unless a network overrides it."""
        return F.adaptive_avg_pool2d(maps, 1).flatten(1)

    def embed(self, images: Tensor) -> Tensor:
        """Turn images into embeddings.

        Parameters
        ----------
        images : float tensor of shape (n, 3, height, width)
            Normalised by `preprocessing`; channels_last is the faster memory format on a CPU.

        Returns
        -------
        float tensor of shape (n, embedding_size)
        """
        features = self.pool(self.maps(images))
        return features if self.neck is None else self.neck(features)

    def forward(self, images: Tensor) -> Outputs:
        """Compute all outputs; see `embed` for the images."""
        maps = self.maps(images)
        features = self.pool(maps)
        embedding = features if self.neck is None else self.neck(features)
        return Outputs(maps, features, embedding, self.get_submodule(self.head)(embedding))

    def new_head(self) -> nn.Linear:
        """Make the classifier of a subclass: weights of standard deviation 0.01, bias of zero."""
        head = nn.Linear(self.embedding_size, self.classes)
        with torch.no_grad():
            nn.init.normal_(head.weight, std=0.01)
            nn.init.zeros_(head.bias)
        return head
