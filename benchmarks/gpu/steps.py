"""Steps: a spec's first steps on a device, from inputs that are the same on every device.

The random sources of CPUs and of GPUs differ, so everything random is drawn on the CPU and moved. Only this module of
the checks knows the internals of training.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from models import data
from models.runtime import precision
from models.specs import TrainingSpec
from models.training import methods
from models.training.inputs import InputPipeline, StepInputs

CPU = torch.device("cpu")


@dataclass(frozen=True, eq=False)
class Taken:
    """The results of the steps. Vectors are float64 on the CPU."""

    moved: Tensor
    """All weights of both networks, less their values before the steps."""
    gradients: Tensor
    """The last gradients of both networks."""
    images: Tensor
    """The last images that the generator drew."""


def take(
    spec: TrainingSpec, *, dataset: data.ImageData, device: torch.device, number: int, dtype: torch.dtype, tf32: bool
) -> Taken:
    """Take a number of steps. Networks hold `dtype` and compute as the spec says, on CUDA in TF32 if `tf32`."""
    precision.set_float32("bf16" if tf32 else "fp32", device=device)
    state, method = methods.prepare(spec, device=device)
    for network in (*state.networks.values(), *state.averages.values()):
        network.to(dtype)
        # Some inputs of a network are float32 by intent: images for penalties, a vae's latents.
        network.register_forward_pre_hook(lambda _, given: (given[0].to(dtype), *given[1:]))
    start = _vector(state.all_parameters())
    pipeline = InputPipeline(spec, dataset, device=CPU)
    seen = 0
    with _DrawnOnTheCpu():
        for _ in range(number):
            inputs = [_moved(each, device) for each in pipeline.step(seen, salt=0)]
            state.begin_step(images_seen=seen, budget_fraction=0.0, guard_factor=1.0)
            shown = method.step(state, inputs)
            step_images = len(inputs) * spec.batch_size
            seen += step_images
            state.end_step(images_seen=seen, step_images=step_images)
    pipeline.close()
    return Taken(
        moved=_vector(state.all_parameters()) - start,
        gradients=_vector([weight.grad for weight in state.all_parameters() if weight.grad is not None]),
        images=_vector([shown.fake_NCHW]),
    )


def _moved(inputs: StepInputs, device: torch.device) -> StepInputs:
    condition = None if inputs.condition is None else inputs.condition.to(device)
    return replace(
        inputs, real_NCHW=inputs.real_NCHW.to(device), latents=inputs.latents.to(device), condition=condition
    )


def _vector(tensors: list[Tensor]) -> Tensor:
    return torch.cat([tensor.detach().to(CPU, torch.float64).flatten() for tensor in tensors])


class _DrawnOnTheCpu(TorchFunctionMode):
    """Draws random tensors from the CPU's random source that was passed, whatever device they are for."""

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        asked = dict(kwargs or {})
        if asked.get("generator") is None or "device" not in asked:
            return function(*args, **asked)
        device = asked.pop("device")
        return function(*args, **asked, device=CPU).to(device)
