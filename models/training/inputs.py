"""StepInputs: everything that a step reads, as a function of the spec's seed and the images seen."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from models import augment, specs
from models.data import ImageData, batches
from models.runtime.randomness import Purpose, RandomSource


@dataclass(frozen=True, eq=False)
class StepInputs:
    """N real images, N latents and the random sources of one discriminator step."""

    real_NCHW: Tensor
    condition: Tensor | None
    """N class numbers that condition the networks; None: the networks are unconditional."""
    latents: Tensor
    images_seen: int
    """Images seen before the step. All its random sources derive from this number."""
    number: int
    """The number of discriminator steps before this one."""
    salt: int
    source: RandomSource

    def rng(self, purpose: Purpose) -> torch.Generator:
        """Return the step's random generator for a purpose. Every call seeds it again."""
        return self.source.at(purpose, self.images_seen, salt=self.salt)

    def parts(self, number: int) -> Iterator["StepInputs"]:
        """Yield equal parts of the inputs, each with random sources of its own."""
        if number == 1:
            yield self
            return
        for place in range(number):
            yield self.part(place, of=number)

    def part(self, place: int, *, of: int) -> "StepInputs":
        """Return one of several equal parts, counted from 0."""
        if of == 1:
            return self
        size = len(self.real_NCHW) // of
        cut = slice(place * size, (place + 1) * size)
        return StepInputs(
            real_NCHW=self.real_NCHW[cut],
            condition=None if self.condition is None else self.condition[cut],
            latents=self.latents[cut],
            images_seen=self.images_seen + place * size,
            number=self.number,
            salt=self.salt,
            source=self.source,
        )


class InputPipeline:
    """Makes the inputs of a run's steps on its device. Must be closed."""

    def __init__(self, spec: specs.TrainingSpec, dataset: ImageData, *, device: torch.device) -> None:
        self._spec = spec
        self._device = device
        self._batches = batches.of(dataset, device=device, seed=spec.seed, batch_size=spec.batch_size)
        self._source = RandomSource.on(device, seed=spec.seed)
        self._augment = augment.REGISTRY[spec.augment.kind].data

    def step(self, images_seen: int, *, salt: int) -> list[StepInputs]:
        """Return the inputs of all discriminator steps up to the next generator step."""
        spec = self._spec
        starts = range(images_seen, images_seen + spec.discriminator_steps * spec.batch_size, spec.batch_size)
        return [self._inputs(start, salt=salt) for start in starts]

    def close(self) -> None:
        self._batches.close()

    def _inputs(self, images_seen: int, *, salt: int) -> StepInputs:
        spec, source = self._spec, self._source
        batch = self._batches.at(images_seen)
        shape = spec.batch_size, spec.architecture.latent_dim
        return StepInputs(
            real_NCHW=self._augment(spec.augment, batch.images_NCHW, source.at("augment", images_seen, salt=salt)),
            condition=batch.labels if spec.labels else None,
            latents=torch.randn(shape, device=self._device, generator=source.at("latents", images_seen, salt=salt)),
            images_seen=images_seen,
            number=images_seen // spec.batch_size,
            salt=salt,
            source=source,
        )
