"""Alternating steps compiled whole: losses, gradients and both optimizers' steps as one program.

PyTorch's compiler fuses the operations between matrix products, and the optimizers read gradients in place.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

import torch
from torch import Tensor
from torch._C._dynamo.eval_frame import reset_code

from models import augment, optimizers, penalties, specs
from models.optimizers.fused_adam import FusedAdam
from models.training import objective
from models.training.inputs import StepInputs
from models.training.methods.alternating import Alternating
from models.training.methods.method import Shown
from models.training.objective import Objective
from models.training.state import TrainingState

Outcome = tuple[Tensor, dict[str, Tensor]]
"""fake_NCHW, and scalars for the meter."""


def can_compile(spec: specs.TrainingSpec, *, device: torch.device, processes: int) -> bool:
    """Return whether a spec's steps can be compiled whole.

    They can on a CPU, in one process, for alternating steps with one discriminator step and no accumulation, Adam for
    both networks, only lazy penalties, and no augmentation of the images that the discriminator sees. Otherwise each
    network is compiled by itself.
    """
    view = augment.REGISTRY[spec.augment.kind]
    kinds = [(penalty, penalties.REGISTRY[penalty.kind]) for penalty in spec.penalties]
    return (
        spec.compile
        and device.type == "cpu"
        and processes == 1
        and specs.methods.name(spec) == "alternating"
        and spec.discriminator_steps == spec.accumulation_steps == 1
        and all(adam.kind in {"adam", "adamw"} for adam in (spec.generator_optimizer, spec.discriminator_optimizer))
        and all(kind.project is None and penalty.every_steps > 1 for penalty, kind in kinds)
        and view.shown is None
        and view.update is None
    )


class CompiledAlternating(Alternating):
    """Runs steps with a penalty's term uncompiled. All other steps are compiled, once, at the first of them."""

    def __init__(self, spec: specs.TrainingSpec, *, device: torch.device) -> None:
        super().__init__(spec, device=device)
        self._has_compiled = False
        # Otherwise programs of earlier runs would count towards the compiler's limit of 8 for one function.
        reset_code(_step_both.__code__)
        self._step_both = torch.compile(_step_both, fullgraph=True, dynamic=False, options={"cpp_wrapper": True})

    def step(self, state: TrainingState, inputs: Sequence[StepInputs]) -> Shown:
        (only,) = inputs
        if self.objective.terms_at(only.number):
            return super().step(state, inputs)
        sides = _Side.of(state.optimizers["discriminator"]), _Side.of(state.optimizers["generator"])
        # Without this setting the compiler does not compile functions that call `autograd.grad`.
        with torch._dynamo.config.patch(trace_autograd_ops=True):
            fake_NCHW, scores = self._step_both(state, self.objective, only, *sides)
        self._has_compiled = True
        state.meter.add(scores)
        return Shown(only.real_NCHW, fake_NCHW)

    def has_compiled(self) -> bool:
        return self._has_compiled


@dataclass(frozen=True, eq=False)
class _Side:
    """A network's optimizer, with the values that change from step to step as tensors."""

    optimizer: FusedAdam
    moments: tuple[list[Tensor], list[Tensor], Tensor]
    pace: tuple[Tensor, Tensor]
    lr: Tensor

    @classmethod
    def of(cls, optimizer: optimizers.Optimizer) -> "_Side":
        assert isinstance(optimizer, FusedAdam)
        return cls(optimizer, optimizer.moments(), optimizer.pace(), torch.tensor(optimizer.lr))


def _step_both(
    state: TrainingState, objective_: Objective, inputs: StepInputs, discriminator: _Side, generator: _Side
) -> Outcome:
    """Do the same as `Alternating.step`, for one discriminator step, no accumulation and no penalty's term."""
    drawn_NCHW = objective.generate(state, objective_, inputs, with_graph=True)
    loss = objective.discriminator_loss(state, objective_, inputs, drawn_NCHW, terms=())
    gradients = torch.autograd.grad(loss.loss, state.parameters["discriminator"])
    norm_d = _step(discriminator, gradients, max_norm=state.players["discriminator"].optimizer.max_gradient_norm)
    loss_g = objective.generator_loss(state, objective_, inputs, drawn_NCHW)
    gradients = torch.autograd.grad(loss_g, state.parameters["generator"])
    norm_g = _step(generator, gradients, max_norm=state.players["generator"].optimizer.max_gradient_norm)
    scores = loss.scores | {"grad_norm_d": norm_d, "loss_g": loss_g, "grad_norm_g": norm_g}
    return drawn_NCHW.detach(), {name: score.detach() for name, score in scores.items()}


def _step(side: _Side, gradients: Sequence[Tensor], *, max_norm: float | None) -> Tensor:
    """Do the same as `optimizers.step`, up to rounding."""
    square = torch.stack([gradient.square().sum() for gradient in gradients]).sum()
    norm = square.sqrt()
    if max_norm is not None:
        factor = (max_norm / (norm + 1e-6)).clamp(max=1)
        gradients = [gradient * factor for gradient in gradients]
    side.optimizer.take(gradients, side.moments, side.pace, lr=side.lr, finite=square < inf)
    return norm
