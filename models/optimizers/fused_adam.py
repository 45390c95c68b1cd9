"""Adam and AdamW by PyTorch's fused kernels, called without what `torch.optim` does around them at every step.

The kernels are the same, and so are the bits.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.optim import Optimizer

from models import spec as specs


def build_adam(spec: specs.AdamOptimizer, parameters: list[Parameter]) -> Optimizer:
    return FusedAdam(parameters, lr=spec.lr, betas=spec.betas, eps=spec.eps, weight_decay=None)


def build_adamw(spec: specs.AdamwOptimizer, parameters: list[Parameter]) -> Optimizer:
    return FusedAdam(parameters, lr=spec.lr, betas=spec.betas, eps=spec.eps, weight_decay=spec.weight_decay)


class FusedAdam(Optimizer):
    """Adam (Kingma & Ba 2015, algorithm 1); with a `weight_decay`, AdamW (Loshchilov & Hutter 2019, algorithm 2).

    As PyTorch has it: the decay of a step is lr * weight_decay, where the paper has eta_t * weight_decay. Changes
    nothing where `found_inf`, a tensor of no dimension, is 1. Keeps `exp_avg` and `exp_avg_sq` beside each parameter,
    and beside the first one `step`, which counts for all.
    """

    found_inf: Tensor

    def __init__(
        self,
        parameters: list[Parameter],
        *,
        lr: float,
        betas: tuple[float, float],
        eps: float,
        weight_decay: float | None,
    ) -> None:
        super().__init__(parameters, {"lr": lr})
        self.betas = betas
        self.eps = eps
        self.weight_decay = weight_decay
        self.found_inf = torch.zeros((), device=parameters[0].device)
        self._kernel: Callable[..., None] = torch._fused_adam_ if weight_decay is None else torch._fused_adamw_

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Every parameter has a gradient. No closure: gradients are the caller's to take."""
        del closure
        (group,) = self.param_groups
        parameters: list[Parameter] = group["params"]
        if "step" not in self.state[parameters[0]]:
            self._begin(parameters)
        states = [self.state[parameter] for parameter in parameters]
        steps: Tensor = states[0]["step"]
        steps.add_(1 - self.found_inf)
        self._kernel(
            parameters,
            [parameter.grad for parameter in parameters],
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [],
            [steps] * len(parameters),
            lr=group["lr"],
            beta1=self.betas[0],
            beta2=self.betas[1],
            weight_decay=self.weight_decay or 0.0,
            eps=self.eps,
            amsgrad=False,
            maximize=False,
            found_inf=self.found_inf,
        )

    def _begin(self, parameters: list[Parameter]) -> None:
        for parameter in parameters:
            for name in ("exp_avg", "exp_avg_sq"):
                self.state[parameter][name] = torch.zeros_like(parameter, requires_grad=False)
        self.state[parameters[0]]["step"] = torch.zeros((), device=parameters[0].device)
