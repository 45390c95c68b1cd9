"""The evidence lower bound of a variational autoencoder (Kingma & Welling 2014).

Legend: N images a batch, C channels, H x W pixels, D latents.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from models import specs

LOG_VARIANCE_BOUND = 10.0
"""Bound of |log variance|. Larger values are useless in float32; the clamp keeps a bad start finite."""


@dataclass(frozen=True, eq=False)
class Posterior:
    """A normal distribution over the latents of each image, its dimensions independent."""

    mean_ND: Tensor
    log_variance_ND: Tensor

    @classmethod
    def of(cls, encoded: Tensor) -> "Posterior":
        """Make a posterior from an encoder's N x 2D outputs: means, then logarithms of variances."""
        mean_ND, log_variance_ND = encoded.chunk(2, dim=1)
        return cls(mean_ND, log_variance_ND.clamp(-LOG_VARIANCE_BOUND, LOG_VARIANCE_BOUND))

    def draw(self, rng: torch.Generator) -> Tensor:
        """Draw N x D latents, differentiably: mean + deviation * noise (Kingma & Welling 2014, section 2.4)."""
        mean_ND = self.mean_ND
        noise_ND = torch.randn(mean_ND.shape, device=mean_ND.device, dtype=mean_ND.dtype, generator=rng)
        return mean_ND + (self.log_variance_ND / 2).exp() * noise_ND

    def divergence(self) -> Tensor:
        """Return the mean over images of KL(posterior || standard normal), in nats.

        Source: Kingma & Welling 2014, appendix B.
        """
        terms_ND = self.mean_ND.square() + self.log_variance_ND.exp() - 1 - self.log_variance_ND
        return terms_ND.sum(1).mean() / 2


def distortion(spec: specs.Elbo, real_NCHW: Tensor, drawn_NCHW: Tensor) -> Tensor:
    """Return the mean over images of -log p(x|z), in nats, without its constant: squared error / (2 variance)."""
    squares = (real_NCHW - drawn_NCHW).square().flatten(1).sum(1)
    return squares.mean() / (2 * spec.deviation**2)
