"""Fit a picture into a square: cut, padded or distorted, and resampled.

Resampling is Pillow's LANCZOS, which averages over all pixels that an image shrinks by.
"""

from dataclasses import dataclass
from typing import Literal

from PIL import Image


@dataclass(frozen=True)
class Wish:
    """The size and the channels that every picture gets."""

    resolution: int
    fit: Literal["crop", "pad", "stretch"]
    channels: Literal["auto", 1, 3]
    """auto: 3 for now. Whether all pictures are grey is known at the end."""
    background: tuple[int, int, int]


def fitted(image: Image.Image, *, wish: Wish, notes: list[str], gap: float | None) -> Image.Image:
    """Return the square image of the wanted resolution."""
    side, (width, height) = wish.resolution, image.size
    box: tuple[float, float, float, float] = (0, 0, width, height)
    target = side, side
    measured = min(width, height)
    if width != height:
        if wish.fit == "crop":
            square = min(width, height)
            left, top = (width - square) / 2, (height - square) / 2
            box = left, top, left + square, top + square
            notes.append("cropped")
        elif wish.fit == "pad":
            measured = max(width, height)
            target = max(1, round(side * width / measured)), max(1, round(side * height / measured))
            notes.append("padded")
        else:
            notes.append("stretched")
    if measured < side:
        notes.append("enlarged")
    elif measured > side:
        notes.append("shrunk")
    if target == (width, height) and box == (0, 0, width, height):
        small = image
    else:
        small = image.resize(target, Image.Resampling.LANCZOS, box=box, reducing_gap=gap)
    if target == (side, side):
        return small
    if small.mode == "L" and len(set(wish.background)) > 1:
        small = small.convert("RGB")
    ground = Image.new(small.mode, (side, side), wish.background if small.mode == "RGB" else wish.background[0])
    ground.paste(small, ((side - target[0]) // 2, (side - target[1]) // 2))
    return ground
