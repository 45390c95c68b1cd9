"""Rounds compiled whole: both turns and both steps of a game as one function, which PyTorch's compiler turns into one
program. It fuses what lies between matrix products, and gradients are read where they were made.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

import torch
from torch import Tensor
from torch._C._dynamo.eval_frame import reset_code

from models import augment, penalties, specs
from models.optimizers.fused_adam import FusedAdam
from models.training import objective
from models.training.inputs import Deal
from models.training.methods import rounds
from models.training.methods.rounds import Shown
from models.training.objective import Rules
from models.training.state import Game

Outcome = tuple[Tensor, dict[str, Tensor]]
"""fake_NCHW, and scalars for the meter."""


def whole(spec: specs.TrainingSpec, *, device: torch.device, processes: int) -> bool:
    """Whether the spec's rounds are compiled whole: turns about, with one batch in one part, Adam on both sides, lazy
    penalties if any, and nothing by chance in what the discriminator is shown. Of other specs, and on other devices,
    the networks are compiled, each by itself.
    """
    view = augment.REGISTRY[spec.augment.kind]
    kinds = [(penalty, penalties.REGISTRY[penalty.kind]) for penalty in spec.penalties]
    return (
        spec.compile
        and device.type == "cpu"
        and processes == 1
        and spec.loss.kind != "elbo"
        and spec.discriminator_steps == spec.accumulation_steps == 1
        and all(adam.kind in {"adam", "adamw"} for adam in (spec.generator_optimizer, spec.discriminator_optimizer))
        and all(kind.project is None and penalty.every_steps > 1 for penalty, kind in kinds)
        and view.judged is None
        and view.learn is None
    )


class Rounds:
    """Plays a game's rounds compiled, but for those in which penalties are due. To be called as a `rounds.Round`."""

    def __init__(self) -> None:
        self._compiled = False
        # Programs made for games that are over would count towards the compiler's limit for one function, which is 8.
        reset_code(_turns.__code__)
        self._turns = torch.compile(_turns, fullgraph=True, dynamic=False, options={"cpp_wrapper": True})

    def __call__(self, game: Game, rules: Rules, deals: Sequence[Deal]) -> Shown:
        (deal,) = deals
        if rules.terms_due(deal.turn):
            return rounds.take_turns(game, rules, deals)
        sides = _Side.of(game.discriminator_optimizer), _Side.of(game.generator_optimizer)
        # The compiler leaves functions with gradients in them alone unless it is told otherwise.
        with torch._dynamo.config.patch(trace_autograd_ops=True):
            fake_NCHW, scores = self._turns(game, rules, deal, *sides)
        self._compiled = True
        game.meter.add(scores)
        return Shown(deal.real_NCHW, fake_NCHW)

    def have_compiled(self) -> bool:
        """Whether one has been compiled and played yet."""
        return self._compiled


@dataclass(frozen=True, eq=False)
class _Side:
    """A player's optimizer, and what of it changes from round to round, as tensors."""

    optimizer: FusedAdam
    moments: tuple[list[Tensor], list[Tensor], Tensor]
    pace: tuple[Tensor, Tensor]
    lr: Tensor

    @classmethod
    def of(cls, optimizer: Any) -> "_Side":
        assert isinstance(optimizer, FusedAdam)
        return cls(optimizer, optimizer.moments(), optimizer.pace(), torch.tensor(optimizer.lr))


def _turns(game: Game, rules: Rules, deal: Deal, discriminator: _Side, generator: _Side) -> Outcome:
    """As `rounds.take_turns` for one deal in one part, no penalty being due."""
    drawn_NCHW = objective.generate(game, rules, deal, learning=True)
    verdict = objective.look(game, rules, deal, drawn_NCHW, due=())
    gradients = torch.autograd.grad(verdict.loss, game.discriminator_parameters)
    norm_d = _step(discriminator, gradients, max_norm=game.spec.discriminator_optimizer.max_gradient_norm)
    loss_g = objective.please(game, rules, deal, drawn_NCHW)
    gradients = torch.autograd.grad(loss_g, game.generator_parameters)
    norm_g = _step(generator, gradients, max_norm=game.spec.generator_optimizer.max_gradient_norm)
    scores = verdict.scores | {"grad_norm_d": norm_d, "loss_g": loss_g, "grad_norm_g": norm_g}
    return drawn_NCHW.detach(), {name: score.detach() for name, score in scores.items()}


def _step(side: _Side, gradients: Sequence[Tensor], *, max_norm: float | None) -> Tensor:
    """As `optimizers.step`, up to rounding."""
    square = torch.stack([gradient.square().sum() for gradient in gradients]).sum()
    norm = square.sqrt()
    if max_norm is not None:
        factor = (max_norm / (norm + 1e-6)).clamp(max=1)
        gradients = [gradient * factor for gradient in gradients]
    side.optimizer.take(gradients, side.moments, side.pace, lr=side.lr, finite=square < inf)
    return norm
