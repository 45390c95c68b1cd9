"""Rounds: how the players learn from one deal of cards, or from one a turn.

Legend: N images a batch, C channels, H x W pixels, values in [-1, 1]; logits have shape N.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from models import augment, elbo, losses, optimizers, penalties, precision
from models import spec as specs
from models.deals import Deal
from models.game import Game
from models.randomness import Purpose

Gradients = list[Tensor]


@dataclass(frozen=True)
class Rules:
    """What a game is played by."""

    loss: losses.Functions | None
    """None: there is no game, an autoencoder learns."""
    penalties: tuple[specs.Penalty, ...]
    augment: augment.Augment
    autocast_dtype: torch.dtype | None
    """The format of matrix products and convolutions; None: float32."""

    @classmethod
    def of(cls, spec: specs.TrainingSpec, *, device: torch.device) -> "Rules":
        return cls(
            losses.REGISTRY.get(spec.loss.kind),
            spec.penalties,
            augment.REGISTRY[spec.augment.kind],
            precision.autocast_dtype(spec.precision, device=device),
        )

    def penalties_due(self, turn: int) -> list[specs.Penalty]:
        """Those of a discriminator's turn, counted from 0."""
        return [penalty for penalty in self.penalties if turn % penalty.every_steps == 0]


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
        with _autocast(game, rules):
            posterior = elbo.Posterior.of(game.discriminator(part.real_NCHW, part.labels).float())
            latents = posterior.draw(part.chance("posterior"))
            drawn_NCHW = game.generator(latents, part.labels).float()
        distortion, divergence = elbo.distortion(spec, part.real_NCHW, drawn_NCHW), posterior.divergence()
        loss = distortion + spec.kl_weight * divergence
        sums = _added(sums, torch.autograd.grad(loss, parameters))
        game.meter.add({"loss_g": loss, "reconstruction": distortion, "kl": divergence})
    assert sums is not None
    gradients = _mean(sums, game.spec.accumulation_steps)
    count = len(game.generator_parameters)
    step_generator(game, gradients[:count])
    step_discriminator(game, rules, gradients[count:])
    with torch.no_grad():
        return Shown(deal.real_NCHW, generate(game, rules, deal, learning=False))


def generate(game: Game, rules: Rules, deal: Deal, *, learning: bool) -> Tensor:
    """fake_NCHW, float32, with the graph that the generator learns through if it is to learn from them."""
    with torch.set_grad_enabled(learning), _autocast(game, rules):
        fake_NCHW: Tensor = game.fast_generator(deal.latents, deal.labels).float()
    return fake_NCHW


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


def diversity(shown: Shown) -> Tensor:
    """How far apart the fakes of a batch are, measured by the real images: near 0 collapsed, 1 alike.

    The ratio of the root mean square distances between two images of one batch, pixel by pixel; these are, but for a
    factor, the roots of the summed variances. Cheap, and blind to what only a feature extractor sees.
    """
    spread_real, spread_fake = (images.detach().var(0).sum().sqrt() for images in (shown.real_NCHW, shown.fake_NCHW))
    return spread_fake / spread_real.clamp(min=1e-6)


def _discriminator_turn(
    game: Game, rules: Rules, deal: Deal, *, keep_graph: bool, adapts: bool = True
) -> tuple[Gradients, Tensor]:
    """The discriminator's gradients, and the fakes; these with the generator's graph where it is to be kept and can be:
    a batch in parts would need the memory that the parts are there to save.
    """
    number = game.spec.accumulation_steps
    sums: Gradients | None = None
    fakes = []
    for part in deal.parts(number):
        fake_NCHW = generate(game, rules, part, learning=keep_graph and number == 1)
        sums = _added(sums, _discriminator_gradients(game, rules, part, fake_NCHW, adapts=adapts))
        fakes.append(fake_NCHW)
    assert sums is not None
    return _mean(sums, number), fakes[0] if number == 1 else torch.cat(fakes)


def _discriminator_gradients(game: Game, rules: Rules, deal: Deal, fake_NCHW: Tensor, *, adapts: bool) -> Gradients:
    """Teaches the discriminator to tell real from fake. Lazy penalties count as often as they were left out."""
    assert rules.loss is not None
    due = [penalty for penalty in rules.penalties_due(deal.turn) if penalties.REGISTRY[penalty.kind].term]
    slopes = any(penalties.REGISTRY[penalty.kind].needs_gradients for penalty in due)
    real_NCHW, fake_NCHW = deal.real_NCHW.requires_grad_(slopes), fake_NCHW.detach().requires_grad_(slopes)
    judge = partial(_judge, game, rules, deal.labels, exact=bool(due))
    real, fake = _judge_both(game, rules, deal, real_NCHW, fake_NCHW, exact=bool(due))
    judgement = penalties.Judgement(real_NCHW, fake_NCHW, real, fake, judge, deal.chance("penalty"), game.memory)
    loss = rules.loss.discriminator(real, fake)
    scores = {
        "loss_d": loss,
        "logit_real": real.mean(),
        "logit_fake": fake.mean(),
        "d_accuracy": rules.loss.accuracy(real, fake),
    }
    for penalty in due:
        term = penalties.REGISTRY[penalty.kind].term
        assert term is not None
        scores[penalty.kind] = term(penalty, judgement)
        loss = loss + penalty.every_steps * scores[penalty.kind]
    gradients = torch.autograd.grad(loss, game.discriminator_parameters)
    game.meter.add(scores)
    if adapts and rules.augment.learn is not None:
        rules.augment.learn(game.spec.augment, real.detach(), game.memory, len(real))
    return list(gradients)


def _generator_turn(game: Game, rules: Rules, deal: Deal, fake_NCHW: Tensor) -> Gradients:
    """Teaches the generator that made the fakes to have them taken for real."""
    assert rules.loss is not None
    number = game.spec.accumulation_steps
    sums: Gradients | None = None
    for part in deal.parts(number):
        drawn_NCHW = fake_NCHW if number == 1 else generate(game, rules, part, learning=True)
        fake = _judge(game, rules, part.labels, _shown(game, rules, part, drawn_NCHW, "augment_generator"))
        real = torch.zeros_like(fake)
        if rules.loss.generator_compares:
            with torch.no_grad():
                real = _judge(game, rules, part.labels, _shown(game, rules, part, part.real_NCHW, "augment_real"))
        loss = rules.loss.generator(real, fake)
        sums = _added(sums, torch.autograd.grad(loss, game.generator_parameters))
        game.meter.add({"loss_g": loss})
    assert sums is not None
    return _mean(sums, number)


def _shown(game: Game, rules: Rules, deal: Deal, images_NCHW: Tensor, purpose: Purpose) -> Tensor:
    """What the discriminator is shown of some images."""
    if rules.augment.judged is None:
        return images_NCHW
    return rules.augment.judged(game.spec.augment, images_NCHW, deal.chance(purpose), game.memory)


def _judge(game: Game, rules: Rules, labels: Tensor | None, images_NCHW: Tensor, *, exact: bool = False) -> Tensor:
    """N logits, float32. `exact`: with a graph that can be differentiated twice."""
    discriminator = game.discriminator if exact else game.fast_discriminator
    with _autocast(game, rules):
        logits: Tensor = discriminator(images_NCHW, labels).float()
    return logits


def _judge_both(
    game: Game, rules: Rules, deal: Deal, real_NCHW: Tensor, fake_NCHW: Tensor, *, exact: bool
) -> tuple[Tensor, Tensor]:
    """Both batches in one pass where the discriminator looks at each image alone, else in two."""
    real_NCHW = _shown(game, rules, deal, real_NCHW, "augment_real")
    fake_NCHW = _shown(game, rules, deal, fake_NCHW, "augment_fake")
    if not game.judges_images_alone:
        real = _judge(game, rules, deal.labels, real_NCHW, exact=exact)
        return real, _judge(game, rules, deal.labels, fake_NCHW, exact=exact)
    labels = None if deal.labels is None else torch.cat([deal.labels, deal.labels])
    real, fake = _judge(game, rules, labels, torch.cat([real_NCHW, fake_NCHW]), exact=exact).chunk(2)
    return real, fake


def _added(sums: Gradients | None, gradients: Sequence[Tensor]) -> Gradients:
    return list(gradients if sums is None else torch._foreach_add(sums, list(gradients)))


def _mean(sums: Gradients, number: int) -> Gradients:
    return sums if number == 1 else list(torch._foreach_div(sums, number))


def _autocast(game: Game, rules: Rules) -> torch.autocast:
    return torch.autocast(game.device.type, rules.autocast_dtype, enabled=rules.autocast_dtype is not None)
