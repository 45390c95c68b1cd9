"""Fully connected networks; the default widths are the article's."""

from itertools import pairwise
from math import prod

import torch
from torch import Tensor, nn

from models import spec as specs
from models.architectures import layers


class Generator(nn.Module):
    """N x latent_dim noise, and N labels where there are classes -> images_NCHW in [-1, 1].

    The article ends in a sigmoid, for pixels in [0, 1]. In [-1, 1] the same function is 2 sigma(x) - 1 = tanh(x / 2).
    """

    def __init__(self, spec: specs.MlpArchitecture, *, image_CHW: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        self.image_CHW = image_CHW
        self.classes = classes
        self.latents = layers.ClassedLatents(spec.latent_dim, classes=classes)
        stack: list[nn.Module] = []
        for width_in, width_out in pairwise((self.latents.width, *spec.generator_widths)):
            stack.append(nn.Linear(width_in, width_out))
            if spec.generator_norm == "batch":
                stack.append(nn.BatchNorm1d(width_out))
            stack.append(_activation(spec))
        self.layers = nn.Sequential(*stack, nn.Linear(spec.generator_widths[-1], prod(image_CHW)))

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        assert (labels is None) == (self.classes == 0)
        return torch.tanh(self.layers(self.latents(latents, labels)) / 2).view(-1, *self.image_CHW)


class Discriminator(nn.Module):
    """images_NCHW in [-1, 1], and N labels where there are classes -> N logits, or N x outputs for more than one.

    The article's last sigmoid lives in the losses, which take logits.
    """

    def __init__(
        self, spec: specs.MlpArchitecture, *, image_CHW: tuple[int, int, int], classes: int, outputs: int = 1
    ) -> None:
        super().__init__()
        assert outputs == 1 or classes == 0, "a class is judged by one logit"
        self.classes = classes
        stack: list[nn.Module] = [nn.Flatten()]
        for width_in, width_out in pairwise((prod(image_CHW), *spec.discriminator_widths)):
            stack += [nn.Linear(width_in, width_out), _activation(spec)]
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
