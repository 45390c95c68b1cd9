"""ResNeXt blocks without normalisation: Huang et al. 2024, R3GAN, for any size that halves down to 3..7 pixels.

One thing differs from the paper: the generator ends in a tanh, because all images here are in [-1, 1]. Resampling uses
the filter [1, 3, 3, 1] (bilinear), as in the authors' code.
"""

from math import sqrt
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from models import specs
from models.architectures import layers

Layer = TypeVar("Layer", nn.Conv2d, nn.Linear)

_SLOPE = 0.2
# He et al. 2015, eq. 15: the gain makes up for the variance that a leaky ReLU removes.
_GAIN = sqrt(2 / (1 + _SLOPE**2))
# The number of layers in a block's branch: m in Zhang et al. 2019 (Fixup), section 3.
_BRANCH_LAYERS = 3
_WIDEST = 8


class Generator(nn.Module):
    """N x latent_dim noise, and N labels where there are classes -> images_NCHW in [-1, 1].

    Starts from a learned image of the lowest resolution, whose feature maps are scaled by the latents. Every resolution
    has its blocks; 1x1 convolutions and upsampling lead to the next resolution.
    """

    def __init__(self, spec: specs.R3ganArchitecture, *, image_CHW: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        levels, resolution = layers.pyramid(image_CHW)
        widths = _widths(spec, levels=levels)
        self.classes = classes
        self.latents = layers.ClassedLatents(spec.latent_dim, classes=classes)
        self.scales = _drawn(nn.Linear(self.latents.width, widths[-1], bias=False))
        self.basis_CHW = nn.Parameter(torch.randn(widths[-1], resolution, resolution))
        depth = spec.blocks * (levels + 1)
        stack: list[nn.Module] = []
        for level in reversed(range(levels + 1)):
            if level < levels:
                stack += [*_change(widths[level + 1], widths[level]), _Doubling(widths[level])]
            stack += [_Block(spec, widths[level], depth=depth) for _ in range(spec.blocks)]
        self.layers = nn.Sequential(*stack, _drawn(nn.Conv2d(widths[0], image_CHW[0], 1, bias=False)), nn.Tanh())

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        assert (labels is None) == (self.classes == 0)
        scales_NC = self.scales(self.latents(latents, labels))
        images_NCHW: Tensor = self.layers(scales_NC[:, :, None, None] * self.basis_CHW)
        return images_NCHW


class Discriminator(nn.Module):
    """images_NCHW in [-1, 1], and N labels where there are classes -> N logits.

    Mirrors the generator. At the end each feature map is weighted by a learned image of the lowest resolution.
    """

    def __init__(self, spec: specs.R3ganArchitecture, *, image_CHW: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        levels, resolution = layers.pyramid(image_CHW)
        widths = _widths(spec, levels=levels)
        self.classes = classes
        depth = spec.blocks * (levels + 1)
        stack: list[nn.Module] = [_drawn(nn.Conv2d(image_CHW[0], widths[0], 1, bias=False))]
        for level in range(levels + 1):
            stack += [_Block(spec, widths[level], depth=depth) for _ in range(spec.blocks)]
            if level < levels:
                stack += [_Halving(widths[level]), *_change(widths[level], widths[level + 1])]
        width = widths[-1]
        basis = _drawn(nn.Conv2d(width, width, resolution, groups=width, bias=False))
        self.layers = nn.Sequential(*stack, basis, nn.Flatten())
        self.head = _drawn(nn.Linear(width, 1, bias=False))
        self.projection = layers.Projection(width, classes=classes)

    def forward(self, images_NCHW: Tensor, labels: Tensor | None = None) -> Tensor:
        assert (labels is None) == (self.classes == 0)
        features = self.layers(images_NCHW)
        logits: Tensor = self.projection(self.head(features).squeeze(1), features, labels)
        return logits


class _Block(nn.Module):
    """An inverted bottleneck of grouped convolutions, initialised as the identity (Huang et al. 2024, section 4).

    Fixup initialisation: the branch's last layer starts at zero, and the weights before it are scaled by
    depth^(-1 / (2m - 2)), where `depth` counts the network's blocks and m the branch's layers (Zhang et al. 2019).
    """

    def __init__(self, spec: specs.R3ganArchitecture, width: int, *, depth: int) -> None:
        super().__init__()
        inside = width * spec.expansion
        gain = _GAIN * depth ** (-1 / (2 * _BRANCH_LAYERS - 2))
        self.branch = nn.Sequential(
            _drawn(nn.Conv2d(width, inside, 1), gain=gain),
            nn.LeakyReLU(_SLOPE),
            _drawn(nn.Conv2d(inside, inside, 3, padding=1, groups=inside // spec.group_width), gain=gain),
            nn.LeakyReLU(_SLOPE),
            _drawn(nn.Conv2d(inside, width, 1, bias=False), gain=0.0),
        )

    def forward(self, features_NCHW: Tensor) -> Tensor:
        sum_NCHW: Tensor = features_NCHW + self.branch(features_NCHW)
        return sum_NCHW


class _Resampling(nn.Module):
    """Base of both resampling layers: the filter [1, 3, 3, 1] / 8, applied to each feature map; padding is zero.

    It is a convolution because the gradient of `interpolate` differs from run to run on a GPU.
    """

    kernel: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        taps = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
        self.register_buffer("kernel", torch.outer(taps, taps).repeat(width, 1, 1, 1), persistent=False)


class _Halving(_Resampling):
    def forward(self, features_NCHW: Tensor) -> Tensor:
        return functional.conv2d(features_NCHW, self.kernel, stride=2, padding=1, groups=len(self.kernel))


class _Doubling(_Resampling):
    def forward(self, features_NCHW: Tensor) -> Tensor:
        # Times 4, because each pixel is spread over four.
        return functional.conv_transpose2d(features_NCHW, 4 * self.kernel, stride=2, padding=1, groups=len(self.kernel))


def _widths(spec: specs.R3ganArchitecture, *, levels: int) -> list[int]:
    """Return the number of feature maps at each resolution, the highest resolution first."""
    return [spec.channels * min(2**level, _WIDEST) for level in range(levels + 1)]


def _change(width_in: int, width_out: int) -> list[nn.Module]:
    return [_drawn(nn.Conv2d(width_in, width_out, 1, bias=False))] if width_in != width_out else []


def _drawn(layer: Layer, *, gain: float = 1.0) -> Layer:
    """Draw normal weights that multiply the variance by the gain squared (He et al. 2015); set biases to zero."""
    fan_in = layer.weight[0].numel()
    nn.init.normal_(layer.weight, 0.0, gain / sqrt(fan_in))
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
