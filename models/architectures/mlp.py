"""Fully connected networks. The default widths are the article's.

Legend: N images a batch, C channels, H x W pixels.
"""

from itertools import pairwise
from math import prod

import torch
from torch import Tensor, nn

from models import specs
from models.architectures import layers


class Apart(nn.Module):
    """N x C K -> N C x K: the following layers handle each channel separately."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

    def forward(self, features: Tensor) -> Tensor:
        return features.reshape(len(features) * self.channels, -1)


class Together(Apart):
    """N C x K -> N x C K: the following layers handle an image's channels together."""

    def forward(self, features: Tensor) -> Tensor:
        return features.reshape(len(features) // self.channels, -1)


class Generator(nn.Module):
    """N x latent_dim noise, and N labels where there are classes -> images_NCHW in [-1, 1].

    The article's generator ends in a sigmoid, for pixels in [0, 1]. For pixels in [-1, 1] the same function is
    2 sigma(x) - 1 = tanh(x / 2).
    """

    def __init__(self, spec: specs.MlpArchitecture, *, image_CHW: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        self.image_CHW = image_CHW
        self.classes = classes
        self.latents = layers.ClassedLatents(spec.latent_dim, classes=classes)
        channels = image_CHW[0] if spec.share_channels else 1
        stack: list[nn.Module] = []
        for number, (width_in, width_out) in enumerate(pairwise((self.latents.width, *spec.generator_widths))):
            parts = channels if number == 1 else 1
            stack.append(nn.Linear(width_in, parts * width_out))
            if parts > 1:
                stack.append(Apart(channels))
            if spec.generator_norm == "batch":
                stack.append(nn.BatchNorm1d(width_out))
            stack.append(_activation(spec))
        self.layers = nn.Sequential(*stack, nn.Linear(spec.generator_widths[-1], prod(image_CHW) // channels))

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        assert (labels is None) == (self.classes == 0)
        return torch.tanh(self.layers(self.latents(latents, labels)) / 2).view(-1, *self.image_CHW)


class Discriminator(nn.Module):
    """images_NCHW in [-1, 1], and N labels where there are classes -> N logits, or N x outputs for more than one.

    The article's last sigmoid is part of the losses here, which take logits.
    """

    def __init__(
        self, spec: specs.MlpArchitecture, *, image_CHW: tuple[int, int, int], classes: int, outputs: int = 1
    ) -> None:
        super().__init__()
        assert outputs == 1 or classes == 0, "a conditional discriminator gives one logit"
        self.classes = classes
        channels = image_CHW[0] if spec.share_channels else 1
        stack: list[nn.Module] = [nn.Flatten()]
        if channels > 1:
            stack.append(Apart(channels))
        widths = (prod(image_CHW) // channels, *spec.discriminator_widths)
        for number, (width_in, width_out) in enumerate(pairwise(widths), start=1):
            parts = channels if number == len(spec.discriminator_widths) else 1
            if parts > 1:
                stack.append(Together(channels))
            stack += [nn.Linear(parts * width_in, width_out), _activation(spec)]
        self.layers = nn.Sequential(*stack, nn.Linear(spec.discriminator_widths[-1], outputs))
        self.projection = layers.Projection(spec.discriminator_widths[-1], classes=classes)

    def forward(self, images_NCHW: Tensor, labels: Tensor | None = None) -> Tensor:
        assert (labels is None) == (self.classes == 0)
        *trunk, head = self.layers
        features = images_NCHW
        for layer in trunk:
            features = layer(features)
        logits: Tensor = self.projection(head(features).squeeze(1), features, labels)
        return logits


def _activation(spec: specs.MlpArchitecture) -> nn.Module:
    return nn.LeakyReLU(0.2) if spec.activation == "leaky_relu" else nn.ReLU()
