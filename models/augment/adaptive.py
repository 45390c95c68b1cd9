"""Adaptive augmentation: the probability of a change follows the discriminator's overfitting (Karras et al. 2020, ADA).

It combines the control law of ADA with the policies of DiffAugment.
"""

from collections.abc import Mapping

import torch
from torch import Generator, Tensor

from models import specs
from models.augment import policies

P, SIGNS, IMAGES, STEPS = "adaptive.p", "adaptive.signs", "adaptive.images", "adaptive.steps"
"""Names of the statistics, float64 scalars: the probability p, and three sums since p last moved: the signs of the real
images' logits, the images, and the steps. In float32 the slowest speeds would be lost in rounding.
"""
INTERVAL_STEPS = 4


def shown(spec: specs.AdaptiveAugment, images_NCHW: Tensor, rng: Generator, statistics: Mapping[str, Tensor]) -> Tensor:
    """Apply each policy, in the spec's order, to each image with probability p, independently (section 2.3)."""
    p = statistics.get(P, 0.0)
    for policy in spec.policies:
        change = policies.REGISTRY[policy]
        numbers = change.draw(images_NCHW, rng)
        chosen_N = torch.rand(len(images_NCHW), device=images_NCHW.device, generator=rng) < p
        images_NCHW = _changed(change, images_NCHW, numbers, chosen_N)
    return images_NCHW


def _changed(change: policies.Change, images_NCHW: Tensor, numbers: policies.Numbers, chosen_N: Tensor) -> Tensor:
    """Change the chosen images. Where the host can look, the others cost nothing."""
    if not _host_sees(images_NCHW):
        return torch.where(chosen_N[:, None, None, None], change.apply(images_NCHW, numbers), images_NCHW)
    places = chosen_N.nonzero().squeeze(1)
    if len(places) == 0:
        return images_NCHW
    changed_NCHW = change.apply(images_NCHW[places], tuple(each[places] for each in numbers))
    return images_NCHW.index_copy(0, places, changed_NCHW)


def _host_sees(images_NCHW: Tensor) -> bool:
    """Return whether the host can look at a tensor without waiting for a device."""
    return images_NCHW.device.type == "cpu"


def strength(statistics: Mapping[str, Tensor]) -> float:
    """Return the probability p of each change."""
    return float(statistics.get(P, 0.0))


def update(spec: specs.AdaptiveAugment, logits: Tensor, statistics: dict[str, Tensor]) -> None:
    """Add a step's logits to r_t = E[sign(D_train)], eq. 1, and adapt p every four steps (section 3).

    p rises if r_t is above the target and falls if r_t is below it, by the images of the four steps divided by
    `speed_images`, within [0, 1]. The tensors of the statistics are replaced, never written to. A logit that is NaN
    counts as neither sign.
    """
    zero = torch.zeros((), dtype=torch.float64, device=logits.device)
    p, signs, seen, steps = (statistics.get(name, zero) for name in (P, SIGNS, IMAGES, STEPS))
    signs = signs + logits.detach().sign().sum(dtype=torch.float64)
    seen, steps = seen + len(logits), steps + 1
    due = steps >= INTERVAL_STEPS
    moved = p + (signs / seen - spec.target).sign() * seen / spec.speed_images
    statistics[P] = torch.where(due, moved.clamp(0, 1), p)
    for name, total in ((SIGNS, signs), (IMAGES, seen), (STEPS, steps)):
        statistics[name] = total.masked_fill(due, 0)
