"""Policies: random changes of images that gradients pass through, twice if need be (Zhao et al. 2020, DiffAugment).

Legend: N images a batch, C channels, H x W pixels, values in [-1, 1]. Every image draws for itself; draws have shape
N111. The ranges are the paper's: brightness within [-0.5, 0.5], saturation within [0, 2], contrast within [0.5, 1.5],
translation within [-1/8, 1/8] of the size, padded with zeros, and a cut-out square of half the size.
"""

from collections.abc import Callable

import torch
from torch import Generator, Tensor

from models.specs.augment import Policy

EMPTY = 0.0
"""What is shown where there is no image: the paper's zero, mid-grey in [-1, 1].

Not black: on a black background, as garments have, a hole or a shift would look like an image that the dataset could
hold, and little would keep the generator from drawing them itself. Grey gives the change away: a fake with a hole of
its own is shown with two, as no real image ever is. Changes of which the distribution can be undone do not leak (Karras
et al. 2020, section 2.2).
"""

Change = Callable[[Tensor, Generator], Tensor]
"""(images_NCHW, the source of rng on their device) -> images of the same shape."""


def color(images_NCHW: Tensor, rng: Generator) -> Tensor:
    """Brightness, then saturation, then contrast. Values may leave [-1, 1]: clipping would stop the gradient there."""
    images_NCHW = brighten(images_NCHW, _uniform(images_NCHW, -0.5, 0.5, rng))
    if images_NCHW.shape[1] > 1:  # One channel is its own mean: there is nothing to saturate.
        images_NCHW = saturate(images_NCHW, _uniform(images_NCHW, 0.0, 2.0, rng))
    return contrast(images_NCHW, _uniform(images_NCHW, 0.5, 1.5, rng))


def translation(images_NCHW: Tensor, rng: Generator) -> Tensor:
    """Up to an eighth of the size, rounded down, each way along both axes."""
    height, width = images_NCHW.shape[2:]
    down = _integers(images_NCHW, -(height // 8), height // 8, rng)
    return translate(images_NCHW, down, _integers(images_NCHW, -(width // 8), width // 8, rng))


def cutout(images_NCHW: Tensor, rng: Generator) -> Tensor:
    """Half the size, rounded down, along both axes.

    The hole's centre may lie anywhere in the image and the border clips it, as in the authors' code: so borders are cut
    as often as the middle, and at least about a quarter of the hole is in the image.
    """
    height, width = images_NCHW.shape[2:]
    size = height // 2, width // 2
    top, left = (
        _integers(images_NCHW, -(hole // 2), side - (hole + 1) // 2, rng)
        for side, hole in zip((height, width), size, strict=True)
    )
    return cut_out(images_NCHW, top, left, size=size)


def brighten(images_NCHW: Tensor, shift_N111: Tensor) -> Tensor:
    """x + shift."""
    return images_NCHW + shift_N111


def saturate(images_NCHW: Tensor, factor_N111: Tensor) -> Tensor:
    """m + factor (x - m), m the mean over the channels of a pixel."""
    mean_N1HW = images_NCHW.mean(1, keepdim=True)
    return mean_N1HW + factor_N111 * (images_NCHW - mean_N1HW)


def contrast(images_NCHW: Tensor, factor_N111: Tensor) -> Tensor:
    """m + factor (x - m), m the mean over all of an image."""
    mean_N111 = images_NCHW.mean((1, 2, 3), keepdim=True)
    return mean_N111 + factor_N111 * (images_NCHW - mean_N111)


def translate(images_NCHW: Tensor, down_N111: Tensor, right_N111: Tensor) -> Tensor:
    """y[i, j] = x[i - down, j - right], EMPTY where that is outside."""
    height, width = images_NCHW.shape[2:]
    rows, columns = _grid(images_NCHW)
    rows_N1H1, columns_N11W = rows - down_N111, columns - right_N111
    outside_N1HW = _beyond(rows_N1H1, height) | _beyond(columns_N11W, width)
    # Modulo rolls the image: every pixel is read once, so the gradient's scatter never adds up, in whatever order.
    pixels_N1P = (rows_N1H1 % height * width + columns_N11W % width).flatten(2)
    rolled_NCP = images_NCHW.flatten(2).gather(2, pixels_N1P.expand(-1, images_NCHW.shape[1], -1))
    return rolled_NCP.view(images_NCHW.shape).masked_fill(outside_N1HW, EMPTY)


def cut_out(images_NCHW: Tensor, top_N111: Tensor, left_N111: Tensor, *, size: tuple[int, int]) -> Tensor:
    """EMPTY in a hole of size (height, width), whose first row is `top` and first column `left`."""
    rows, columns = _grid(images_NCHW)
    height, width = size
    outside_N1HW = _beyond(rows - top_N111, height) | _beyond(columns - left_N111, width)
    return images_NCHW.masked_fill(~outside_N1HW, EMPTY)


def _grid(images_NCHW: Tensor) -> tuple[Tensor, Tensor]:
    """The numbers of the rows, H x 1, and of the columns, W."""
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


REGISTRY: dict[Policy, Change] = {"color": color, "translation": translation, "cutout": cutout}
