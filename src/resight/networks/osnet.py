"""OSNet: features of all scales for re-identification. Layers have the names of the authors' published weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from resight.errors import ConfigurationError
from resight.images import Preprocessing
from resight.networks.network import ReidNetwork

__all__ = ["OSNet"]


class OSNet(ReidNetwork):
    """OSNet (Zhou et al., 2019): blocks of four streams with receptive fields 3, 5, 7 and 9, added by one shared gate.

    As the authors do at test time, the embedding is the global average, then a fully connected layer to 512 numbers, batch
    normalisation and ReLU. Convolutions start from He's normal distribution (fan out), fully connected layers from a normal
    distribution of standard deviation 0.01, as in the authors' code.

    Parameters
    ----------
    classes : int
        Identities in the head.
    width : float
        Multiplier of the channels: 1.0, 0.75, 0.5 and 0.25 were published.
    last_stride : int
        0. OSNet shrinks its maps by pooling and has no stride to change.

    Raises
    ------
    ConfigurationError
        If `last_stride` is another number.

    References
    ----------
    .. [1] K. Zhou, Y. Yang, A. Cavallaro, T. Xiang, "Omni-Scale Feature Learning for Person Re-Identification", ICCV 2019.
    """

    head = "classifier"

    def __init__(self, classes: int, *, width: float = 1.0, last_stride: int = 0) -> None:
        if last_stride:
            raise ConfigurationError(f"last_stride = {last_stride}, and OSNet has no last stride to change; leave it at 0")
        super().__init__(classes, 512, Preprocessing(height=256, width=128))
        stem, second, third, fourth = (int(channels * width) for channels in (64, 256, 384, 512))
        self.channels = fourth
        self.conv1 = _ConvLayer(3, stem, 7, stride=2)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.conv2 = nn.Sequential(_Block(stem, second), _Block(second, second), _halve(second))
        self.conv3 = nn.Sequential(_Block(second, third), _Block(third, third), _halve(third))
        self.conv4 = nn.Sequential(_Block(third, fourth), _Block(fourth, fourth))
        self.conv5 = _ConvLayer(fourth, fourth, 1)
        self.fc = nn.Sequential(nn.Linear(fourth, 512), nn.BatchNorm1d(512), nn.ReLU(inplace=True))
        self.classifier = self.new_head()
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.01)
                nn.init.zeros_(module.bias)

    def maps(self, images: Tensor) -> Tensor:
        """See `ReidNetwork.maps`: 512 * width channels."""
        maps: Tensor = self.conv5(self.conv4(self.conv3(self.conv2(self.maxpool(self.conv1(images))))))
        return maps

    def pool(self, maps: Tensor) -> Tensor:
        """Output of the 512-unit layer after its ReLU, (n, channels, rows, columns) to (n, 512)."""
        features: Tensor = self.fc(super().pool(maps))
        return features


def _halve(channels: int) -> nn.Sequential:
    return nn.Sequential(_ConvLayer(channels, channels, 1), nn.AvgPool2d(2))


class _ConvLayer(nn.Module):
    """Convolution, batch normalisation, and ReLU unless `linear`."""

    def __init__(self, inputs: int, outputs: int, size: int, *, stride: int = 1, linear: bool = False) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, size, stride=stride, padding=size // 2, bias=False)
        self.bn = nn.BatchNorm2d(outputs)
        self.linear = linear

    def forward(self, maps: Tensor) -> Tensor:
        maps = self.bn(self.conv(maps))
        return maps if self.linear else F.relu_(maps)


class _LightConv(nn.Module):
    """The paper's Lite 3x3: pointwise, then depthwise, then batch normalisation and ReLU."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 1, bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, maps: Tensor) -> Tensor:
        return F.relu_(self.bn(self.conv2(self.conv1(maps))))


class _Gate(nn.Module):
    """The aggregation gate: weighs each channel of a stream by the averages of all its channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, channels // 16, 1)
        self.fc2 = nn.Conv2d(channels // 16, channels, 1)

    def forward(self, maps: Tensor) -> Tensor:
        return maps * torch.sigmoid(self.fc2(F.relu_(self.fc1(F.adaptive_avg_pool2d(maps, 1)))))


class _Block(nn.Module):
    """Omni-scale residual block: four streams of one to four light convolutions, one gate for all of them."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        middle = outputs // 4
        self.conv1 = _ConvLayer(inputs, middle, 1)
        self.conv2a = _LightConv(middle)
        self.conv2b = nn.Sequential(*(_LightConv(middle) for _ in range(2)))
        self.conv2c = nn.Sequential(*(_LightConv(middle) for _ in range(3)))
        self.conv2d = nn.Sequential(*(_LightConv(middle) for _ in range(4)))
        self.gate = _Gate(middle)
        self.conv3 = _ConvLayer(middle, outputs, 1, linear=True)
        self.downsample = _ConvLayer(inputs, outputs, 1, linear=True) if inputs != outputs else None

    def forward(self, maps: Tensor) -> Tensor:
        squeezed = self.conv1(maps)
        streams = (self.conv2a, self.conv2b, self.conv2c, self.conv2d)
        gated = [self.gate(stream(squeezed)) for stream in streams]
        shortcut = maps if self.downsample is None else self.downsample(maps)
        return F.relu_(self.conv3(gated[0] + gated[1] + gated[2] + gated[3]) + shortcut)
