"""Optimizers by kind, the step that a non-finite gradient cannot take, and their state as tensors."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.optim import Optimizer

from models import spec as specs


def build(spec: specs.Optimizer, *, parameters: Iterable[Parameter]) -> Optimizer:
    return REGISTRY[spec.kind](spec, list(parameters))


def step(optimizer: Optimizer, gradients: Sequence[Tensor]) -> Tensor:
    """Moves the parameters, unless a gradient is not finite: then nothing changes. Returns the gradients' norm.

    Decided on the device, without waiting for it: the fused kernels skip the step where `found_inf` is 1.
    """
    norm: Tensor = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(list(gradients))))
    optimizer.found_inf = (~norm.isfinite()).float()  # type: ignore[attr-defined]
    for parameter, gradient in zip(_parameters(optimizer), gradients, strict=True):
        parameter.grad = gradient
    optimizer.step()
    return norm


def set_learning_rate(optimizer: Optimizer, learning_rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = learning_rate


def learning_rate(optimizer: Optimizer) -> float:
    return float(optimizer.param_groups[0]["lr"])


def state(optimizer: Optimizer) -> dict[str, Tensor]:
    """The state as live tensors, named `<parameter's number>.<name>`; empty before the first step."""
    return {
        f"{number}.{name}": tensor
        for number, parameter in enumerate(_parameters(optimizer))
        for name, tensor in optimizer.state[parameter].items()
    }


def restore(optimizer: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Makes the state what `state` once returned; the optimizer keeps copies in the layout of its parameters."""
    parameters = _parameters(optimizer)
    optimizer.state.clear()
    for key, tensor in tensors.items():
        number, name = key.split(".", 1)
        parameter = parameters[int(number)]
        like = parameter if tensor.shape == parameter.shape else tensor
        kept = torch.empty_like(like, dtype=tensor.dtype, device=parameter.device, requires_grad=False)
        optimizer.state[parameter][name] = kept.copy_(tensor)


def _parameters(optimizer: Optimizer) -> list[Parameter]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def adam(spec: specs.AdamOptimizer, parameters: list[Parameter]) -> Optimizer:
    """Adam (Kingma & Ba 2015, algorithm 1), all parameters in one kernel."""
    return torch.optim.Adam(parameters, lr=spec.lr, betas=spec.betas, eps=spec.eps, fused=True)


REGISTRY: dict[str, Callable[[Any, list[Parameter]], Optimizer]] = {"adam": adam}
