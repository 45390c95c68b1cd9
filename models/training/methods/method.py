"""Method: a way to train. It defines the networks, one step, and the step's cost.

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
    """The last real and generated images of a step, before the discriminator's augmentation."""

    real_NCHW: Tensor
    fake_NCHW: Tensor

    def diversity(self, *, group: parallel.Group = parallel.SOLO) -> Tensor:
        """Return the diversity of the fakes relative to the real images: near 0 if collapsed, 1 if equal.

        It covers the images of all processes of the group. It is the ratio of the root mean square distances between
        two images of a batch, pixel by pixel. Up to a common factor, these are the roots of the summed variances. The
        measure is cheap, and misses differences that only a feature extractor would find.
        """
        real_NCHW, fake_NCHW = (group.gather(images.detach()) for images in (self.real_NCHW, self.fake_NCHW))
        spread_real, spread_fake = (images.float().var(0).sum().sqrt() for images in (real_NCHW, fake_NCHW))
        return spread_fake / spread_real.clamp(min=1e-6)


class Method(ABC):
    """A way to train. Its entry in `models.specs.methods` decides which specs it trains and checks its requirements."""

    kept_passes: ClassVar[Mapping[str, int]]
    """The number of forward passes for one image whose activations a step keeps in memory, by role."""

    @abstractmethod
    def __init__(self, spec: specs.TrainingSpec, *, device: torch.device) -> None:
        """Prepare to train a spec on a device. Everything that steps change is in the state, not in the method."""

    @staticmethod
    @abstractmethod
    def players(spec: specs.TrainingSpec) -> dict[str, Player]:
        """Return the training settings of the networks by role. The generator's role is `generator`."""

    @staticmethod
    @abstractmethod
    def flops_per_image(spec: specs.TrainingSpec, passes: Mapping[str, float]) -> float:
        """Return the operations of training on one image; `passes` are those of each network's forward pass.

        A backward pass costs two forward passes, or one if it computes no gradients of weights.
        """

    @abstractmethod
    def step(self, state: TrainingState, inputs: Sequence[StepInputs]) -> Shown:
        """Update every network at least once. There is one item of `inputs` for each discriminator step."""

    def has_compiled(self) -> bool:
        """Return whether a compiled step has run. Always true for methods that compile no whole steps."""
        return True


def added(sums: Gradients | None, gradients: Sequence[Tensor]) -> Gradients:
    return list(gradients if sums is None else torch._foreach_add(sums, list(gradients)))


def mean(state: TrainingState, sums: Gradients) -> Gradients:
    """Return the mean over the parts of a batch, and over the processes that share it."""
    number = state.spec.accumulation_steps
    return state.group.mean(sums if number == 1 else torch._foreach_div(sums, number))
