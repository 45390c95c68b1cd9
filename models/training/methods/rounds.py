"""Rounds: how the players learn from one deal of cards, or from one a turn.

Legend: N images a batch, C channels, H x W pixels, values in [-1, 1]; logits have shape N.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from models import optimizers, penalties, specs
from models.runtime import parallel
from models.training import objective
from models.training.inputs import Deal
from models.training.methods import elbo
from models.training.objective import Rules
from models.training.state import Game

Gradients = list[Tensor]


@dataclass(frozen=True, eq=False)
class Shown:
    """The last images of a round."""

    real_NCHW: Tensor
    fake_NCHW: Tensor


Round = Callable[[Game, Rules, Sequence[Deal]], Shown]


def method(spec: specs.TrainingSpec) -> Round:
    """How the spec's networks learn."""
    if spec.loss.kind == "elbo":
        return autoencode
    if spec.generator_optimizer.kind == "extra_adam":
        return look_ahead
    return take_turns


def take_turns(game: Game, rules: Rules, deals: Sequence[Deal]) -> Shown:
    """The discriminator learns from each deal, then the generator (Goodfellow et al. 2014, algorithm 1).

    The generator learns from the fakes of the last deal, which the discriminator has just judged.
    """
    for deal in deals:
        last = deal is deals[-1]
        gradients, fake_NCHW = _discriminator_turn(game, rules, deal, keep_graph=last)
        step_discriminator(game, rules, gradients)
    gradients = _generator_turn(game, rules, deal, fake_NCHW)
    step_generator(game, gradients)
    return Shown(deal.real_NCHW, fake_NCHW)


def look_ahead(game: Game, rules: Rules, deals: Sequence[Deal]) -> Shown:
    """Both players take a step, look at the gradients there and take the step that these tell, from where they were.

    The extragradient method for two players (Gidel et al. 2019, algorithm 4), both steps with the same deal
    (Mishchenko et al. 2020).
    """
    (deal,) = deals
    for step in (_extrapolate, _step):
        adapts = step is _step  # an adaptive augmentation counts each image once
        against, fake_NCHW = _discriminator_turn(game, rules, deal, keep_graph=True, adapts=adapts)
        towards = _generator_turn(game, rules, deal, fake_NCHW)
        step(game, rules, against, towards)
    return Shown(deal.real_NCHW, fake_NCHW)


def _extrapolate(game: Game, rules: Rules, against: Gradients, towards: Gradients) -> None:
    del rules
    spec = game.spec
    optimizers.extrapolate(
        game.discriminator_optimizer, against, max_norm=spec.discriminator_optimizer.max_gradient_norm
    )
    optimizers.extrapolate(game.generator_optimizer, towards, max_norm=spec.generator_optimizer.max_gradient_norm)


def _step(game: Game, rules: Rules, against: Gradients, towards: Gradients) -> None:
    step_discriminator(game, rules, against)
    step_generator(game, towards)


def autoencode(game: Game, rules: Rules, deals: Sequence[Deal]) -> Shown:
    """The encoder, in the discriminator's place, and the generator climb the evidence lower bound together."""
    (deal,) = deals
    spec = game.spec.loss
    assert isinstance(spec, specs.Elbo)
    parameters = [*game.generator_parameters, *game.discriminator_parameters]
    sums: Gradients | None = None
    for part in deal.parts(game.spec.accumulation_steps):
        with rules.autocast:
            posterior = elbo.Posterior.of(game.discriminator(part.real_NCHW, part.labels).float())
            latents = posterior.draw(part.chance("posterior"))
            drawn_NCHW = game.generator(latents, part.labels).float()
        distortion, divergence = elbo.distortion(spec, part.real_NCHW, drawn_NCHW), posterior.divergence()
        loss = distortion + spec.kl_weight * divergence
        sums = _added(sums, torch.autograd.grad(loss, parameters))
        game.meter.add({"loss_g": loss, "reconstruction": distortion, "kl": divergence})
    assert sums is not None
    gradients = _mean(game, sums)
    count = len(game.generator_parameters)
    step_generator(game, gradients[:count])
    step_discriminator(game, rules, gradients[count:])
    with torch.no_grad():
        return Shown(deal.real_NCHW, objective.generate(game, rules, deal, learning=False))


def step_discriminator(game: Game, rules: Rules, gradients: Sequence[Tensor]) -> None:
    max_norm = game.spec.discriminator_optimizer.max_gradient_norm
    norm = optimizers.step(game.discriminator_optimizer, gradients, max_norm=max_norm)
    for penalty in rules.penalties:
        if (project := penalties.REGISTRY[penalty.kind].project) is not None:
            project(penalty, game.discriminator_parameters)
    game.meter.add({"grad_norm_d": norm})


def step_generator(game: Game, gradients: Sequence[Tensor]) -> None:
    max_norm = game.spec.generator_optimizer.max_gradient_norm
    game.meter.add({"grad_norm_g": optimizers.step(game.generator_optimizer, gradients, max_norm=max_norm)})


def diversity(shown: Shown, *, group: parallel.Group = parallel.SOLO) -> Tensor:
    """How far apart the fakes of a batch are, measured by the real images: near 0 collapsed, 1 alike.

    Of all that the group's processes have shown.

    The ratio of the root mean square distances between two images of one batch, pixel by pixel; these are, but for a
    factor, the roots of the summed variances. Cheap, and blind to what only a feature extractor sees.
    """
    real_NCHW, fake_NCHW = (group.gather(images.detach()) for images in (shown.real_NCHW, shown.fake_NCHW))
    spread_real, spread_fake = (images_NCHW.float().var(0).sum().sqrt() for images_NCHW in (real_NCHW, fake_NCHW))
    return spread_fake / spread_real.clamp(min=1e-6)


def _discriminator_turn(
    game: Game, rules: Rules, deal: Deal, *, keep_graph: bool, adapts: bool = True
) -> tuple[Gradients, Tensor]:
    """The discriminator's gradients, and the fakes; these with the generator's graph where it is to be kept and can be:
    a batch in parts would need the memory that the parts are there to save.
    """
    number = game.spec.accumulation_steps
    sums: Gradients | None = None
    fakes, seen = [], []
    for part in deal.parts(number):
        fake_NCHW = objective.generate(game, rules, part, learning=keep_graph and number == 1)
        verdict = objective.look(game, rules, part, fake_NCHW, due=rules.terms_due(part.turn))
        game.meter.add(verdict.scores)
        sums = _added(sums, torch.autograd.grad(verdict.loss, game.discriminator_parameters))
        fakes.append(fake_NCHW)
        seen.append(verdict)
    assert sums is not None
    if adapts:
        objective.adapt(game, rules, seen)
    return _mean(game, sums), fakes[0] if number == 1 else torch.cat(fakes)


def _generator_turn(game: Game, rules: Rules, deal: Deal, fake_NCHW: Tensor) -> Gradients:
    """Teaches the generator that made the fakes to have them taken for real."""
    number = game.spec.accumulation_steps
    sums: Gradients | None = None
    for part in deal.parts(number):
        drawn_NCHW = fake_NCHW if number == 1 else objective.generate(game, rules, part, learning=True)
        loss = objective.please(game, rules, part, drawn_NCHW)
        sums = _added(sums, torch.autograd.grad(loss, game.generator_parameters))
        game.meter.add({"loss_g": loss})
    assert sums is not None
    return _mean(game, sums)


def _added(sums: Gradients | None, gradients: Sequence[Tensor]) -> Gradients:
    return list(gradients if sums is None else torch._foreach_add(sums, list(gradients)))


def _mean(game: Game, sums: Gradients) -> Gradients:
    """Over the parts of a batch, and over the processes that share it."""
    number = game.spec.accumulation_steps
    return game.group.mean(sums if number == 1 else torch._foreach_div(sums, number))
