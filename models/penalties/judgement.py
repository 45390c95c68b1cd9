"""Judgement: what a discriminator says about a batch of each kind, and how to ask it about others.

Legend: N images a batch, C channels, H x W pixels, values in [-1, 1]; logits have shape N.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from models.runtime import parallel


@dataclass(frozen=True, eq=False)
class Judgement:
    """What a discriminator says about a batch of each kind.

    Where a penalty that needs gradients is due, both image tensors require grad and the logits come from them, each
    from its own image.
    """

    real_NCHW: Tensor
    fake_NCHW: Tensor
    real: Tensor
    """N logits of the real images."""
    fake: Tensor
    """N logits of the generated images."""
    judge: Callable[[Tensor], Tensor]
    """N images -> N float32 logits that can be differentiated twice; the batch's labels are bound in."""
    chance: torch.Generator
    """On the images' device."""
    memory: dict[str, Tensor]
    """Small tensors that a penalty keeps between steps, under "<kind>.<name>"; saved in checkpoints."""
    group: parallel.Group = parallel.SOLO
    """The processes that judge a batch together; what goes into the memory is the mean over them."""

    @cached_property
    def gradients_NCHW(self) -> tuple[Tensor, Tensor]:
        """dD/dx at the real and at the generated images, differentiable once more; one pass serves all penalties."""
        total = self.real.sum() + self.fake.sum()
        real, fake = torch.autograd.grad(total, (self.real_NCHW, self.fake_NCHW), create_graph=True)
        return real, fake

    def gradients_at(self, images_NCHW: Tensor) -> Tensor:
        """dD/dx at other images, differentiable once more; nothing is learnt about where the images come from."""
        images_NCHW = images_NCHW.detach().requires_grad_()
        (gradients_NCHW,) = torch.autograd.grad(self.judge(images_NCHW).sum(), images_NCHW, create_graph=True)
        return gradients_NCHW
