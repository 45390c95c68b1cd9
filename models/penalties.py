"""Penalties on the discriminator's gradient with respect to its input."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from models import spec as specs


@dataclass(frozen=True, eq=False)
class Judgement:
    """What a discriminator says about a batch of each kind.

    Where a penalty is due, both image tensors require grad and the logits come from them, each from its own image.
    """

    real_NCHW: Tensor
    fake_NCHW: Tensor
    real: Tensor
    """N logits of the real images."""
    fake: Tensor
    """N logits of the generated images."""

    @cached_property
    def gradients_NCHW(self) -> tuple[Tensor, Tensor]:
        """dD/dx at the real and at the generated images, differentiable once more; one pass serves all penalties."""
        total = self.real.sum() + self.fake.sum()
        real, fake = torch.autograd.grad(total, (self.real_NCHW, self.fake_NCHW), create_graph=True)
        return real, fake


Penalty = Callable[[Any, Judgement], Tensor]
"""(its spec, the judgement) -> the penalty, a scalar with the weight in it."""


def squared_norm(gradients_NCHW: Tensor) -> Tensor:
    """E |dD/dx|^2, a scalar: Mescheder et al. 2018, eq. 9, without the gamma/2."""
    return gradients_NCHW.float().square().flatten(1).sum(1).mean()


def r1(spec: specs.R1Penalty, judgement: Judgement) -> Tensor:
    """gamma/2 times the mean squared gradient norm at real images."""
    return squared_norm(judgement.gradients_NCHW[0]) * (spec.weight / 2)


def r2(spec: specs.R2Penalty, judgement: Judgement) -> Tensor:
    """gamma/2 times the mean squared gradient norm at generated images."""
    return squared_norm(judgement.gradients_NCHW[1]) * (spec.weight / 2)


REGISTRY: dict[str, Penalty] = {"r1": r1, "r2": r2}
