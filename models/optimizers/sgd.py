"""Gradient descent with momentum, which may be negative."""

import torch
from torch import Tensor
from torch.nn import Parameter

from models import specs
from models.optimizers.gated import Changes, Gated
from models.optimizers.optimizer import Optimizer


def build(spec: specs.SgdOptimizer, parameters: list[Parameter]) -> Optimizer:
    return Sgd(parameters, lr=spec.lr, momentum=spec.momentum)


class Sgd(Gated):
    """b_t = mu b_(t-1) + g_t; theta_t = theta_(t-1) - eta b_t, b_0 = 0 (Polyak 1964).

    At a constant eta this equals theta_t = theta_(t-1) - eta g_t + mu (theta_(t-1) - theta_(t-2)). With mu < 0 it damps
    the rotation of alternating steps (Gidel et al. 2019, "Negative Momentum for Improved Game Dynamics"). PyTorch's SGD
    refuses mu < 0. b is kept as `momentum`; with mu = 0 there is no state.
    """

    def __init__(self, parameters: list[Parameter], *, lr: float, momentum: float) -> None:
        super().__init__(parameters, lr=lr)
        self.momentum = momentum

    def changes(self, parameters: list[Tensor], gradients: list[Tensor], *, lr: float) -> Changes:
        if self.momentum == 0:
            return list(zip(parameters, torch._foreach_add(parameters, gradients, alpha=-lr), strict=True))
        momenta = self.kept("momentum")
        new_momenta = torch._foreach_mul(momenta, self.momentum)
        torch._foreach_add_(new_momenta, gradients)
        moved = torch._foreach_add(parameters, new_momenta, alpha=-lr)
        return [*zip(momenta, new_momenta, strict=True), *zip(parameters, moved, strict=True)]
