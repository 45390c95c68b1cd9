"""Path length: how evenly samples change on the way from one latent to another (Karras et al. 2019, arXiv:1812.04948).

A generator that has learned a few images by heart, or whose latent space is torn, jumps from one to the next.
"""

import torch
from torch import Tensor

from models.evaluators import measured
from models.evaluators.measured import Measured, NotMeasurable

PATHS = 500
STEP = 1 / 16
"""The share of a path whose length is measured: large enough that 8-bit pixels change."""


def latents(number: int, latent_dim: int, *, rng: torch.Generator) -> Tensor:
    """Return 4 x number latents: where paths begin, where they end, and both ends of one step along each of them.

    Paths are great circles between normal latents (slerp); the length of latents changes evenly.
    """
    begin, end = torch.randn((2, number, latent_dim), device=rng.device, generator=rng)
    place = torch.rand((number, 1), device=rng.device, generator=rng) * (1 - STEP)
    return torch.cat([begin, end, _between(begin, end, place), _between(begin, end, place + STEP)])


def _between(begin: Tensor, end: Tensor, share: Tensor) -> Tensor:
    """Return the latents at a share of the way, by spherical interpolation."""
    lengths = [latent.norm(dim=1, keepdim=True) for latent in (begin, end)]
    cosine = ((begin * end).sum(1, keepdim=True) / (lengths[0] * lengths[1])).clamp(-1, 1)
    angle = cosine.acos().clamp(1e-3, torch.pi - 1e-3)
    weights = [((1 - share) * angle).sin() / angle.sin(), (share * angle).sin() / angle.sin()]
    direction = weights[0] * begin / lengths[0] + weights[1] * end / lengths[1]
    found: Tensor = direction * ((1 - share) * lengths[0] + share * lengths[1])
    return found


def path_length(features: Tensor) -> Measured:
    """Return the path length for the features of the images of `latents`, 4 x N x D.

    It is the mean squared change over a step, by that of an even change along the whole path: 1 if images change
    evenly, 16 if they jump from one end to the other.

    Raises NotMeasurable for fewer than 100 paths, and if all images are alike.
    """
    begin, end, before, after = features.double().chunk(4)
    measured.require(begin, least=100, of="paths")
    measured.require(features, least=4, of="samples")
    whole = (end - begin).square().sum(1)
    if not whole.any():
        raise NotMeasurable("all samples are alike: they do not change along a path")
    steps = (after - before).square().sum(1) / STEP**2
    expected = whole.mean().item()
    relative = steps / expected
    return measured.by_blocks(relative.mean().item(), [part.mean().item() for part in relative.chunk(20)])
