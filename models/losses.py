"""Adversarial losses: pure functions of logits, float32, one logit an image.

Every loss is minimised. The discriminator's rewards high logits for real images and low ones for fakes; the generator's
rewards high logits for fakes. sigma is the logistic function; softplus(x) = -log sigma(-x).
"""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import logsigmoid, softplus

Side = Callable[[Tensor, Tensor], Tensor]
"""(logits of real images, logits of fakes) -> the loss or share, a scalar."""


@dataclass(frozen=True)
class Loss:
    discriminator: Side
    generator: Side
    accuracy: Side
    """The share of judgements in which the discriminator is right; one half is chance."""
    generator_compares: bool
    """Whether the generator's loss looks at the real images' logits at all."""


def binary_d(real: Tensor, fake: Tensor) -> Tensor:
    """-E log sigma(D(x)) - E log(1 - sigma(D(G(z)))): Goodfellow et al. 2014, eq. 1, negated to be minimised."""
    return softplus(-real).mean() + softplus(fake).mean()


def minimax_g(real: Tensor, fake: Tensor) -> Tensor:
    """E log(1 - sigma(D(G(z)))): Goodfellow et al. 2014, eq. 1, the terms that the generator has a hand in."""
    del real
    return logsigmoid(-fake).mean()


def non_saturating_g(real: Tensor, fake: Tensor) -> Tensor:
    """-E log sigma(D(G(z))): Goodfellow et al. 2014, section 3."""
    del real
    return softplus(-fake).mean()


def relativistic_paired_d(real: Tensor, fake: Tensor) -> Tensor:
    """-E log sigma(D(x) - D(G(z))): Huang et al. 2024, eq. 2; Jolicoeur-Martineau 2019."""
    return softplus(fake - real).mean()


def relativistic_paired_g(real: Tensor, fake: Tensor) -> Tensor:
    """-E log sigma(D(G(z)) - D(x)): Huang et al. 2024, eq. 2, from the generator's side."""
    return softplus(real - fake).mean()


def absolute_accuracy(real: Tensor, fake: Tensor) -> Tensor:
    """The share of images on the right side of zero."""
    return ((real > 0).float().mean() + (fake < 0).float().mean()) / 2


def paired_accuracy(real: Tensor, fake: Tensor) -> Tensor:
    """The share of pairs in the right order; a relativistic discriminator's zero means nothing."""
    return (real > fake).float().mean()


REGISTRY: dict[str, Loss] = {
    "minimax": Loss(binary_d, minimax_g, absolute_accuracy, generator_compares=False),
    "non_saturating": Loss(binary_d, non_saturating_g, absolute_accuracy, generator_compares=False),
    "relativistic_paired": Loss(relativistic_paired_d, relativistic_paired_g, paired_accuracy, generator_compares=True),
}
