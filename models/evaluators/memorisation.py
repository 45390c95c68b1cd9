"""Memorisation: whether a generator repeats its training images.

Each fake's nearest training image is compared with its nearest image of an equally large holdout. A generator that has
learned the distribution is as often nearer to one as to the other. One that copies is nearer to what it was trained on.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from models.evaluators import measured
from models.evaluators.measured import Measured

Pairs = tuple[tuple[int, int], ...]
"""The numbers of fakes and of the training images that are nearest to them."""

LEAST = 100
ROWS = 1_000
PAIRS = 16


@dataclass(frozen=True)
class Memorisation:
    """The share of fakes that are nearer to training images, and the fakes that are nearest to one."""

    share: Measured
    p_value: float
    """The probability of such a share or a larger one if it is one half: a one-sided binomial test."""
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
    # Imported here, as in `clusters`.
    from scipy import stats  # noqa: PLC0415

    number = min(len(train), len(holdout))
    train, holdout = train[:number], holdout[:number]
    to_train, nearest = _nearest(fake, train)
    to_holdout, _ = _nearest(fake, holdout)
    nearer = (to_train < to_holdout).double() + 0.5 * (to_train == to_holdout).double()
    share = nearer.mean().item()
    test = stats.binomtest(round(share * len(fake)), len(fake), alternative="greater")
    order = to_train.argsort()[:PAIRS]
    return Memorisation(
        share=measured.of_share(share, len(fake)),
        p_value=float(test.pvalue),
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
