"""The moments of Adam and its variants, and the direction computed from them."""

import torch
from torch import Tensor
from torch.nn import Parameter

from models.optimizers.gated import Changes, Gated


class Moments(Gated):
    """Base that keeps `mean` and `square` for each parameter, and one `steps` for all, in the first one's state."""

    def __init__(self, parameters: list[Parameter], *, lr: float, betas: tuple[float, float], eps: float) -> None:
        super().__init__(parameters, lr=lr)
        self.betas = betas
        self.eps = eps

    def direction(self, parameters: list[Tensor], gradients: list[Tensor]) -> tuple[list[Tensor], Changes]:
        """Return u_t, one tensor for each parameter, and the changes to the moments (Kingma & Ba 2015, algorithm 1):

        m_t = beta_1 m_(t-1) + (1 - beta_1) g_t
        v_t = beta_2 v_(t-1) + (1 - beta_2) g_t^2
        u_t = m_t / (1 - beta_1^t) / (sqrt(v_t / (1 - beta_2^t)) + eps)
        """
        beta_1, beta_2 = self.betas
        means, squares, steps = self.kept("mean"), self.kept("square"), self.counter("steps")
        new_means = torch._foreach_mul(means, beta_1)
        torch._foreach_add_(new_means, gradients, alpha=1 - beta_1)
        new_squares = torch._foreach_mul(squares, beta_2)
        torch._foreach_addcmul_(new_squares, gradients, gradients, value=1 - beta_2)
        new_steps = steps + 1
        directions = torch._foreach_mul(new_means, _unbiased(beta_1, new_steps, like=parameters[0]))
        roots = torch._foreach_mul(new_squares, _unbiased(beta_2, new_steps, like=parameters[0]))
        torch._foreach_sqrt_(roots)
        torch._foreach_add_(roots, self.eps)
        torch._foreach_div_(directions, roots)
        moved = [(steps, new_steps), *zip(means, new_means, strict=True), *zip(squares, new_squares, strict=True)]
        return list(directions), moved


def _unbiased(beta: float, steps: Tensor, *, like: Tensor) -> Tensor:
    """Return 1 / (1 - beta^t), computed in float64: with beta near 1, float32 would lose half of its digits."""
    return (1 / (1 - beta ** steps.double())).to(like.dtype)
