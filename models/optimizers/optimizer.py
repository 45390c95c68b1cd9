"""The base of all optimizers: parameters, their state, and a step without the hooks and groups of PyTorch's base."""

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
        """The state's tensors for each parameter, by name; empty before the first step."""
        self.found_inf = torch.zeros((), device=parameters[0].device)
        """A zero-dimensional tensor. If it is 1, a step changes nothing."""

    @abstractmethod
    def step(self) -> None:
        """Update the parameters by their `grad`, which must be set for each of them."""

    def kept(self, name: str) -> list[Tensor]:
        """Return the state's tensors of this name, one for each parameter, in its memory layout; zeros at first."""
        if name not in self.state[self.parameters[0]]:
            for parameter in self.parameters:
                self.state[parameter][name] = torch.zeros_like(parameter, requires_grad=False)
        return [self.state[parameter][name] for parameter in self.parameters]

    def counter(self, name: str) -> Tensor:
        """Return a number for all parameters, kept in the first one's state, on the device; 0 at first."""
        state = self.state[self.parameters[0]]
        if name not in state:
            state[name] = torch.zeros((), device=self.parameters[0].device)
        return state[name]
