"""Fully connected networks; the default widths are the article's."""

from itertools import pairwise
from math import prod

import torch
from torch import Tensor, nn

from models import spec as specs


class Generator(nn.Module):
    """N x latent_dim noise -> images_NCHW in [-1, 1].

    The article ends in a sigmoid, for pixels in [0, 1]. In [-1, 1] the same function is 2 sigma(x) - 1 = tanh(x / 2).
    """

    def __init__(self, spec: specs.MlpArchitecture, *, image_CHW: tuple[int, int, int]) -> None:
        super().__init__()
        self.image_CHW = image_CHW
        layers: list[nn.Module] = []
        for width_in, width_out in pairwise((spec.latent_dim, *spec.generator_widths)):
            layers.append(nn.Linear(width_in, width_out))
            if spec.generator_norm == "batch":
                layers.append(nn.BatchNorm1d(width_out))
            layers.append(_activation(spec))
        self.layers = nn.Sequential(*layers, nn.Linear(spec.generator_widths[-1], prod(image_CHW)))

    def forward(self, latents: Tensor) -> Tensor:
        return torch.tanh(self.layers(latents) / 2).view(-1, *self.image_CHW)


class Discriminator(nn.Module):
    """images_NCHW in [-1, 1] -> N logits. The article's last sigmoid lives in the losses, which take logits."""

    def __init__(self, spec: specs.MlpArchitecture, *, image_CHW: tuple[int, int, int]) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Flatten()]
        for width_in, width_out in pairwise((prod(image_CHW), *spec.discriminator_widths)):
            layers += [nn.Linear(width_in, width_out), _activation(spec)]
        self.layers = nn.Sequential(*layers, nn.Linear(spec.discriminator_widths[-1], 1))

    def forward(self, images_NCHW: Tensor) -> Tensor:
        logits: Tensor = self.layers(images_NCHW)
        return logits.squeeze(1)


def _activation(spec: specs.MlpArchitecture) -> nn.Module:
    return nn.LeakyReLU(0.2) if spec.activation == "leaky_relu" else nn.ReLU()
