"""Weight clipping: bounds each of the discriminator's weights."""

from collections.abc import Sequence

import torch
from torch import Tensor

from models import specs


@torch.no_grad()
def clip(spec: specs.WeightClip, parameters: Sequence[Tensor]) -> None:
    """Set w <- clip(w, -c, c) in place: Arjovsky et al. 2017, algorithm 1, line 7. NaN stays, so the guard finds it."""
    torch._foreach_clamp_min_(list(parameters), -spec.limit)
    torch._foreach_clamp_max_(list(parameters), spec.limit)
