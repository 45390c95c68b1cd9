"""Memorisation: whether a generator repeats its training images.

Each fake's nearest training image is compared with its nearest image of an equally large holdout. A generator that has
learned the distribution is as often nearer to one as to the other. One that copies is nearer to what it was trained on.

Many fakes may have the same nearest image: bad fakes do. On which side that image is, is chance, and decides for all of
them. So the interval is that of the share if the real images had been dealt out to the two sides otherwise.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

import torch
from torch import Tensor

from models.evaluators import measured
from models.evaluators.measured import Measured

Pairs = tuple[tuple[int, int], ...]
"""The numbers of fakes and of the training images that are nearest to them."""

NORMAL = NormalDist()
LEAST = 100
ROWS = 1_000
PAIRS = 16


@dataclass(frozen=True)
class Memorisation:
    """The share of fakes that are nearer to training images, and the fakes that are nearest to one."""

    share: Measured
    p_value: float
    """The probability of such a share or a larger one without memorisation."""
    distance_train: Measured
    distance_holdout: Measured
    """The mean distance to the nearest image."""
    pairs: Pairs
    """The fakes that are nearest to a training image, nearest first."""


def memorisation(train: Tensor, holdout: Tensor, fake: Tensor) -> Memorisation:
    """Compare the N x D features of fakes with those of training images and holdout images: of the first, equally many.

    Raises NotMeasurable for fewer than 100 images.
    """
    measured.require(holdout, least=LEAST, of="holdout images")
    measured.require(train, least=LEAST, of="training images")
    measured.require(fake, least=LEAST, of="samples")
    number = min(len(train), len(holdout))
    train, holdout = train[:number], holdout[:number]
    to_train, nearest = _nearest(fake, train)
    to_holdout, other = _nearest(fake, holdout)
    nearer = (to_train < to_holdout).double() + 0.5 * (to_train == to_holdout).double()
    share = nearer.mean().item()
    # Of all real images together, the nearest one, and how many fakes share it.
    fakes_of = torch.bincount(torch.where(to_train <= to_holdout, nearest, number + other)).double()
    deviation = 0.5 * fakes_of.square().sum().sqrt().item() / len(fake)
    reach = NORMAL.inv_cdf((1 + measured.CONFIDENCE) / 2) * deviation
    order = to_train.argsort()[:PAIRS]
    return Memorisation(
        share=Measured(share, max(0.0, share - reach), min(1.0, share + reach)),
        p_value=0.5 * math.erfc((share - 0.5) / deviation / math.sqrt(2)),
        distance_train=_mean(to_train),
        distance_holdout=_mean(to_holdout),
        pairs=tuple(zip(order.tolist(), nearest[order].tolist(), strict=True)),
    )


def _nearest(fake: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
    """Return the distance of each fake to its nearest real image, and that image's number."""
    starts = range(0, len(fake), ROWS)
    parts = [torch.cdist(fake[start : start + ROWS].double(), real.double()).min(1) for start in starts]
    return torch.cat([part.values for part in parts]), torch.cat([part.indices for part in parts])


def _mean(distances: Tensor) -> Measured:
    return measured.by_blocks(distances.mean().item(), [part.mean().item() for part in distances.chunk(20)])
