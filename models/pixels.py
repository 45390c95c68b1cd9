"""Pixels: uint8 0..255 outside, float32 -1..1 inside."""

from torch import Tensor, uint8


def to_float(images: Tensor) -> Tensor:
    """0..255 -> -1..1."""
    return images.float().div_(127.5).sub_(1)


def to_uint8(images: Tensor) -> Tensor:
    """-1..1 -> 0..255, rounded to the nearest; what lies outside is clipped."""
    return images.float().add(1).mul_(127.5).round_().clamp_(0, 255).to(uint8)
