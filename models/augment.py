"""Augmentations of the real images."""

from collections.abc import Callable

import torch
from torch import Generator, Tensor

Augment = Callable[[Tensor, Generator], Tensor]
"""(images_NCHW, the source of chance on their device) -> images of the same shape."""


def none(images_NCHW: Tensor, chance: Generator) -> Tensor:
    del chance
    return images_NCHW


def flip(images_NCHW: Tensor, chance: Generator) -> Tensor:
    """Each image mirrored left to right with probability one half."""
    mirrored = torch.rand(len(images_NCHW), 1, 1, 1, device=images_NCHW.device, generator=chance) < 0.5
    return torch.where(mirrored, images_NCHW.flip(3), images_NCHW)


REGISTRY: dict[str, Augment] = {"none": none, "flip": flip}
