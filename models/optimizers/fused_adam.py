"""Adam and AdamW by PyTorch's fused kernels, and so the same to the bit."""

from collections.abc import Callable

import torch
from torch.nn import Parameter

from models import spec as specs
from models.optimizers.optimizer import Optimizer


def build_adam(spec: specs.AdamOptimizer, parameters: list[Parameter]) -> Optimizer:
    return FusedAdam(parameters, lr=spec.lr, betas=spec.betas, eps=spec.eps, weight_decay=None)


def build_adamw(spec: specs.AdamwOptimizer, parameters: list[Parameter]) -> Optimizer:
    return FusedAdam(parameters, lr=spec.lr, betas=spec.betas, eps=spec.eps, weight_decay=spec.weight_decay)


class FusedAdam(Optimizer):
    """Adam (Kingma & Ba 2015, algorithm 1); with a `weight_decay`, AdamW (Loshchilov & Hutter 2019, algorithm 2).

    As PyTorch has it: the decay of a step is lr * weight_decay, where the paper has eta_t * weight_decay. Keeps
    `exp_avg` and `exp_avg_sq` beside each parameter, and beside the first one `step`, which counts for all.
    """

    def __init__(
        self,
        parameters: list[Parameter],
        *,
        lr: float,
        betas: tuple[float, float],
        eps: float,
        weight_decay: float | None,
    ) -> None:
        super().__init__(parameters, lr=lr)
        self.betas = betas
        self.eps = eps
        self.weight_decay = weight_decay
        self._kernel: Callable[..., None] = torch._fused_adam_ if weight_decay is None else torch._fused_adamw_

    def step(self) -> None:
        means, squares, steps = self.kept("exp_avg"), self.kept("exp_avg_sq"), self.counter("step")
        with torch.no_grad():
            steps.add_(1 - self.found_inf)
            self._kernel(
                self.parameters,
                [parameter.grad for parameter in self.parameters],
                means,
                squares,
                [],
                [steps] * len(means),
                lr=self.lr,
                beta1=self.betas[0],
                beta2=self.betas[1],
                weight_decay=self.weight_decay or 0.0,
                eps=self.eps,
                amsgrad=False,
                maximize=False,
                found_inf=self.found_inf,
            )
