"""RMSProp: the size of steps hardly depends on the size of the gradients."""

import torch
from torch import Tensor
from torch.nn import Parameter

from models import specs
from models.optimizers.gated import Changes, Gated
from models.optimizers.optimizer import Optimizer


def build(spec: specs.RmspropOptimizer, parameters: list[Parameter]) -> Optimizer:
    return Rmsprop(parameters, lr=spec.lr, alpha=spec.alpha, eps=spec.eps)


class Rmsprop(Gated):
    """v_t = alpha v_(t-1) + (1 - alpha) g_t^2; theta_t = theta_(t-1) - eta g_t / (sqrt(v_t) + eps), v_0 = 0.

    Source: Tieleman & Hinton 2012, lecture 6.5; eps is added as in PyTorch. v is kept as `square`. PyTorch's RMSprop is
    not used because it has no `found_inf`.
    """

    def __init__(self, parameters: list[Parameter], *, lr: float, alpha: float, eps: float) -> None:
        super().__init__(parameters, lr=lr)
        self.alpha = alpha
        self.eps = eps

    def changes(self, parameters: list[Tensor], gradients: list[Tensor], *, lr: float) -> Changes:
        squares = self.kept("square")
        new_squares = torch._foreach_mul(squares, self.alpha)
        torch._foreach_addcmul_(new_squares, gradients, gradients, value=1 - self.alpha)
        roots = torch._foreach_sqrt(new_squares)
        torch._foreach_add_(roots, self.eps)
        moved = torch._foreach_addcdiv(parameters, gradients, roots, value=-lr)
        return [*zip(squares, new_squares, strict=True), *zip(parameters, moved, strict=True)]
