"""The base of our own optimizers: a step is worked out in full, then taken or not, on the device.

theta stands for the parameters, g for their gradients, eta for the learning rate.
"""

from abc import ABC, abstractmethod
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.optim import Optimizer

Changes: TypeAlias = list[tuple[Tensor, Tensor]]
"""(a parameter or a tensor of the state, what it becomes)."""


class Gated(Optimizer, ABC):
    """Changes nothing where `found_inf`, a tensor of no dimension, is 1, like PyTorch's fused kernels."""

    found_inf: Tensor

    def __init__(self, parameters: list[Parameter], *, lr: float) -> None:
        super().__init__(parameters, {"lr": lr})
        self.found_inf = torch.zeros((), device=parameters[0].device)

    @abstractmethod
    def changes(self, parameters: list[Tensor], gradients: list[Tensor], *, lr: float) -> Changes:
        """What a step would change. Reads parameters and state, and writes neither."""

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Every parameter has a gradient. No closure: gradients are the caller's to take."""
        del closure
        (group,) = self.param_groups
        parameters: list[Tensor] = group["params"]
        gradients = [gradient for parameter in parameters if (gradient := parameter.grad) is not None]
        stays = self.found_inf > 0
        # Not a product with 0, which would leave NaN as NaN.
        for old, new in self.changes(parameters, gradients, lr=group["lr"]):
            torch.where(stays, old, new, out=old)

    def kept(self, name: str, parameters: list[Tensor]) -> list[Tensor]:
        """The state's tensors of this name, one a parameter in its layout; zeros at first."""
        for parameter in parameters:
            if name not in self.state[parameter]:
                self.state[parameter][name] = torch.zeros_like(parameter, requires_grad=False)
        return [self.state[parameter][name] for parameter in parameters]
