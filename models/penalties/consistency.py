"""The consistency penalty: penalises changes of the logits when images are shifted or mirrored."""

import torch
from torch import Generator, Tensor

from models import specs
from models.penalties.context import PenaltyContext


def consistency(spec: specs.ConsistencyPenalty, context: PenaltyContext) -> Tensor:
    """lambda E (D(T(x)) - D(x))^2 + lambda E (D(T(G(z))) - D(G(z)))^2: Zhao et al. 2021, bCR (algorithm 1)."""
    changes = (
        context.logits_of(moved(spec, images_NCHW.detach(), context.rng)) - logits
        for images_NCHW, logits in ((context.real_NCHW, context.real_logits), (context.fake_NCHW, context.fake_logits))
    )
    real, fake = (change.square().mean() for change in changes)
    return (real + fake) * spec.weight


def moved(spec: specs.ConsistencyPenalty, images_NCHW: Tensor, rng: Generator) -> Tensor:
    """Return T(x): each image shifted by up to `shift_pixels` each way and, if `flip` is set, randomly mirrored.

    An image is mirrored with probability one half. Pixels that a shift uncovers are the image's reflection about its
    outermost pixels (Zhang et al. 2020, CR-GAN).
    """
    number, channels, height, width = images_NCHW.shape
    rows = _places(number, height, spec.shift_pixels, rng)
    columns = _places(number, width, spec.shift_pixels, rng)
    if spec.flip:
        mirrored = torch.rand(number, 1, device=images_NCHW.device, generator=rng) < 0.5
        columns = torch.where(mirrored, width - 1 - columns, columns)
    pixels = (rows[:, :, None] * width + columns[:, None, :]).view(number, 1, height * width)
    return images_NCHW.flatten(2).gather(2, pixels.expand(-1, channels, -1)).view(images_NCHW.shape)


def _places(number: int, length: int, most: int, rng: Generator) -> Tensor:
    """Return the source of each row (or column) of each image after a random shift: number x length, reflected."""
    shifts = torch.randint(-most, most + 1, (number, 1), device=rng.device, generator=rng)
    last = length - 1
    there_and_back = (torch.arange(length, device=rng.device) + shifts) % max(2 * last, 1)
    return last - (last - there_and_back).abs()
