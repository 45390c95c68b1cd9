"""Optimizers by kind, steps that skip non-finite gradients, and the optimizers' state as tensors."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import inf
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter

from models import specs
from models.optimizers import extra_adam, fused_adam, optimistic_adam, rmsprop, sgd
from models.optimizers.optimizer import Optimizer

__all__ = ["REGISTRY", "Optimizer", "build", "extrapolate", "restore", "state", "step"]


def build(spec: specs.Optimizer, *, parameters: Iterable[Parameter]) -> Optimizer:
    return REGISTRY[spec.kind](spec, list(parameters))


def step(optimizer: Optimizer, gradients: Sequence[Tensor], *, max_norm: float | None = None) -> Tensor:
    """Update the parameters, unless a gradient is not finite: then nothing changes. Return the gradients' norm.

    Gradients whose common norm is above `max_norm` are scaled down to it first (Pascanu et al. 2013, algorithm 1). The
    returned norm is the one before scaling. After `extrapolate`, a skipped step returns to the parameters at that call.

    The decision is made on the device, without waiting for it: the optimizers skip the step where `found_inf` is 1.
    """
    norm = _prepare(optimizer, gradients, max_norm=max_norm)
    optimizer.step()
    return norm


def extrapolate(optimizer: Optimizer, gradients: Sequence[Tensor], *, max_norm: float | None = None) -> Tensor:
    """Save the parameters and move them a step ahead, where the gradients for the next `step` are computed.

    That step starts from the saved parameters, which are part of the state until then. Only for extra_adam. Non-finite
    gradients, `max_norm` and the return value are the same as for `step`.
    """
    assert isinstance(optimizer, extra_adam.ExtraAdam)
    norm = _prepare(optimizer, gradients, max_norm=max_norm)
    optimizer.extrapolate()
    return norm


def state(optimizer: Optimizer) -> dict[str, Tensor]:
    """Return the state as live tensors, named `<parameter's number>.<name>`; empty before the first step."""
    return {
        f"{number}.{name}": tensor
        for number, parameter in enumerate(optimizer.parameters)
        for name, tensor in optimizer.state[parameter].items()
    }


def restore(optimizer: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Restore a state that `state` returned. The optimizer keeps copies in the memory layout of its parameters."""
    optimizer.state.clear()
    for key, tensor in tensors.items():
        number, name = key.split(".", 1)
        parameter = optimizer.parameters[int(number)]
        like = parameter if tensor.shape == parameter.shape else tensor
        kept = torch.empty_like(like, dtype=tensor.dtype, device=parameter.device, requires_grad=False)
        optimizer.state[parameter][name] = kept.copy_(tensor)


def _prepare(optimizer: Optimizer, gradients: Sequence[Tensor], *, max_norm: float | None) -> Tensor:
    norm = _norm(gradients)
    # Not `isfinite`, which launches five kernels.
    optimizer.found_inf = (norm < inf).logical_not().float()
    if max_norm is not None:
        # The small term keeps a gradient of zero from being divided by its norm.
        gradients = torch._foreach_mul(list(gradients), (max_norm / (norm + 1e-6)).clamp(max=1))
    for parameter, gradient in zip(optimizer.parameters, gradients, strict=True):
        parameter.grad = _laid_out(gradient, like=parameter)
    return norm


def _laid_out(gradient: Tensor, *, like: Tensor) -> Tensor:
    """Return the gradient in its parameter's memory layout, as `backward` stores it and `autograd.grad` may not.

    Fused kernels walk through memory. On a CPU they would silently update the wrong weights; on a GPU they refuse to.
    """
    if gradient.stride() == like.stride():
        return gradient
    return torch.empty_like(like, dtype=gradient.dtype, requires_grad=False).copy_(gradient)


def _norm(gradients: Sequence[Tensor]) -> Tensor:
    """Return the norm of all gradients as one vector. On the CPU the dot product is the fastest way to compute it."""
    if gradients[0].device.type != "cpu":
        norm: Tensor = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(list(gradients))))
        return norm
    # The order of numbers does not matter, so a dense tensor in channels-last format is viewed as a vector too.
    flat = [gradient.as_strided((gradient.numel(),), (1,)) for gradient in gradients if _is_dense(gradient)]
    others = [gradient.reshape(-1) for gradient in gradients if not _is_dense(gradient)]
    squares = torch.stack([torch.dot(vector, vector) for vector in (*flat, *others)])
    return squares.sum().sqrt()


def _is_dense(tensor: Tensor) -> bool:
    return tensor.is_contiguous() or (tensor.dim() == 4 and tensor.is_contiguous(memory_format=torch.channels_last))


REGISTRY: dict[str, Callable[[Any, list[Parameter]], Optimizer]] = {
    "adam": fused_adam.build_adam,
    "adamw": fused_adam.build_adamw,
    "rmsprop": rmsprop.build,
    "sgd": sgd.build,
    "optimistic_adam": optimistic_adam.build,
    "extra_adam": extra_adam.build,
}
