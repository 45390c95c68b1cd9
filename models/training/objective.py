"""Verdicts: what the discriminator says of a deal, and what its loss makes of that.

Legend: N images a batch, C channels, H x W pixels, values in [-1, 1]; logits have shape N.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from models import augment, losses, penalties, specs
from models.runtime import precision
from models.runtime.randomness import Purpose
from models.training.inputs import Deal
from models.training.state import Game


@dataclass(frozen=True)
class Rules:
    """What a game is played by."""

    loss: losses.Functions | None
    """None: there is no game, an autoencoder learns."""
    penalties: tuple[specs.Penalty, ...]
    augment: augment.Augment
    autocast_dtype: torch.dtype | None
    """The format of matrix products and convolutions; None: float32."""
    autocast: torch.autocast
    """The context in which networks compute in it; entered again and again, never within itself."""

    @classmethod
    def of(cls, spec: specs.TrainingSpec, *, device: torch.device) -> "Rules":
        dtype = precision.autocast_dtype(spec.precision, device=device)
        return cls(
            losses.REGISTRY.get(spec.loss.kind),
            spec.penalties,
            augment.REGISTRY[spec.augment.kind],
            dtype,
            torch.autocast(device.type, dtype, enabled=dtype is not None),
        )

    def terms_due(self, turn: int) -> list[specs.Penalty]:
        """The penalties that the loss of a discriminator's turn, counted from 0, has terms of."""
        return [
            penalty
            for penalty in self.penalties
            if turn % penalty.every_steps == 0 and penalties.REGISTRY[penalty.kind].term is not None
        ]


@dataclass(frozen=True, eq=False)
class Verdict:
    """The logits of the N real images, the discriminator's loss, penalties included, and scalars for the meter."""

    real: Tensor
    loss: Tensor
    scores: dict[str, Tensor]


def look(game: Game, rules: Rules, deal: Deal, fake_NCHW: Tensor, *, due: Sequence[specs.Penalty]) -> Verdict:
    """Judges both batches, for the discriminator. The penalties due, if lazy, count as often as they were left out."""
    assert rules.loss is not None
    real_NCHW, fake_NCHW = deal.real_NCHW, fake_NCHW.detach().float() if due else fake_NCHW.detach()
    if any(penalties.REGISTRY[penalty.kind].needs_gradients for penalty in due):
        real_NCHW, fake_NCHW = real_NCHW.requires_grad_(), fake_NCHW.requires_grad_()
    real, fake = _judge_both(game, rules, deal, real_NCHW, fake_NCHW, exact=bool(due))
    loss = rules.loss.discriminator(real, fake)
    scores = {
        "loss_d": loss,
        "logit_real": real.mean(),
        "logit_fake": fake.mean(),
        "d_accuracy": rules.loss.accuracy(real, fake),
    }
    if due:
        ask = partial(judge, game, rules, deal.labels, exact=True)
        judgement = penalties.Judgement(
            real_NCHW, fake_NCHW, real, fake, ask, deal.chance("penalty"), game.memory, game.group
        )
    for penalty in due:
        term = penalties.REGISTRY[penalty.kind].term
        assert term is not None
        scores[penalty.kind] = term(penalty, judgement)
        loss = loss + penalty.every_steps * scores[penalty.kind]
    return Verdict(real, loss, scores)


def adapt(game: Game, rules: Rules, parts: Sequence[Verdict]) -> None:
    """Lets the augmentation learn from the verdicts on all parts of a batch, once a step of the discriminator."""
    if rules.augment.learn is not None:
        logits = torch.cat([verdict.real.detach() for verdict in parts])
        rules.augment.learn(game.spec.augment, game.group.gather(logits), game.memory)


def please(game: Game, rules: Rules, deal: Deal, fake_NCHW: Tensor) -> Tensor:
    """The loss of the generator that made the fakes, which wants them taken for real."""
    assert rules.loss is not None
    fake = judge(game, rules, deal.labels, shown(game, rules, deal, fake_NCHW, "augment_generator"))
    real = torch.zeros_like(fake)
    if rules.loss.generator_compares:
        with torch.no_grad():
            real = judge(game, rules, deal.labels, shown(game, rules, deal, deal.real_NCHW, "augment_real"))
    return rules.loss.generator(real, fake)


def generate(game: Game, rules: Rules, deal: Deal, *, learning: bool) -> Tensor:
    """fake_NCHW in the format computed in, with the graph that the generator learns through if it is to learn."""
    with torch.set_grad_enabled(learning), rules.autocast:
        fake_NCHW: Tensor = game.fast_generator(deal.latents, deal.labels)
    return fake_NCHW


def shown(game: Game, rules: Rules, deal: Deal, images_NCHW: Tensor, purpose: Purpose) -> Tensor:
    """What the discriminator is shown of some images."""
    if rules.augment.judged is None:
        return images_NCHW
    return rules.augment.judged(game.spec.augment, images_NCHW.float(), deal.chance(purpose), game.memory)


def judge(game: Game, rules: Rules, labels: Tensor | None, images_NCHW: Tensor, *, exact: bool = False) -> Tensor:
    """N logits, float32. `exact`: with a graph that can be differentiated twice."""
    discriminator = game.discriminator if exact else game.fast_discriminator
    with rules.autocast:
        logits: Tensor = discriminator(images_NCHW, labels).float()
    return logits


def _judge_both(
    game: Game, rules: Rules, deal: Deal, real_NCHW: Tensor, fake_NCHW: Tensor, *, exact: bool
) -> tuple[Tensor, Tensor]:
    """Both batches in one pass where the discriminator looks at each image alone, else in two."""
    real_NCHW = shown(game, rules, deal, real_NCHW, "augment_real")
    fake_NCHW = shown(game, rules, deal, fake_NCHW, "augment_fake")
    if not game.judges_images_alone:
        real = judge(game, rules, deal.labels, real_NCHW, exact=exact)
        return real, judge(game, rules, deal.labels, fake_NCHW, exact=exact)
    labels = None if deal.labels is None else torch.cat([deal.labels, deal.labels])
    both_NCHW = torch.cat([_computed(rules, real_NCHW), _computed(rules, fake_NCHW)])
    real, fake = judge(game, rules, labels, both_NCHW, exact=exact).chunk(2)
    return real, fake


def _computed(rules: Rules, images_NCHW: Tensor) -> Tensor:
    """The images in the format that the first layer would make of them: half as much to copy."""
    return images_NCHW if rules.autocast_dtype is None else images_NCHW.to(rules.autocast_dtype)
