"""One discriminator step and one generator step.

Legend: N images a batch, C channels, H x W pixels, values in [-1, 1]; logits have shape N.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from models import losses, optimizers, penalties, precision
from models import spec as specs
from models.game import Game


@dataclass(frozen=True)
class Rules:
    """What a game is played by."""

    loss: losses.Loss
    penalties: tuple[specs.Penalty, ...]
    autocast_dtype: torch.dtype | None
    """The format of matrix products and convolutions; None: float32."""

    @classmethod
    def of(cls, spec: specs.TrainingSpec, *, device: torch.device) -> "Rules":
        dtype = precision.autocast_dtype(spec.precision, device=device)
        return cls(losses.REGISTRY[spec.loss.kind], spec.penalties, dtype)

    def penalties_due(self, discriminator_step: int) -> list[specs.Penalty]:
        """Those of a step, counted from 0."""
        return [penalty for penalty in self.penalties if discriminator_step % penalty.every_steps == 0]


def generate(game: Game, rules: Rules, latents: Tensor, *, learning: bool) -> Tensor:
    """fake_NCHW, float32, with the graph that the generator learns through if it is to learn from them."""
    with torch.set_grad_enabled(learning), _autocast(game, rules):
        fake_NCHW: Tensor = game.generator(latents).float()
    return fake_NCHW


def discriminator_step(game: Game, rules: Rules, real_NCHW: Tensor, fake_NCHW: Tensor, *, number: int) -> None:
    """Teaches the discriminator to tell real from fake. Lazy penalties count as often as they were left out."""
    due = rules.penalties_due(number)
    judgement = _judge(game, rules, real_NCHW.requires_grad_(bool(due)), fake_NCHW.detach().requires_grad_(bool(due)))
    loss = rules.loss.discriminator(judgement.real, judgement.fake)
    scores = {
        "loss_d": loss,
        "logit_real": judgement.real.mean(),
        "logit_fake": judgement.fake.mean(),
        "d_accuracy": rules.loss.accuracy(judgement.real, judgement.fake),
    }
    for penalty in due:
        scores[penalty.kind] = penalties.REGISTRY[penalty.kind](penalty, judgement)
        loss = loss + penalty.every_steps * scores[penalty.kind]
    gradients = torch.autograd.grad(loss, game.discriminator_parameters)
    scores["grad_norm_d"] = optimizers.step(game.discriminator_optimizer, gradients)
    game.meter.add(scores)


def generator_step(game: Game, rules: Rules, real_NCHW: Tensor, fake_NCHW: Tensor) -> None:
    """Teaches the generator that made the fakes to have them taken for real."""
    with _autocast(game, rules):
        fake = game.discriminator(fake_NCHW).float()
        with torch.no_grad():
            real = game.discriminator(real_NCHW).float() if rules.loss.generator_compares else torch.zeros_like(fake)
    loss = rules.loss.generator(real, fake)
    gradients = torch.autograd.grad(loss, game.generator_parameters)
    game.meter.add({"loss_g": loss, "grad_norm_g": optimizers.step(game.generator_optimizer, gradients)})


def diversity(real_NCHW: Tensor, fake_NCHW: Tensor) -> Tensor:
    """How far apart the fakes of a batch are, measured by the real images: near 0 collapsed, 1 alike.

    The ratio of the root mean square distances between two images of one batch, pixel by pixel; these are, but for a
    factor, the roots of the summed variances. Cheap, and blind to what only a feature extractor sees.
    """
    spread_real, spread_fake = (images.detach().var(0).sum().sqrt() for images in (real_NCHW, fake_NCHW))
    return spread_fake / spread_real.clamp(min=1e-6)


def _judge(game: Game, rules: Rules, real_NCHW: Tensor, fake_NCHW: Tensor) -> penalties.Judgement:
    """Both batches in one pass where the discriminator looks at each image alone, else in two."""
    with _autocast(game, rules):
        if game.judges_images_alone:
            real, fake = game.discriminator(torch.cat([real_NCHW, fake_NCHW])).float().chunk(2)
        else:
            real, fake = game.discriminator(real_NCHW).float(), game.discriminator(fake_NCHW).float()
    return penalties.Judgement(real_NCHW, fake_NCHW, real, fake)


def _autocast(game: Game, rules: Rules) -> torch.autocast:
    return torch.autocast(game.device.type, rules.autocast_dtype, enabled=rules.autocast_dtype is not None)
