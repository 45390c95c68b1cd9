"""Adversarial losses: what each is called in a spec, and pure functions of logits, float32, one logit an image.

Every loss is minimised. The discriminator's rewards high logits for real images and low ones for fakes; the generator's
rewards high logits for fakes. sigma is the logistic function. Only methods of tensors are used, so that specs can be
read without torch, and a new loss is a class, its functions and two lines at the foot, all in this file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from models.fields import Spec

if TYPE_CHECKING:
    from torch import Tensor

Side = Callable[["Tensor", "Tensor"], "Tensor"]
"""(logits of real images, logits of fakes) -> the loss or share, a scalar."""


@dataclass(frozen=True)
class Functions:
    discriminator: Side
    generator: Side
    accuracy: Side
    """The share of judgements in which the discriminator is right; one half is chance."""
    generator_compares: bool
    """Whether the generator's loss looks at the real images' logits at all."""


def softplus(x: Tensor) -> Tensor:
    """log(1 + e^x) = -log sigma(-x), at any size of x."""
    return x.logaddexp(x.new_zeros(()))


def absolute_accuracy(real: Tensor, fake: Tensor) -> Tensor:
    """The share of images on the right side of zero."""
    return ((real > 0).float().mean() + (fake < 0).float().mean()) / 2


def paired_accuracy(real: Tensor, fake: Tensor) -> Tensor:
    """The share of pairs in the right order; a relativistic discriminator's zero means nothing."""
    return (real > fake).float().mean()


class Minimax(Spec):
    """The original saturating game (Goodfellow et al. 2014, eq. 1)."""

    kind: Literal["minimax"] = "minimax"


def binary_d(real: Tensor, fake: Tensor) -> Tensor:
    """-E log sigma(D(x)) - E log(1 - sigma(D(G(z)))): Goodfellow et al. 2014, eq. 1, negated to be minimised."""
    return softplus(-real).mean() + softplus(fake).mean()


def minimax_g(real: Tensor, fake: Tensor) -> Tensor:
    """E log(1 - sigma(D(G(z)))): Goodfellow et al. 2014, eq. 1, the terms that the generator has a hand in."""
    del real
    return -softplus(fake).mean()


class NonSaturating(Spec):
    """The generator maximises log D(G(z)) (Goodfellow et al. 2014, section 3)."""

    kind: Literal["non_saturating"] = "non_saturating"


def non_saturating_g(real: Tensor, fake: Tensor) -> Tensor:
    """-E log sigma(D(G(z))): Goodfellow et al. 2014, section 3."""
    del real
    return softplus(-fake).mean()


class LeastSquares(Spec):
    """Logits are drawn to 1 for real images and to 0 for fakes (Mao et al. 2017, eq. 9)."""

    kind: Literal["least_squares"] = "least_squares"


def least_squares_d(real: Tensor, fake: Tensor) -> Tensor:
    """1/2 E (D(x) - 1)^2 + 1/2 E D(G(z))^2: Mao et al. 2017, eq. 9."""
    return (real - 1).square().mean() / 2 + fake.square().mean() / 2


def least_squares_g(real: Tensor, fake: Tensor) -> Tensor:
    """1/2 E (D(G(z)) - 1)^2: Mao et al. 2017, eq. 9."""
    del real
    return (fake - 1).square().mean() / 2


def nearer_one_accuracy(real: Tensor, fake: Tensor) -> Tensor:
    """The share of images on the right side of one half, the middle between the targets."""
    return ((real > 0.5).float().mean() + (fake < 0.5).float().mean()) / 2


class Wasserstein(Spec):
    """The difference of means (Arjovsky et al. 2017); needs a penalty that bounds the discriminator's slope."""

    kind: Literal["wasserstein"] = "wasserstein"


def wasserstein_d(real: Tensor, fake: Tensor) -> Tensor:
    """E D(G(z)) - E D(x): Arjovsky et al. 2017, eq. 3, negated to be minimised."""
    return fake.mean() - real.mean()


def wasserstein_g(real: Tensor, fake: Tensor) -> Tensor:
    """-E D(G(z)): Arjovsky et al. 2017, theorem 3."""
    del real
    return -fake.mean()


class Hinge(Spec):
    """Logits beyond the margin of 1 teach nothing more (Lim & Ye 2017; Miyato et al. 2018, eq. 16)."""

    kind: Literal["hinge"] = "hinge"


def hinge_d(real: Tensor, fake: Tensor) -> Tensor:
    """E max(0, 1 - D(x)) + E max(0, 1 + D(G(z))): Miyato et al. 2018, eq. 16."""
    return (1 - real).relu().mean() + (1 + fake).relu().mean()


class RelativisticPaired(Spec):
    """Each fake is compared with a real image (Jolicoeur-Martineau 2019; Huang et al. 2024, eq. 2)."""

    kind: Literal["relativistic_paired"] = "relativistic_paired"


def relativistic_paired_d(real: Tensor, fake: Tensor) -> Tensor:
    """-E log sigma(D(x) - D(G(z))): Huang et al. 2024, eq. 2; Jolicoeur-Martineau 2019."""
    return softplus(fake - real).mean()


def relativistic_paired_g(real: Tensor, fake: Tensor) -> Tensor:
    """-E log sigma(D(G(z)) - D(x)): Huang et al. 2024, eq. 2, from the generator's side."""
    return softplus(real - fake).mean()


class RelativisticAverage(Spec):
    """Each image is compared with the mean of the other kind (Jolicoeur-Martineau 2019, RaSGAN)."""

    kind: Literal["relativistic_average"] = "relativistic_average"


def relativistic_average_d(real: Tensor, fake: Tensor) -> Tensor:
    """-E log sigma(D(x) - E D(G(z))) - E log(1 - sigma(D(G(z)) - E D(x))): Jolicoeur-Martineau 2019, eq. 9."""
    return softplus(fake.mean() - real).mean() + softplus(fake - real.mean()).mean()


def relativistic_average_g(real: Tensor, fake: Tensor) -> Tensor:
    """-E log sigma(D(G(z)) - E D(x)) - E log(1 - sigma(D(x) - E D(G(z)))): Jolicoeur-Martineau 2019, eq. 10."""
    return relativistic_average_d(fake, real)


def average_accuracy(real: Tensor, fake: Tensor) -> Tensor:
    """The share of images on the right side of the other kind's mean."""
    return ((real > fake.mean()).float().mean() + (fake < real.mean()).float().mean()) / 2


class Elbo(Spec):
    """The evidence lower bound of a variational autoencoder (Kingma & Welling 2014, eq. 3): no game at all."""

    kind: Literal["elbo"] = "elbo"
    kl_weight: Annotated[float, Field(gt=0, le=1000)] = 1.0
    """Beta: above 1 latents are tidier and images blurrier (Higgins et al. 2017)."""
    deviation: Annotated[float, Field(gt=0, le=10)] = 0.2
    """The standard deviation of a pixel, in [-1, 1], about what the generator draws."""


Loss = Annotated[
    Minimax | NonSaturating | LeastSquares | Wasserstein | Hinge | RelativisticPaired | RelativisticAverage | Elbo,
    Field(discriminator="kind"),
]

REGISTRY: dict[str, Functions] = {
    "minimax": Functions(binary_d, minimax_g, absolute_accuracy, generator_compares=False),
    "non_saturating": Functions(binary_d, non_saturating_g, absolute_accuracy, generator_compares=False),
    "least_squares": Functions(least_squares_d, least_squares_g, nearer_one_accuracy, generator_compares=False),
    "wasserstein": Functions(wasserstein_d, wasserstein_g, paired_accuracy, generator_compares=False),
    "hinge": Functions(hinge_d, wasserstein_g, absolute_accuracy, generator_compares=False),
    "relativistic_paired": Functions(
        relativistic_paired_d, relativistic_paired_g, paired_accuracy, generator_compares=True
    ),
    "relativistic_average": Functions(
        relativistic_average_d,
        relativistic_average_g,
        average_accuracy,
        generator_compares=True,
    ),
}
