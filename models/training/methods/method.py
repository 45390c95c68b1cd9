"""Method: a way to train. It says which networks there are, what one step does and what that costs.

Legend: N images a batch, C channels, H x W pixels, values in [-1, 1].
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from models import specs
from models.runtime import parallel
from models.training.inputs import StepInputs
from models.training.state import Player, TrainingState

Gradients = list[Tensor]


@dataclass(frozen=True, eq=False)
class Shown:
    """The last images of a step."""

    real_NCHW: Tensor
    fake_NCHW: Tensor

    def diversity(self, *, group: parallel.Group = parallel.SOLO) -> Tensor:
        """Return how far apart the fakes are, measured by the real images: near 0 collapsed, 1 alike.

        All images that the group's processes have shown count. The measure is the ratio of the root mean square
        distances between two images of one batch, pixel by pixel; these are, but for a factor, the roots of the summed
        variances. It is cheap, and blind to what only a feature extractor sees.
        """
        real_NCHW, fake_NCHW = (group.gather(images.detach()) for images in (self.real_NCHW, self.fake_NCHW))
        spread_real, spread_fake = (images.float().var(0).sum().sqrt() for images in (real_NCHW, fake_NCHW))
        return spread_fake / spread_real.clamp(min=1e-6)


class Method(ABC):
    """Which specs a method trains, and what it needs of them, is said in `models.specs.methods`, under its name."""

    kept_passes: ClassVar[Mapping[str, int]]
    """By role, the number of forward passes for one image whose activations a step keeps."""

    @abstractmethod
    def __init__(self, spec: specs.TrainingSpec, *, device: torch.device) -> None:
        """Prepare to train a spec on a device. Whatever steps change is in the state, not here."""

    @staticmethod
    @abstractmethod
    def players(spec: specs.TrainingSpec) -> dict[str, Player]:
        """Return the networks by role; the generator's role is `generator`."""

    @staticmethod
    @abstractmethod
    def flops_per_image(spec: specs.TrainingSpec, passes: Mapping[str, float]) -> float:
        """Return the operations of training on one image, from those of each network's forward pass.

        A backward pass costs two, or one where no weight is learning.
        """

    @abstractmethod
    def step(self, state: TrainingState, inputs: Sequence[StepInputs]) -> Shown:
        """Update every network at least once: with inputs for each discriminator step before the generator's."""

    def has_compiled(self) -> bool:
        """Return whether a step has run that was compiled, where there is something to compile."""
        return True


def added(sums: Gradients | None, gradients: Sequence[Tensor]) -> Gradients:
    return list(gradients if sums is None else torch._foreach_add(sums, list(gradients)))


def mean(state: TrainingState, sums: Gradients) -> Gradients:
    """Return the mean over the parts of a batch, and over the processes that share it."""
    number = state.spec.accumulation_steps
    return state.group.mean(sums if number == 1 else torch._foreach_div(sums, number))
