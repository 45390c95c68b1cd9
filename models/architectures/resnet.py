"""Residual blocks: Miyato et al. 2018, SNGAN, appendix B.4, for any size that halves down to 3..7 pixels.

All blocks have the same width. The generator has a block for every doubling of the resolution; the discriminator has
one for every halving and one more. The 1x1 convolutions of shortcuts are computed at the lower resolution, where the
paper computes some at the higher one: convolution and resampling commute, and this costs a quarter.
"""

from math import sqrt
from typing import TypeVar

from torch import Tensor, nn

from models import specs
from models.architectures import layers

Layer = TypeVar("Layer", nn.Conv2d, nn.Linear)

# The paper's code uses Glorot's uniform initialisation: gain sqrt(2) for residual 3x3 convolutions, 1 elsewhere.
_RESIDUAL_GAIN = sqrt(2)


class Generator(nn.Module):
    """N x latent_dim noise, and N labels where there are classes -> images_NCHW in [-1, 1].

    The class conditions the batch norms; without batch norms it conditions the latents.
    """

    def __init__(self, spec: specs.ResnetArchitecture, *, image_CHW: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        doublings, base_resolution = layers.pyramid(image_CHW)
        batch_norm = spec.generator_norm == "batch"
        self.classes = classes
        self.latents = layers.ClassedLatents(spec.latent_dim, classes=0 if batch_norm else classes)
        self.base = nn.Sequential(
            _plain(nn.Linear(self.latents.width, spec.channels * base_resolution**2)),
            nn.Unflatten(1, (spec.channels, base_resolution, base_resolution)),
        )
        self.blocks = nn.ModuleList(
            _Doubling(spec.channels, batch_norm=batch_norm, classes=classes) for _ in range(doublings)
        )
        self.top = nn.Sequential(
            *_norm(spec.channels, batch_norm=batch_norm, classes=classes),
            nn.ReLU(),
            _plain(nn.Conv2d(spec.channels, image_CHW[0], 3, padding=1)),
            nn.Tanh(),
        )

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        assert (labels is None) == (self.classes == 0)
        features_NCHW = self.base(self.latents(latents, labels))
        for block in self.blocks:
            features_NCHW = block(features_NCHW, labels)
        return layers.run(self.top, features_NCHW, labels)


class Discriminator(nn.Module):
    """images_NCHW in [-1, 1], and N labels where there are classes -> N logits."""

    def __init__(self, spec: specs.ResnetArchitecture, *, image_CHW: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        levels, _ = layers.pyramid(image_CHW)
        self.classes = classes
        self.trunk = nn.Sequential(
            _Halving(image_CHW[0], spec.channels, first=True),
            *(_Halving(spec.channels, spec.channels) for _ in range(levels - 1)),
            _Even(spec.channels),
            nn.ReLU(),
        )
        self.head = _plain(nn.Linear(spec.channels, 1))
        self.projection = layers.Projection(spec.channels, classes=classes)
        if spec.discriminator_norm == "spectral":
            layers.normalise_spectrally(self)

    def forward(self, images_NCHW: Tensor, labels: Tensor | None = None) -> Tensor:
        assert (labels is None) == (self.classes == 0)
        features = self.trunk(images_NCHW).sum((2, 3))
        logits: Tensor = self.projection(self.head(features).squeeze(1), features, labels)
        return logits


class _Doubling(nn.Module):
    """The generator's block: N x C x H x W -> N x C x 2H x 2W."""

    def __init__(self, channels: int, *, batch_norm: bool, classes: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            *_norm(channels, batch_norm=batch_norm, classes=classes),
            nn.ReLU(),
            nn.Upsample(scale_factor=2),
            _residual(channels, channels),
            *_norm(channels, batch_norm=batch_norm, classes=classes),
            nn.ReLU(),
            _residual(channels, channels),
        )
        self.shortcut = nn.Sequential(_plain(nn.Conv2d(channels, channels, 1)), nn.Upsample(scale_factor=2))

    def forward(self, features_NCHW: Tensor, labels: Tensor | None) -> Tensor:
        shortcut: Tensor = self.shortcut(features_NCHW)
        return shortcut + layers.run(self.residual, features_NCHW, labels)


class _Halving(nn.Module):
    """The discriminator's block: N x C x H x W -> N x C' x H/2 x W/2. The first applies no ReLU to the pixels."""

    def __init__(self, channels_in: int, channels: int, *, first: bool = False) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            *([] if first else [nn.ReLU()]),
            _residual(channels_in, channels),
            nn.ReLU(),
            _residual(channels, channels),
            nn.AvgPool2d(2),
        )
        self.shortcut = nn.Sequential(nn.AvgPool2d(2), _plain(nn.Conv2d(channels_in, channels, 1)))

    def forward(self, features_NCHW: Tensor) -> Tensor:
        sum_NCHW: Tensor = self.shortcut(features_NCHW) + self.residual(features_NCHW)
        return sum_NCHW


class _Even(nn.Module):
    """The discriminator's last block. It keeps the shape of its input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            nn.ReLU(), _residual(channels, channels), nn.ReLU(), _residual(channels, channels)
        )

    def forward(self, features_NCHW: Tensor) -> Tensor:
        sum_NCHW: Tensor = features_NCHW + self.residual(features_NCHW)
        return sum_NCHW


def _norm(channels: int, *, batch_norm: bool, classes: int) -> list[nn.Module]:
    return [layers.ClassedBatchNorm2d(channels, classes=classes)] if batch_norm else []


def _residual(channels_in: int, channels: int) -> nn.Conv2d:
    return _drawn(nn.Conv2d(channels_in, channels, 3, padding=1), gain=_RESIDUAL_GAIN)


def _plain(layer: Layer) -> Layer:
    return _drawn(layer, gain=1.0)


def _drawn(layer: Layer, *, gain: float) -> Layer:
    nn.init.xavier_uniform_(layer.weight, gain)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer
