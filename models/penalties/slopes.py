"""Penalties on the discriminator's gradient with respect to its input."""

import torch
from torch import Tensor

from models import specs
from models.penalties.context import PenaltyContext

CHW = (1, 2, 3)


def r1(spec: specs.R1Penalty, context: PenaltyContext) -> Tensor:
    """gamma/2 E |grad D(x)|^2: Mescheder et al. 2018, eq. 9."""
    return squared_norm(context.gradients_NCHW[0]) * (spec.weight / 2)


def r2(spec: specs.R2Penalty, context: PenaltyContext) -> Tensor:
    """gamma/2 E |grad D(G(z))|^2: Mescheder et al. 2018, eq. 10."""
    return squared_norm(context.gradients_NCHW[1]) * (spec.weight / 2)


def gradient_penalty(spec: specs.GradientPenalty, context: PenaltyContext) -> Tensor:
    """lambda E (|grad D(x^)| - 1)^2: Gulrajani et al. 2017, eq. 3.

    x^ = e x + (1 - e) G(z), with e ~ U[0, 1] drawn for each image.
    """
    real_NCHW, fake_NCHW = context.real_NCHW.detach(), context.fake_NCHW.detach()
    share = torch.rand(len(real_NCHW), 1, 1, 1, device=real_NCHW.device, dtype=real_NCHW.dtype, generator=context.rng)
    between_NCHW = share * real_NCHW + (1 - share) * fake_NCHW
    return distance_from_one(context.gradients_at(between_NCHW)) * spec.weight


def dragan(spec: specs.DraganPenalty, context: PenaltyContext) -> Tensor:
    """lambda E (|grad D(x + delta)| - 1)^2: Kodali et al. 2017, DRAGAN, with the noise of the authors' code.

    delta ~ U[0, reach s] for each pixel, where s is the standard deviation of the whole batch. The paper's text has
    normal noise.
    """
    real_NCHW = context.real_NCHW.detach()
    noise_NCHW = torch.rand(real_NCHW.shape, device=real_NCHW.device, dtype=real_NCHW.dtype, generator=context.rng)
    around_NCHW = real_NCHW + noise_NCHW * (spec.reach * real_NCHW.std(correction=0))
    return distance_from_one(context.gradients_at(around_NCHW)) * spec.weight


def squared_norm(gradients_NCHW: Tensor) -> Tensor:
    """Return E |g|^2, a scalar."""
    return gradients_NCHW.square().sum(CHW).mean()


def distance_from_one(gradients_NCHW: Tensor) -> Tensor:
    """Return E (|g| - 1)^2, a scalar. At g = 0, where the norm has no gradient, `vector_norm` gives 0, not NaN."""
    norms: Tensor = torch.linalg.vector_norm(gradients_NCHW, dim=CHW)
    return (norms - 1).square().mean()
