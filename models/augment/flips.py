"""Mirroring of real images. Where mirrored images are natural, it doubles the dataset."""

import torch
from torch import Generator, Tensor

from models import specs


def never(spec: specs.NoAugment, images_NCHW: Tensor, rng: Generator) -> Tensor:
    del spec, rng
    return images_NCHW


def always(spec: specs.FlipAugment, images_NCHW: Tensor, rng: Generator) -> Tensor:
    del spec
    return flip(images_NCHW, rng)


def where_asked(spec: specs.DiffAugment | specs.AdaptiveAugment, images_NCHW: Tensor, rng: Generator) -> Tensor:
    return flip(images_NCHW, rng) if spec.flip else images_NCHW


def flip(images_NCHW: Tensor, rng: Generator) -> Tensor:
    """Mirror each image left to right with probability one half."""
    mirrored = torch.rand(len(images_NCHW), 1, 1, 1, device=images_NCHW.device, generator=rng) < 0.5
    return torch.where(mirrored, images_NCHW.flip(3), images_NCHW)
