"""ResNet-50. Layers have the names of torchvision's and timm's published weights."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from resight.images import Preprocessing
from resight.networks.network import ReidNetwork

__all__ = ["ResNet50"]


class ResNet50(ReidNetwork):
    """ResNet-50 (He et al., 2016): 16 bottleneck blocks with shortcuts.

    The embedding is the global average of the last feature map, 2048 numbers. As in torchvision and timm, and unlike in the
    paper, a block that shrinks the map does so in its 3x3 convolution ("v1.5"). Convolutions start from He's normal
    distribution (fan out).

    Parameters
    ----------
    classes : int
        Identities in the head.
    last_stride : int
        Stride of the last stage: 2 as published; 1 keeps maps of twice the height and width (Luo et al., 2019).

    References
    ----------
    .. [1] K. He, X. Zhang, S. Ren, J. Sun, "Deep Residual Learning for Image Recognition", CVPR 2016.
    """

    head = "fc"

    def __init__(self, classes: int, *, last_stride: int = 2) -> None:
        super().__init__(classes, 2048, Preprocessing(height=224, width=224))
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = _stage(64, 64, blocks=3, stride=1)
        self.layer2 = _stage(256, 128, blocks=4, stride=2)
        self.layer3 = _stage(512, 256, blocks=6, stride=2)
        self.layer4 = _stage(1024, 512, blocks=3, stride=last_stride)
        self.fc = self.new_head()
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def maps(self, images: Tensor) -> Tensor:
        """See `ReidNetwork.maps`: 2048 channels."""
        maps = self.maxpool(F.relu_(self.bn1(self.conv1(images))))
        deeper: Tensor = self.layer4(self.layer3(self.layer2(self.layer1(maps))))
        return deeper


def _stage(inputs: int, middle: int, *, blocks: int, stride: int) -> nn.Sequential:
    rest = (_Bottleneck(4 * middle, middle) for _ in range(blocks - 1))
    return nn.Sequential(_Bottleneck(inputs, middle, stride=stride), *rest)


class _Bottleneck(nn.Module):
    """1x1 to few channels, 3x3, 1x1 to four times as many, added to the shortcut."""

    def __init__(self, inputs: int, middle: int, *, stride: int = 1) -> None:
        super().__init__()
        outputs = 4 * middle
        self.conv1 = nn.Conv2d(inputs, middle, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(middle)
        self.conv2 = nn.Conv2d(middle, middle, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(middle)
        self.conv3 = nn.Conv2d(middle, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample: nn.Sequential | None = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, maps: Tensor) -> Tensor:
        residual = F.relu_(self.bn1(self.conv1(maps)))
        residual = F.relu_(self.bn2(self.conv2(residual)))
        residual = self.bn3(self.conv3(residual))
        return F.relu_(residual + (maps if self.downsample is None else self.downsample(maps)))
