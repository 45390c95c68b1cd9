"""Adversarial losses: pure functions of logits, float32, one logit for each image.

Every loss is minimised. The discriminator's loss rewards high logits for real images and low logits for fakes; the
generator's loss rewards high logits for fakes. sigma is the logistic function. `models/training/objective.py` applies
them to a batch. `models/training/methods/adversarial.py` calls it for the gradients of a step; compiled rounds call it
in `compiled.py` of the same folder.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from torch import Tensor

from models import specs

Side = Callable[..., Tensor]
"""(logits of real images, logits of fakes) -> the loss or share, a scalar.

The fields of the loss's spec other than `kind` are passed by name.
"""


@dataclass(frozen=True)
class Functions:
    """The formulas of one loss. `models.training.objective` calls them; a method without logits calls none."""

    discriminator: Side
    generator: Side
    accuracy: Side
    """The share of images, or of pairs, that the discriminator classifies correctly. Guessing gives one half."""
    generator_compares: bool
    """Whether the generator's loss depends on the real images' logits."""


def build(spec: specs.Loss) -> Functions:
    """Return the functions of a loss with the settings of its spec."""
    functions = REGISTRY[spec.kind]
    settings = spec.model_dump(exclude={"kind"})
    if not settings:
        return functions
    return replace(
        functions,
        discriminator=partial(functions.discriminator, **settings),
        generator=partial(functions.generator, **settings),
        accuracy=partial(functions.accuracy, **settings),
    )


def softplus(x: Tensor) -> Tensor:
    """Return log(1 + e^x) = -log sigma(-x), without overflow for any x."""
    return x.logaddexp(x.new_zeros(()))


def absolute_accuracy(real: Tensor, fake: Tensor) -> Tensor:
    """Return the share of logits on the correct side of zero."""
    return ((real > 0).float().mean() + (fake < 0).float().mean()) / 2


def paired_accuracy(real: Tensor, fake: Tensor) -> Tensor:
    """Return the share of pairs in the correct order. A relativistic discriminator's zero has no meaning."""
    return (real > fake).float().mean()


def binary_d(real: Tensor, fake: Tensor) -> Tensor:
    """-E log sigma(D(x)) - E log(1 - sigma(D(G(z)))): Goodfellow et al. 2014, eq. 1, negated to be minimised."""
    return softplus(-real).mean() + softplus(fake).mean()


def minimax_g(real: Tensor, fake: Tensor) -> Tensor:
    """E log(1 - sigma(D(G(z)))): Goodfellow et al. 2014, eq. 1, the terms that depend on the generator."""
    del real
    return -softplus(fake).mean()


def non_saturating_g(real: Tensor, fake: Tensor) -> Tensor:
    """-E log sigma(D(G(z))): Goodfellow et al. 2014, section 3."""
    del real
    return softplus(-fake).mean()


def least_squares_d(real: Tensor, fake: Tensor) -> Tensor:
    """1/2 E (D(x) - 1)^2 + 1/2 E D(G(z))^2: Mao et al. 2017, eq. 9."""
    return (real - 1).square().mean() / 2 + fake.square().mean() / 2


def least_squares_g(real: Tensor, fake: Tensor) -> Tensor:
    """1/2 E (D(G(z)) - 1)^2: Mao et al. 2017, eq. 9."""
    del real
    return (fake - 1).square().mean() / 2


def nearer_one_accuracy(real: Tensor, fake: Tensor) -> Tensor:
    """Return the share of logits on the correct side of one half, the middle between the targets."""
    return ((real > 0.5).float().mean() + (fake < 0.5).float().mean()) / 2


def wasserstein_d(real: Tensor, fake: Tensor) -> Tensor:
    """E D(G(z)) - E D(x): Arjovsky et al. 2017, eq. 3, negated to be minimised."""
    return fake.mean() - real.mean()


def wasserstein_g(real: Tensor, fake: Tensor) -> Tensor:
    """-E D(G(z)): Arjovsky et al. 2017, theorem 3."""
    del real
    return -fake.mean()


def hinge_d(real: Tensor, fake: Tensor) -> Tensor:
    """E max(0, 1 - D(x)) + E max(0, 1 + D(G(z))): Miyato et al. 2018, eq. 16."""
    return (1 - real).relu().mean() + (1 + fake).relu().mean()


def relativistic_paired_d(real: Tensor, fake: Tensor) -> Tensor:
    """-E log sigma(D(x) - D(G(z))): Huang et al. 2024, eq. 2; Jolicoeur-Martineau 2019."""
    return softplus(fake - real).mean()


def relativistic_paired_g(real: Tensor, fake: Tensor) -> Tensor:
    """-E log sigma(D(G(z)) - D(x)): Huang et al. 2024, eq. 2, from the generator's side."""
    return softplus(real - fake).mean()


def relativistic_average_d(real: Tensor, fake: Tensor) -> Tensor:
    """-E log sigma(D(x) - E D(G(z))) - E log(1 - sigma(D(G(z)) - E D(x))): Jolicoeur-Martineau 2019, eq. 9."""
    return softplus(fake.mean() - real).mean() + softplus(fake - real.mean()).mean()


def relativistic_average_g(real: Tensor, fake: Tensor) -> Tensor:
    """-E log sigma(D(G(z)) - E D(x)) - E log(1 - sigma(D(x) - E D(G(z)))): Jolicoeur-Martineau 2019, eq. 10."""
    return relativistic_average_d(fake, real)


def average_accuracy(real: Tensor, fake: Tensor) -> Tensor:
    """Return the share of logits on the correct side of the opposite batch's mean."""
    return ((real > fake.mean()).float().mean() + (fake < real.mean()).float().mean()) / 2


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
