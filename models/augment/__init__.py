"""What is done to images before the discriminator sees them, by kind.

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
    """(its spec, real images_NCHW, chance) -> real images as the dataset could have held them. Once a batch."""
    judged: Callable[[Any, Tensor, Generator, Mapping[str, Tensor]], Tensor] | None
    """(its spec, images_NCHW real or generated, chance, memory) -> what the discriminator is shown, differentiable.

    None: the images themselves.
    """
    learn: Callable[[Any, Tensor, dict[str, Tensor]], None] | None
    """(its spec, the logits of a step's real images, memory): adapts the memory once a step of the discriminator.

    The memory holds small tensors on the logits' device, named `<kind>.<name>`. It is part of the run's state and may
    be empty at the start. None: nothing is remembered.
    """


REGISTRY: dict[str, Augment] = {
    "none": Augment(flips.never, judged=None, learn=None),
    "flip": Augment(flips.always, judged=None, learn=None),
    "diffaugment": Augment(flips.where_asked, diffaugment.judged, learn=None),
    "adaptive": Augment(flips.where_asked, adaptive.judged, adaptive.learn),
}
