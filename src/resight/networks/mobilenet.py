"""MobileNetV1 at any width, in Keras' conventions, so that Keras' published weights are exact here."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from resight.images import Preprocessing
from resight.networks.network import ReidNetwork

__all__ = ["KerasConv2d", "MobileNet"]

_BLOCKS = (
    *((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)),
    *((512, 1), (512, 1), (512, 1), (512, 1), (512, 1), (1024, 2), (1024, 1)),
)
"""Output channels at width 1 and stride of the 13 depthwise separable blocks (table 1 of the paper)."""


class MobileNet(ReidNetwork):
    """MobileNetV1 (Howard et al., 2017): depthwise and pointwise convolutions in turn.

    The embedding is the global average of the last feature map. The layers have Keras' names. As in Keras, convolutions of
    stride 2 are padded at the right and at the bottom only (of even sides, that is: the first one pads odd sides all round),
    batch normalisation uses epsilon 1e-3, the nonlinearity is ReLU6, and convolutions start from Glorot's uniform
    distribution. (The momentum of the running statistics is PyTorch's 0.1, which suits short fine-tuning; Keras' is 0.01.)

    Parameters
    ----------
    classes : int
        Identities in the head.
    width : float
        Multiplier of every layer's channels: 1.0, 0.75, 0.5 and 0.25 were published. The embedding has 1024 * width numbers.
    last_stride : int
        Stride of the last block that shrinks the map: 2 as published; 1 keeps a map of twice the height and width.

    References
    ----------
    .. [1] A. G. Howard et al., "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision Applications",
           arXiv:1704.04861, 2017.
    """

    head = "classifier"

    def __init__(self, classes: int, *, width: float = 1.0, last_stride: int = 2) -> None:
        preprocessing = Preprocessing(height=128, width=128, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
        super().__init__(classes, int(1024 * width), preprocessing)
        channels = int(32 * width)
        layers = _layer("conv1", KerasConv2d(3, channels, 3, stride=2))
        for number, (full, block_stride) in enumerate(_BLOCKS, 1):
            out = int(full * width)
            stride = last_stride if number == 12 else block_stride
            layers |= _layer(f"conv_dw_{number}", KerasConv2d(channels, channels, 3, stride=stride, groups=channels))
            layers |= _layer(f"conv_pw_{number}", KerasConv2d(channels, out, 1))
            channels = out
        self.backbone = nn.Sequential(layers)
        self.classifier = self.new_head()

    def maps(self, images: Tensor) -> Tensor:
        """See `ReidNetwork.maps`: 1024 * width channels."""
        maps: Tensor = self.backbone(images)
        return maps


def _layer(name: str, convolution: nn.Conv2d) -> OrderedDict[str, nn.Module]:
    return OrderedDict(
        {
            name: convolution,
            f"{name}_bn": nn.BatchNorm2d(convolution.out_channels, eps=1e-3),
            f"{name}_relu": nn.ReLU6(inplace=True),
        }
    )


class KerasConv2d(nn.Conv2d):
    """A convolution without bias, padded as Keras pads it."""

    def __init__(self, inputs: int, outputs: int, size: int, *, stride: int = 1, groups: int = 1) -> None:
        padding = size // 2 if stride == 1 else 0
        super().__init__(inputs, outputs, size, stride=stride, padding=padding, groups=groups, bias=False)
        nn.init.xavier_uniform_(self.weight)

    def forward(self, input: Tensor) -> Tensor:
        margins = self.margins(input.shape[2], input.shape[3])
        padded = F.pad(input, margins) if any(margins) else input
        if self.groups > 1 and self.stride[0] > 1 and torch.is_autocast_enabled("cpu"):
            # PyTorch 2.13 has no fast gradient of these layers in bfloat16 on a processor.
            with torch.autocast("cpu", enabled=False):
                return super().forward(padded.float())
        return super().forward(padded)

    def margins(self, height: int, width: int) -> tuple[int, int, int, int]:
        """Rows and columns of zeros around a map, beyond `padding`: left, right, top, bottom."""
        return (*self._margins(width), *self._margins(height))

    def _margins(self, side: int) -> tuple[int, int]:
        """Pixels before and after a side."""
        if self.stride[0] == 1:
            return 0, 0
        if side % 2 == 0:
            return 0, 1
        # Keras pads the first layer "same", which is symmetric on an odd side. It pads the others by (0, 1), which then changes
        # nothing: the last window ends at the last pixel.
        return (1, 1) if self.groups == 1 else (0, 0)
