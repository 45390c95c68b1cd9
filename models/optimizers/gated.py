"""The base of our own methods: a step is worked out in full, then taken or not, on the device.

theta stands for the parameters, g for their gradients, eta for the learning rate.
"""

from abc import abstractmethod
from typing import TypeAlias

import torch
from torch import Tensor

from models.optimizers.optimizer import Optimizer

Changes: TypeAlias = list[tuple[Tensor, Tensor]]
"""(a parameter or a tensor of the state, what it becomes)."""


class Gated(Optimizer):
    @abstractmethod
    def changes(self, parameters: list[Tensor], gradients: list[Tensor], *, lr: float) -> Changes:
        """What a step would change. Reads parameters and state, and writes neither."""

    @torch.no_grad()
    def step(self) -> None:
        gradients = [gradient for parameter in self.parameters if (gradient := parameter.grad) is not None]
        stays = self.found_inf > 0
        # Not a product with 0, which would leave NaN as NaN.
        for old, new in self.changes([*self.parameters], gradients, lr=self.lr):
            torch.where(stays, old, new, out=old)
