"""Policies: random changes of images that can be differentiated twice (Zhao et al. 2020, DiffAugment).

Legend: N images a batch, C channels, H x W pixels, values in [-1, 1]. Each image gets random numbers of its own, of
shape N111. The ranges are the paper's: brightness within [-0.5, 0.5], saturation within [0, 2], contrast within
[0.5, 1.5], translation within [-1/8, 1/8] of the size, padded with zeros, and a cut-out square of half the size.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from models.specs.augment import Policy

EMPTY = 0.0
"""Value of pixels that lie outside the image: the paper's zero, mid-grey in [-1, 1].

It is not black, because garments have a black background: a black hole or shift would look like an image of the
dataset, and the generator could learn to draw it. Grey makes the change visible: a fake that has a hole already is
shown with two, which never happens to a real image. A change whose effect on the distribution can be undone does not
leak (Karras et al. 2020, section 2.2).
"""

Numbers = tuple[Tensor, ...]


@dataclass(frozen=True)
class Change:
    draw: Callable[[Tensor, Generator], Numbers]
    """(images_NCHW, rng on their device) -> the random numbers of each image."""
    apply: Callable[[Tensor, Numbers], Tensor]
    """(images_NCHW, their numbers) -> images of the same shape. Each depends on its own numbers alone."""


def _draw_color(images_NCHW: Tensor, rng: Generator) -> Numbers:
    brightness = _uniform(images_NCHW, -0.5, 0.5, rng)
    # A single channel equals its mean, so saturation would change nothing.
    saturation = (_uniform(images_NCHW, 0.0, 2.0, rng),) if images_NCHW.shape[1] > 1 else ()
    return (brightness, *saturation, _uniform(images_NCHW, 0.5, 1.5, rng))


def _color(images_NCHW: Tensor, numbers: Numbers) -> Tensor:
    """Change brightness, then saturation, then contrast.

    Values may leave [-1, 1]: clipping would stop the gradient there.
    """
    brightness_N111, *saturation, contrast_N111 = numbers
    images_NCHW = brighten(images_NCHW, brightness_N111)
    for factor_N111 in saturation:
        images_NCHW = saturate(images_NCHW, factor_N111)
    return contrast(images_NCHW, contrast_N111)


def _draw_translation(images_NCHW: Tensor, rng: Generator) -> Numbers:
    """Draw shifts by up to an eighth of the size, rounded down, each way along both axes."""
    height, width = images_NCHW.shape[2:]
    return tuple(_integers(images_NCHW, -(side // 8), side // 8, rng) for side in (height, width))


def _draw_cutout(images_NCHW: Tensor, rng: Generator) -> Numbers:
    """Draw places of a hole of half the size, rounded down, along both axes.

    The hole's centre may lie anywhere in the image, and the border clips the hole, as in the authors' code. So borders
    are cut as often as the middle, and at least about a quarter of the hole is in the image.
    """
    height, width = images_NCHW.shape[2:]
    return tuple(
        _integers(images_NCHW, -(side // 2 // 2), side - (side // 2 + 1) // 2, rng) for side in (height, width)
    )


def _cutout(images_NCHW: Tensor, numbers: Numbers) -> Tensor:
    height, width = images_NCHW.shape[2:]
    return cut_out(images_NCHW, *numbers, size=(height // 2, width // 2))


def brighten(images_NCHW: Tensor, shift_N111: Tensor) -> Tensor:
    """Return x + shift."""
    return images_NCHW + shift_N111


def saturate(images_NCHW: Tensor, factor_N111: Tensor) -> Tensor:
    """Return m + factor (x - m), where m is the mean over the channels of a pixel."""
    mean_N1HW = images_NCHW.mean(1, keepdim=True)
    return mean_N1HW + factor_N111 * (images_NCHW - mean_N1HW)


def contrast(images_NCHW: Tensor, factor_N111: Tensor) -> Tensor:
    """Return m + factor (x - m), where m is the mean over the whole image."""
    mean_N111 = images_NCHW.mean((1, 2, 3), keepdim=True)
    return mean_N111 + factor_N111 * (images_NCHW - mean_N111)


def translate(images_NCHW: Tensor, down_N111: Tensor, right_N111: Tensor) -> Tensor:
    """Return y[i, j] = x[i - down, j - right], EMPTY where that is outside."""
    height, width = images_NCHW.shape[2:]
    rows, columns = _grid(images_NCHW)
    rows_N1H1, columns_N11W = rows - down_N111, columns - right_N111
    outside_N1HW = _beyond(rows_N1H1, height) | _beyond(columns_N11W, width)
    # Modulo rolls the image, so every pixel is read once. The gradient's scatter then adds nothing up, and so does not
    # depend on the order of additions.
    pixels_N1P = (rows_N1H1 % height * width + columns_N11W % width).flatten(2)
    rolled_NCP = images_NCHW.flatten(2).gather(2, pixels_N1P.expand(-1, images_NCHW.shape[1], -1))
    return rolled_NCP.view(images_NCHW.shape).masked_fill(outside_N1HW, EMPTY)


def cut_out(images_NCHW: Tensor, top_N111: Tensor, left_N111: Tensor, *, size: tuple[int, int]) -> Tensor:
    """Set a hole of size (height, width) to EMPTY; its first row is `top` and its first column `left`."""
    rows, columns = _grid(images_NCHW)
    height, width = size
    outside_N1HW = _beyond(rows - top_N111, height) | _beyond(columns - left_N111, width)
    return images_NCHW.masked_fill(~outside_N1HW, EMPTY)


def _grid(images_NCHW: Tensor) -> tuple[Tensor, Tensor]:
    """Return the indices of the rows, H x 1, and of the columns, W."""
    height, width = images_NCHW.shape[2:]
    device = images_NCHW.device
    return torch.arange(height, device=device).unsqueeze(1), torch.arange(width, device=device)


def _beyond(places: Tensor, end: int) -> Tensor:
    return (places < 0) | (places >= end)


def _uniform(images_NCHW: Tensor, low: float, high: float, rng: Generator) -> Tensor:
    shape = len(images_NCHW), 1, 1, 1
    unit_N111 = torch.rand(shape, dtype=images_NCHW.dtype, device=images_NCHW.device, generator=rng)
    return low + (high - low) * unit_N111


def _integers(images_NCHW: Tensor, lowest: int, highest: int, rng: Generator) -> Tensor:
    shape = len(images_NCHW), 1, 1, 1
    return torch.randint(lowest, highest + 1, shape, device=images_NCHW.device, generator=rng)


REGISTRY: dict[Policy, Change] = {
    "color": Change(_draw_color, _color),
    "translation": Change(_draw_translation, lambda images_NCHW, numbers: translate(images_NCHW, *numbers)),
    "cutout": Change(_draw_cutout, _cutout),
}
