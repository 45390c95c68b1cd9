"""Pixels: conversion between the stored format and the float32 -1..1 of networks.

Pictures are stored as uint8 0..255, points as float32 -1..1.
"""

from torch import Tensor, uint8


def to_float(stored: Tensor) -> Tensor:
    """Convert stored images for networks: 0..255 -> -1..1. For points, return the same tensor, unchanged."""
    return stored.float().div_(127.5).sub_(1) if stored.dtype == uint8 else stored


def to_stored(images: Tensor, *, points: bool) -> Tensor:
    """Convert the networks' images for viewers and metrics: to uint8 pixels, or to float32 for points."""
    return images.float() if points else to_uint8(images)


def to_uint8(images: Tensor) -> Tensor:
    """Convert -1..1 to 0..255, rounded to the nearest. Values outside are clipped."""
    return images.float().add(1).mul_(127.5).round_().clamp_(0, 255).to(uint8)
