"""Deals: what a round is played with, dealt as a function of the spec's seed and the images seen."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from models import augment, specs
from models.data import ImageData, batches
from models.runtime.randomness import Chance, Purpose


@dataclass(frozen=True, eq=False)
class Deal:
    """One turn's cards: N real images, their classes where the networks are told them, and as much noise."""

    real_NCHW: Tensor
    labels: Tensor | None
    latents: Tensor
    images_seen: int
    """Before the turn: the place of all its chance."""
    turn: int
    """The discriminator's turns before this one."""
    salt: int
    source: Chance

    def chance(self, purpose: Purpose) -> torch.Generator:
        """The turn's own, anew at every call."""
        return self.source.at(purpose, self.images_seen, salt=self.salt)

    def parts(self, number: int) -> Iterator["Deal"]:
        """The deal in so many equal parts, each with chance of its own."""
        if number == 1:
            yield self
            return
        for place in range(number):
            yield self.part(place, of=number)

    def part(self, place: int, *, of: int) -> "Deal":
        """One of so many equal parts, counted from 0."""
        if of == 1:
            return self
        size = len(self.real_NCHW) // of
        cut = slice(place * size, (place + 1) * size)
        return Deal(
            real_NCHW=self.real_NCHW[cut],
            labels=None if self.labels is None else self.labels[cut],
            latents=self.latents[cut],
            images_seen=self.images_seen + place * size,
            turn=self.turn,
            salt=self.salt,
            source=self.source,
        )


class Dealer:
    def __init__(self, spec: specs.TrainingSpec, dataset: ImageData, *, device: torch.device) -> None:
        self._spec = spec
        self._device = device
        self._batches = batches.of(dataset, device=device, seed=spec.seed, batch_size=spec.batch_size)
        self._chance = Chance.on(device, seed=spec.seed)
        self._augment = augment.REGISTRY[spec.augment.kind].data

    def round(self, images_seen: int, *, salt: int) -> list[Deal]:
        """A deal for every turn that the discriminator has before the generator's."""
        spec = self._spec
        starts = range(images_seen, images_seen + spec.discriminator_steps * spec.batch_size, spec.batch_size)
        return [self._deal(start, salt=salt) for start in starts]

    def close(self) -> None:
        self._batches.close()

    def _deal(self, images_seen: int, *, salt: int) -> Deal:
        spec = self._spec
        batch = self._batches.at(images_seen)
        shape = spec.batch_size, spec.architecture.latent_dim
        chance = self._chance
        return Deal(
            real_NCHW=self._augment(spec.augment, batch.images_NCHW, chance.at("augment", images_seen, salt=salt)),
            labels=batch.labels if spec.labels else None,
            latents=torch.randn(shape, device=self._device, generator=chance.at("latents", images_seen, salt=salt)),
            images_seen=images_seen,
            turn=images_seen // spec.batch_size,
            salt=salt,
            source=chance,
        )
