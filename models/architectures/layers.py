"""Layers that several architectures share: conditioning on an image's class, the spectral norm, and sizes.

Legend: N images a batch, C channels, H x W pixels. `classes` is 0 in unconditional networks: these layers then have no
weights for classes and draw no random numbers for them.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrizations

from models.specs.architectures import halvings

WIDEST_EMBEDDING = 32


class ClassedLatents(nn.Module):
    """N x latent_dim noise and N labels -> N x width: a learned vector of the class is appended.

    Follows Mirza & Osindero 2014, section 3.2, with class numbers instead of one-hot vectors.
    """

    def __init__(self, latent_dim: int, *, classes: int) -> None:
        super().__init__()
        embedding_width = min(latent_dim, WIDEST_EMBEDDING) if classes else 0
        self.width = latent_dim + embedding_width
        # Drawn from the latents' own distribution, so that all inputs of the next layer are distributed alike.
        self.embedding = nn.Embedding(classes, embedding_width) if classes else None

    def forward(self, latents: Tensor, labels: Tensor | None) -> Tensor:
        return latents if self.embedding is None else torch.cat([latents, self.embedding(labels)], dim=1)


class ClassedBatchNorm2d(nn.BatchNorm2d):
    """Batch norm with a gain and a bias for each class: Dumoulin et al. 2017, eq. 5; de Vries et al. 2017, section 3.

    Without classes it is PyTorch's batch norm, with the same names of parameters.
    """

    def __init__(self, width: int, *, classes: int) -> None:
        super().__init__(width, affine=classes == 0)
        self.gains = nn.Parameter(torch.ones(classes, width)) if classes else None
        self.biases = nn.Parameter(torch.zeros(classes, width)) if classes else None

    def forward(self, input: Tensor, labels: Tensor | None = None) -> Tensor:  # noqa: A002 - the base class's name
        normal_NCHW: Tensor = super().forward(input)
        if labels is None or self.gains is None or self.biases is None:
            return normal_NCHW
        # Without the cast, float32 gains would turn the bfloat16 of autocast into float32.
        gains, biases = (
            functional.embedding(labels, table)[:, :, None, None].to(normal_NCHW.dtype)
            for table in (self.gains, self.biases)
        )
        return torch.addcmul(biases, normal_NCHW, gains)


class Projection(nn.Module):
    """N logits, N x width features and N labels -> N logits plus the inner product of class vector and features.

    Source: Miyato & Koyama 2018, figure 1d. The vectors are initialised as in their code.
    """

    def __init__(self, width: int, *, classes: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(classes, width) if classes else None
        if self.embedding is not None:
            nn.init.xavier_uniform_(self.embedding.weight)

    def forward(self, logits: Tensor, features: Tensor, labels: Tensor | None) -> Tensor:
        if self.embedding is None:
            return logits
        products: Tensor = self.embedding(labels) * features
        return logits + products.sum(1)


def pyramid(image_CHW: tuple[int, int, int]) -> tuple[int, int]:
    """Return the number of times that convolutions halve the resolution, and the lowest resolution."""
    levels = halvings(image_CHW[1])
    assert levels is not None, "the spec refuses such resolutions"
    return levels, image_CHW[1] >> levels


def run(stack: nn.Sequential, features: Tensor, labels: Tensor | None) -> Tensor:
    """Return the stack's output. Its batch norms also get the labels."""
    for layer in stack:
        features = layer(features, labels) if isinstance(layer, ClassedBatchNorm2d) else layer(features)
    return features


def normalise_spectrally(network: nn.Module) -> None:
    """Divide the weights of each layer by their largest singular value: Miyato et al. 2018, eq. 8.

    Every forward pass in training mode updates the estimate of that value by one power iteration (their algorithm 1).
    The vectors of the iteration are buffers, `_u` and `_v`, so a restored state continues exactly.
    """
    for layer in list(network.modules()):
        if isinstance(layer, nn.Conv2d | nn.Linear | nn.Embedding):
            parametrizations.spectral_norm(layer)
