"""The base of all optimizers: parameters, their state, and a step without the hooks and groups of PyTorch's own."""

from abc import ABC, abstractmethod
from collections import defaultdict

import torch
from torch import Tensor
from torch.nn import Parameter


class Optimizer(ABC):
    def __init__(self, parameters: list[Parameter], *, lr: float) -> None:
        self.parameters = parameters
        self.lr = lr
        self.state: defaultdict[Parameter, dict[str, Tensor]] = defaultdict(dict)
        """Small and large tensors beside each parameter; empty before the first step."""
        self.found_inf = torch.zeros((), device=parameters[0].device)
        """Where this, a tensor of no dimension, is 1, a step changes nothing."""

    @abstractmethod
    def step(self) -> None:
        """Moves the parameters, each by its `grad`, which every one has."""

    def kept(self, name: str) -> list[Tensor]:
        """The state's tensors of this name, one a parameter in its layout; zeros at first."""
        if name not in self.state[self.parameters[0]]:
            for parameter in self.parameters:
                self.state[parameter][name] = torch.zeros_like(parameter, requires_grad=False)
        return [self.state[parameter][name] for parameter in self.parameters]

    def counter(self, name: str) -> Tensor:
        """A number that the first parameter's state keeps for all, on the device; 0 at first."""
        state = self.state[self.parameters[0]]
        if name not in state:
            state[name] = torch.zeros((), device=self.parameters[0].device)
        return state[name]
