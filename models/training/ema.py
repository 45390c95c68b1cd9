"""The exponential moving average of a generator."""

import torch
from torch import Tensor, nn

from models import specs


def keep_share(ema: specs.Ema, *, images_seen: int, step_images: int) -> float:
    """Return the share of the average that remains after a step of `step_images` images: 1/2 for one half-life.

    The half-life is at most `ramp_up` times the images seen (Karras et al. 2020, the code of StyleGAN2).
    """
    half_life = min(float(ema.half_life_images), ema.ramp_up * images_seen)
    return float(0.5 ** (step_images / half_life)) if half_life > 0 else 0.0


@torch.no_grad()
def update(average: nn.Module, current: nn.Module, *, keep: float) -> None:
    """Move the average's parameters and batch statistics towards the current ones. Counters are copied.

    Batch statistics are averaged like the weights, because the newest ones would not fit the averaged weights.
    """
    kept: list[Tensor] = list(average.parameters())
    moved: list[Tensor] = list(current.parameters())
    for buffer, newer in zip(average.buffers(), current.buffers(), strict=True):
        if buffer.is_floating_point():
            kept.append(buffer)
            moved.append(newer)
        else:
            buffer.copy_(newer)
    torch._foreach_lerp_(kept, moved, 1 - keep)
