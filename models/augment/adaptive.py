"""Adaptive augmentation: images are changed as often as the discriminator's overfitting calls for (Karras et al. 2020).

The control law of ADA with the policies of DiffAugment.
"""

from collections.abc import Mapping

import torch
from torch import Generator, Tensor

from models import specs
from models.augment import policies

P, SIGNS, IMAGES, STEPS = "adaptive.p", "adaptive.signs", "adaptive.images", "adaptive.steps"
"""The memory, float64 scalars: the probability, and since it last moved the sum of the real images' signs, the images
and the steps. In float32 the slowest speeds would be lost in rounding.
"""
INTERVAL_STEPS = 4


def judged(spec: specs.AdaptiveAugment, images_NCHW: Tensor, chance: Generator, memory: Mapping[str, Tensor]) -> Tensor:
    """Each policy, in the spec's order, changes each image with probability p, independently (section 2.3)."""
    p = memory.get(P, 0.0)
    for policy in spec.policies:
        changed_NCHW = policies.REGISTRY[policy](images_NCHW, chance)
        chosen_N111 = torch.rand(len(images_NCHW), 1, 1, 1, device=images_NCHW.device, generator=chance) < p
        images_NCHW = torch.where(chosen_N111, changed_NCHW, images_NCHW)
    return images_NCHW


def learn(spec: specs.AdaptiveAugment, logits: Tensor, memory: dict[str, Tensor]) -> None:
    """A step's: r_t = E[sign(D_train)], eq. 1, over four steps; then p rises if it is above the target and falls if
    below, by the images of these steps over `speed_images`, within [0, 1] (section 3).

    The memory's tensors are replaced, never written to. A logit that is NaN counts as neither sign.
    """
    zero = torch.zeros((), dtype=torch.float64, device=logits.device)
    p, signs, seen, steps = (memory.get(name, zero) for name in (P, SIGNS, IMAGES, STEPS))
    signs = signs + logits.detach().sign().sum(dtype=torch.float64)
    seen, steps = seen + len(logits), steps + 1
    due = steps >= INTERVAL_STEPS
    moved = p + (signs / seen - spec.target).sign() * seen / spec.speed_images
    memory[P] = torch.where(due, moved.clamp(0, 1), p)
    memory[SIGNS], memory[IMAGES], memory[STEPS] = (sums.masked_fill(due, 0) for sums in (signs, seen, steps))
