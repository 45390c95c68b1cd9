"""Mirroring real images, where a mirrored image is as natural: the dataset is twice as large."""

import torch
from torch import Generator, Tensor

from models import specs


def never(spec: specs.NoAugment, images_NCHW: Tensor, chance: Generator) -> Tensor:
    del spec, chance
    return images_NCHW


def always(spec: specs.FlipAugment, images_NCHW: Tensor, chance: Generator) -> Tensor:
    del spec
    return flip(images_NCHW, chance)


def where_asked(spec: specs.DiffAugment | specs.AdaptiveAugment, images_NCHW: Tensor, chance: Generator) -> Tensor:
    return flip(images_NCHW, chance) if spec.flip else images_NCHW


def flip(images_NCHW: Tensor, chance: Generator) -> Tensor:
    """Each image mirrored left to right with probability one half."""
    mirrored = torch.rand(len(images_NCHW), 1, 1, 1, device=images_NCHW.device, generator=chance) < 0.5
    return torch.where(mirrored, images_NCHW.flip(3), images_NCHW)
