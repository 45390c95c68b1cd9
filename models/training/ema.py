"""The exponential moving average of a generator."""

import torch
from torch import Tensor, nn

from models import specs


def keep_share(ema: specs.Ema, *, images_seen: int, step_images: int) -> float:
    """The share of the average that survives a step of so many images; 1/2 after one half-life.

    Early on the half-life is held to `ramp_up` times the images seen (Karras et al. 2020, the code of StyleGAN2).
    """
    half_life = min(float(ema.half_life_images), ema.ramp_up * images_seen)
    return float(0.5 ** (step_images / half_life)) if half_life > 0 else 0.0


@torch.no_grad()
def update(average: nn.Module, current: nn.Module, *, keep: float) -> None:
    """Moves the average's parameters and batch statistics towards the current ones; counters are copied.

    Statistics are averaged like the weights that they describe: the newest ones would not fit the averaged weights.
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
