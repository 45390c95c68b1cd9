"""The base of Saddle's own optimizers: a step is computed in full, then applied or skipped, on the device.

theta stands for the parameters, g for their gradients, eta for the learning rate.
"""

from abc import abstractmethod
from typing import TypeAlias

import torch
from torch import Tensor

from models.optimizers.optimizer import Optimizer

Changes: TypeAlias = list[tuple[Tensor, Tensor]]
"""Pairs of (a parameter or a tensor of the state, its new value)."""


class Gated(Optimizer):
    @abstractmethod
    def changes(self, parameters: list[Tensor], gradients: list[Tensor], *, lr: float) -> Changes:
        """Return the changes that a step would make. Reads parameters and state, and writes neither."""

    @torch.no_grad()
    def step(self) -> None:
        gradients = [gradient for parameter in self.parameters if (gradient := parameter.grad) is not None]
        stays = self.found_inf > 0
        # `where`, because NaN times 0 is NaN.
        for old, new in self.changes([*self.parameters], gradients, lr=self.lr):
            torch.where(stays, old, new, out=old)
