"""The objective of an adversarial method: the discriminator's and the generator's loss.

Logits come first, then the loss, then penalties. Augmentation changes the images that the discriminator sees.

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
from models.training.inputs import StepInputs
from models.training.state import TrainingState


@dataclass(frozen=True)
class Objective:
    """A spec's loss, penalties, augmentation and number format, as callable objects."""

    loss: losses.Functions
    penalties: tuple[specs.Penalty, ...]
    augment: augment.Augment
    autocast_dtype: torch.dtype | None
    """The format of matrix products and convolutions; None: float32."""
    autocast: torch.autocast
    """The context in which networks compute in `autocast_dtype`. It is entered repeatedly, but never nested."""

    @classmethod
    def of(cls, spec: specs.TrainingSpec, *, device: torch.device) -> "Objective":
        dtype = precision.autocast_dtype(spec.precision, device=device)
        return cls(
            losses.build(spec.loss),
            spec.penalties,
            augment.REGISTRY[spec.augment.kind],
            dtype,
            torch.autocast(device.type, dtype, enabled=dtype is not None),
        )

    def terms_at(self, step: int) -> list[specs.Penalty]:
        """Return the penalties that add a term to the loss of a discriminator step. Steps are counted from 0."""
        return [
            penalty
            for penalty in self.penalties
            if step % penalty.every_steps == 0 and penalties.REGISTRY[penalty.kind].term is not None
        ]


@dataclass(frozen=True, eq=False)
class DiscriminatorLoss:
    """The loss with its penalties, the N real images' logits, and scalars for the meter."""

    loss: Tensor
    real_logits: Tensor
    scores: dict[str, Tensor]


def discriminator_loss(
    state: TrainingState,
    objective: Objective,
    inputs: StepInputs,
    fake_NCHW: Tensor,
    *,
    terms: Sequence[specs.Penalty],
) -> DiscriminatorLoss:
    """Return the discriminator's loss for a batch of real images and one of fakes.

    A lazy penalty is multiplied by its interval.
    """
    real_NCHW, fake_NCHW = inputs.real_NCHW, fake_NCHW.detach().float() if terms else fake_NCHW.detach()
    if any(penalties.REGISTRY[penalty.kind].needs_gradients for penalty in terms):
        real_NCHW, fake_NCHW = real_NCHW.requires_grad_(), fake_NCHW.requires_grad_()
    real, fake = _logits_of_both(state, objective, inputs, real_NCHW, fake_NCHW, twice_differentiable=bool(terms))
    loss = objective.loss.discriminator(real, fake)
    scores = {
        "loss_d": loss,
        "logit_real": real.mean(),
        "logit_fake": fake.mean(),
        "d_accuracy": objective.loss.accuracy(real, fake),
    }
    if terms:
        logits_of = partial(logits, state, objective, inputs.condition, twice_differentiable=True)
        rng = inputs.rng("penalty")
        context = penalties.PenaltyContext(
            real_NCHW, fake_NCHW, real, fake, logits_of, rng, state.statistics, state.group
        )
    for penalty in terms:
        term = penalties.REGISTRY[penalty.kind].term
        assert term is not None
        scores[penalty.kind] = term(penalty, context)
        loss = loss + penalty.every_steps * scores[penalty.kind]
    return DiscriminatorLoss(loss, real, scores)


def generator_loss(state: TrainingState, objective: Objective, inputs: StepInputs, fake_NCHW: Tensor) -> Tensor:
    """Return the loss of the generator that made the fakes. It is low if the discriminator takes them for real."""
    condition = inputs.condition
    fake = logits(state, objective, condition, shown(state, objective, inputs, fake_NCHW, "augment_generator"))
    real = torch.zeros_like(fake)
    if objective.loss.generator_compares:
        with torch.no_grad():
            real_NCHW = shown(state, objective, inputs, inputs.real_NCHW, "augment_real")
            real = logits(state, objective, condition, real_NCHW)
    return objective.loss.generator(real, fake)


def generate(state: TrainingState, objective: Objective, inputs: StepInputs, *, with_graph: bool) -> Tensor:
    """Return fake_NCHW in the format of autocast. With `with_graph`, gradients can reach the generator."""
    with torch.set_grad_enabled(with_graph), objective.autocast:
        fake_NCHW: Tensor = state.fast["generator"](inputs.latents, inputs.condition)
    return fake_NCHW


def shown(
    state: TrainingState, objective: Objective, inputs: StepInputs, images_NCHW: Tensor, purpose: Purpose
) -> Tensor:
    """Return the images after augmentation, as the discriminator sees them."""
    if objective.augment.shown is None:
        return images_NCHW
    return objective.augment.shown(state.spec.augment, images_NCHW.float(), inputs.rng(purpose), state.statistics)


def logits(
    state: TrainingState,
    objective: Objective,
    condition: Tensor | None,
    images_NCHW: Tensor,
    *,
    twice_differentiable: bool = False,
) -> Tensor:
    """Return the discriminator's N logits, float32. A compiled network's graph cannot be differentiated twice."""
    discriminator = (state.networks if twice_differentiable else state.fast)["discriminator"]
    with objective.autocast:
        found: Tensor = discriminator(images_NCHW, condition).float()
    return found


def update_augmentation(state: TrainingState, objective: Objective, parts: Sequence[DiscriminatorLoss]) -> None:
    """Adapt the augmentation to the real images' logits of all parts of a batch, once a discriminator step.

    Under a loss that compares, only differences of logits mean anything: those from the fakes' mean are taken.
    """
    if objective.augment.update is not None:
        zeros = [part.scores["logit_fake"].detach() if objective.loss.generator_compares else 0.0 for part in parts]
        real = torch.cat([part.real_logits.detach() - zero for part, zero in zip(parts, zeros, strict=True)])
        objective.augment.update(state.spec.augment, state.group.gather(real), state.statistics)


def _logits_of_both(
    state: TrainingState,
    objective: Objective,
    inputs: StepInputs,
    real_NCHW: Tensor,
    fake_NCHW: Tensor,
    *,
    twice_differentiable: bool,
) -> tuple[Tensor, Tensor]:
    """Return the logits of both batches, from one pass, or from two if the discriminator mixes a batch's images."""
    ask = partial(logits, state, objective, twice_differentiable=twice_differentiable)
    real_NCHW = shown(state, objective, inputs, real_NCHW, "augment_real")
    fake_NCHW = shown(state, objective, inputs, fake_NCHW, "augment_fake")
    if state.mixes_images["discriminator"]:
        real = ask(inputs.condition, real_NCHW)
        return real, ask(inputs.condition, fake_NCHW)
    condition = None if inputs.condition is None else torch.cat([inputs.condition, inputs.condition])
    both_NCHW = torch.cat([_computed(objective, real_NCHW), _computed(objective, fake_NCHW)])
    real, fake = ask(condition, both_NCHW).chunk(2)
    return real, fake


def _computed(objective: Objective, images_NCHW: Tensor) -> Tensor:
    """Convert images to the first layer's format before they are copied, which halves the bytes for bfloat16."""
    return images_NCHW if objective.autocast_dtype is None else images_NCHW.to(objective.autocast_dtype)
