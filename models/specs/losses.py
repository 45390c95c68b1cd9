"""Losses: the functions that the discriminator and the generator minimise."""

from typing import Annotated, Literal

from pydantic import Field

from models.specs.fields import Spec


class Minimax(Spec):
    """The original saturating loss (Goodfellow et al. 2014, eq. 1)."""

    kind: Literal["minimax"] = "minimax"


class NonSaturating(Spec):
    """The generator maximises log D(G(z)) (Goodfellow et al. 2014, section 3)."""

    kind: Literal["non_saturating"] = "non_saturating"


class LeastSquares(Spec):
    """Pulls logits to 1 for real images and to 0 for fakes (Mao et al. 2017, eq. 9)."""

    kind: Literal["least_squares"] = "least_squares"


class Wasserstein(Spec):
    """The difference of mean logits (Arjovsky et al. 2017). Needs a penalty that bounds the discriminator's slope."""

    kind: Literal["wasserstein"] = "wasserstein"


class Hinge(Spec):
    """Gives the discriminator no gradient for logits beyond the margin of 1.

    Sources: Lim & Ye 2017; Miyato et al. 2018, eq. 16.
    """

    kind: Literal["hinge"] = "hinge"


class RelativisticPaired(Spec):
    """Compares each fake with a real image (Jolicoeur-Martineau 2019; Huang et al. 2024, eq. 2)."""

    kind: Literal["relativistic_paired"] = "relativistic_paired"


class RelativisticAverage(Spec):
    """Compares each image with the mean logit of the opposite batch (Jolicoeur-Martineau 2019, RaSGAN)."""

    kind: Literal["relativistic_average"] = "relativistic_average"


class Elbo(Spec):
    """The evidence lower bound of a variational autoencoder (Kingma & Welling 2014, eq. 3)."""

    kind: Literal["elbo"] = "elbo"
    kl_weight: Annotated[float, Field(gt=0, le=1000)] = 1.0
    """Beta. Above 1, latents are closer to the normal distribution and images blurrier (Higgins et al. 2017)."""
    deviation: Annotated[float, Field(gt=0, le=10)] = 0.2
    """The standard deviation of a pixel, in units of [-1, 1], around the generator's output."""


Loss = Annotated[
    Minimax | NonSaturating | LeastSquares | Wasserstein | Hinge | RelativisticPaired | RelativisticAverage | Elbo,
    Field(discriminator="kind"),
]
