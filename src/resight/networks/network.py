"""What all networks here have in common: an image goes in, an embedding and the scores of the training identities come out."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from resight.errors import ConfigurationError
from resight.images import Preprocessing

__all__ = ["ReidNetwork"]


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

    Raises
    ------
    ConfigurationError
        If `classes` is less than 1.
    """

    head: ClassVar[str]

    def __init__(self, classes: int, embedding_size: int, preprocessing: Preprocessing) -> None:
        if classes < 1:
            raise ConfigurationError(f"a network with {classes} classes was asked for; expected 1 or more")
        super().__init__()
        self.classes = classes
        self.embedding_size = embedding_size
        self.preprocessing = preprocessing

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

    def embed(self, images: Tensor) -> Tensor:
        """Images to embeddings.

        Parameters
        ----------
        images : float tensor of shape (n, 3, height, width)
            Normalised as `preprocessing` says; channels_last is the faster memory format on a CPU.

        Returns
        -------
        float tensor of shape (n, embedding_size)
        """
        raise NotImplementedError

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings of shape (n, embedding_size), and the head's logits of shape (n, classes); see `embed`."""
        embedding = self.embed(images)
        return embedding, self.get_submodule(self.head)(embedding)

    def _new_head(self) -> nn.Linear:
        """A classifier that starts out undecided: weights of standard deviation 0.01, no bias."""
        head = nn.Linear(self.embedding_size, self.classes)
        with torch.no_grad():
            nn.init.normal_(head.weight, std=0.01)
            nn.init.zeros_(head.bias)
        return head
