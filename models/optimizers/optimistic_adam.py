"""Optimistic Adam: each step corrects the last one by the change of direction since then."""

import torch
from torch import Tensor
from torch.nn import Parameter

from models import specs
from models.optimizers.gated import Changes
from models.optimizers.moments import Moments
from models.optimizers.optimizer import Optimizer


def build(spec: specs.OptimisticAdamOptimizer, parameters: list[Parameter]) -> Optimizer:
    return OptimisticAdam(parameters, lr=spec.lr, betas=spec.betas, eps=spec.eps)


class OptimisticAdam(Moments):
    """theta_t = theta_(t-1) - 2 eta u_t + eta u_(t-1), u_0 = 0 (Daskalakis et al. 2018, algorithm 1).

    u is Adam's direction (`Moments.direction`), kept as `last`. Without the moments, u = g, this is optimistic gradient
    descent. Its last iterate converges on bilinear min-max problems, where gradient descent spirals out.
    """

    def changes(self, parameters: list[Tensor], gradients: list[Tensor], *, lr: float) -> Changes:
        directions, changes = self.direction(parameters, gradients)
        last = self.kept("last")
        moved = torch._foreach_add(parameters, directions, alpha=-2 * lr)
        torch._foreach_add_(moved, last, alpha=lr)
        return [*changes, *zip(last, directions, strict=True), *zip(parameters, moved, strict=True)]
