"""Pixels: stored outside as uint8 0..255, or as float32 -1..1 where images are points; float32 -1..1 inside."""

from torch import Tensor, uint8


def to_float(stored: Tensor) -> Tensor:
    """What networks see: 0..255 -> -1..1; points are that already and stay the very tensor."""
    return stored.float().div_(127.5).sub_(1) if stored.dtype == uint8 else stored


def to_stored(images: Tensor, *, points: bool) -> Tensor:
    """What viewers and metrics see of the networks' images: uint8 pixels, or float32 points as they are."""
    return images.float() if points else to_uint8(images)


def to_uint8(images: Tensor) -> Tensor:
    """-1..1 -> 0..255, rounded to the nearest; what lies outside is clipped."""
    return images.float().add(1).mul_(127.5).round_().clamp_(0, 255).to(uint8)
