"""The augmentations by kind: changes to images before the discriminator sees them.

Legend: N images a batch, C channels, H x W pixels, values in [-1, 1]; logits have shape N.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Generator, Tensor

from models.augment import adaptive, diffaugment, flips


@dataclass(frozen=True)
class Augment:
    data: Callable[[Any, Tensor, Generator], Tensor]
    """(its spec, real images_NCHW, rng) -> images that could belong to the dataset. Called once for each batch."""
    shown: Callable[[Any, Tensor, Generator, Mapping[str, Tensor]], Tensor] | None
    """(its spec, images_NCHW real or generated, rng, statistics) -> the images that the discriminator sees instead.

    Differentiable. None: the discriminator sees the unchanged images.
    """
    update: Callable[[Any, Tensor, dict[str, Tensor]], None] | None
    """(its spec, the logits of a step's real images, statistics): update the statistics, once a discriminator step.

    The statistics are small tensors on the logits' device, named `<kind>.<name>`. They are part of the run's state and
    may be missing at the start. None: the augmentation has no statistics.
    """
    strength: Callable[[Mapping[str, Tensor]], float] | None = None
    """(statistics) -> the probability of a change now. None: it is fixed."""


REGISTRY: dict[str, Augment] = {
    "none": Augment(flips.never, shown=None, update=None),
    "flip": Augment(flips.always, shown=None, update=None),
    "diffaugment": Augment(flips.where_asked, diffaugment.shown, update=None),
    "adaptive": Augment(flips.where_asked, adaptive.shown, adaptive.update, adaptive.strength),
}
