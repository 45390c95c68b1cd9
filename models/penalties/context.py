"""PenaltyContext: the inputs of a penalty in a discriminator step.

Legend: N images a batch, C channels, H x W pixels, values in [-1, 1]; logits have shape N.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from models.runtime import parallel


@dataclass(frozen=True, eq=False)
class PenaltyContext:
    """A batch of real and of generated images, their logits, and a function for the logits of other images.

    If a penalty of this step needs gradients, both image tensors require grad, and each logit depends on its own image
    alone.
    """

    real_NCHW: Tensor
    fake_NCHW: Tensor
    real_logits: Tensor
    fake_logits: Tensor
    logits_of: Callable[[Tensor], Tensor]
    """N images -> N float32 logits that can be differentiated twice, under the batch's condition."""
    rng: torch.Generator
    """A random generator on the images' device."""
    statistics: dict[str, Tensor]
    """Small tensors that penalties keep between steps, named `<kind>.<name>`; saved in checkpoints."""
    group: parallel.Group = parallel.SOLO
    """The processes that share the batch. Statistics are means over all of them."""

    @cached_property
    def gradients_NCHW(self) -> tuple[Tensor, Tensor]:
        """dD/dx at the real and at the generated images, differentiable once more. Computed once for all penalties."""
        total = self.real_logits.sum() + self.fake_logits.sum()
        real, fake = torch.autograd.grad(total, (self.real_NCHW, self.fake_NCHW), create_graph=True)
        return real, fake

    def gradients_at(self, images_NCHW: Tensor) -> Tensor:
        """Return dD/dx at other images, differentiable once more. The images themselves are detached."""
        images_NCHW = images_NCHW.detach().requires_grad_()
        (gradients_NCHW,) = torch.autograd.grad(self.logits_of(images_NCHW).sum(), images_NCHW, create_graph=True)
        return gradients_NCHW
