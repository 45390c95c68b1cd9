"""Adam and AdamW by PyTorch's fused kernels, and so bit-identical to PyTorch's."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import Parameter

from models import specs
from models.optimizers.optimizer import Optimizer


def build_adam(spec: specs.AdamOptimizer, parameters: list[Parameter]) -> Optimizer:
    return FusedAdam(parameters, lr=spec.lr, betas=spec.betas, eps=spec.eps, weight_decay=None)


def build_adamw(spec: specs.AdamwOptimizer, parameters: list[Parameter]) -> Optimizer:
    return FusedAdam(parameters, lr=spec.lr, betas=spec.betas, eps=spec.eps, weight_decay=spec.weight_decay)


class FusedAdam(Optimizer):
    """Adam (Kingma & Ba 2015, algorithm 1); with a `weight_decay`, AdamW (Loshchilov & Hutter 2019, algorithm 2).

    As in PyTorch, the decay of a step is lr * weight_decay, where the paper has eta_t * weight_decay. Keeps `exp_avg`
    and `exp_avg_sq` for each parameter, and one `step` for all, with the first parameter's state.
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

    def moments(self) -> tuple[list[Tensor], list[Tensor], Tensor]:
        """Return the running means of gradients and of their squares, by parameter, and the step count, all live."""
        return self.kept("exp_avg"), self.kept("exp_avg_sq"), self.counter("step")

    def step(self) -> None:
        means, squares, steps = self.moments()
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

    @torch.no_grad()
    def pace(self) -> tuple[Tensor, Tensor]:
        """Return the next step's rate, lr sqrt(1 - beta2^t) / (1 - beta1^t), and its eps, eps sqrt(1 - beta2^t)."""
        count = self.counter("step") + 1
        scale = (1 - self.betas[1] ** count).sqrt()
        return self.lr * scale / (1 - self.betas[0] ** count), self.eps * scale

    @torch.no_grad()
    def take(
        self,
        gradients: Sequence[Tensor],
        moments: tuple[list[Tensor], list[Tensor], Tensor],
        pace: tuple[Tensor, Tensor],
        *,
        lr: Tensor,
        finite: Tensor,
    ) -> None:
        """Step by plain operations, which a compiler can fuse. The result is that of PyTorch's kernels up to rounding.

        Nothing changes unless `finite`, a zero-dimensional tensor, is true. `moments`, `pace` and the learning rate,
        which only weight decay uses, are arguments because they change from step to step.
        """
        means, squares, steps = moments
        rate, eps = pace
        taken = finite.float()
        steps.add_(taken)
        for parameter, gradient, mean, square in zip(self.parameters, gradients, means, squares, strict=True):
            # `where`, because NaN times 0 is NaN.
            told = torch.where(finite, gradient, 0.0)
            mean.add_((told - mean) * (taken * (1 - self.betas[0])))
            square.add_((told * told - square) * (taken * (1 - self.betas[1])))
            change = taken * rate * mean / (square.sqrt() + eps)
            if self.weight_decay is not None:
                change = change + taken * lr * self.weight_decay * parameter
            parameter.sub_(change)
