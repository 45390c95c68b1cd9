"""Measured figures: a value with the interval that its noise allows, or an error that says what is missing."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import torch
from torch import Tensor

CONFIDENCE = 0.95

Known = Callable[[str, Callable[[], Tensor]], Tensor]
"""(name, how to compute it) -> a statistic of the real images alone, which may have been kept from another time."""


def computed(name: str, compute: Callable[[], Tensor]) -> Tensor:
    """Compute a statistic anew."""
    return compute()


class NotMeasurable(ValueError):
    """A figure cannot be measured from so few images, or from features that are not finite. No number is returned."""


@dataclass(frozen=True)
class Measured:
    """A figure, and its 95 % interval under another draw of the generated images."""

    value: float
    low: float
    high: float
    note: str = ""
    """A part of the figure's name, such as the number of samples."""


def require(features: Tensor, *, least: int, of: str) -> None:
    """Raise NotMeasurable for fewer than `least` rows, or for values that are not finite. `of`: whose they are."""
    if len(features) < least:
        raise NotMeasurable(f"{len(features):,} {of} are too few: at least {least:,} are needed")
    if not torch.isfinite(features).all():
        raise NotMeasurable(f"the features of the {of} are not all finite")


def by_blocks(value: float, blocks: Sequence[float]) -> Measured:
    """Return a value with the interval that the figures of disjoint blocks give: Student's t of their mean."""
    number = len(blocks)
    if number < 2:
        return Measured(value, -math.inf, math.inf)
    mean = sum(blocks) / number
    deviation = math.sqrt(sum((block - mean) ** 2 for block in blocks) / (number - 1))
    reach = student(number - 1) * deviation / math.sqrt(number)
    return Measured(value, value - reach, value + reach)


def of_share(share: float, number: int) -> Measured:
    """Return a share of `number` independent images with Wilson's interval."""
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    centre = (share + z * z / (2 * number)) / (1 + z * z / number)
    reach = z / (1 + z * z / number) * math.sqrt(share * (1 - share) / number + z * z / (4 * number * number))
    return Measured(share, max(0.0, centre - reach), min(1.0, centre + reach))


def student(freedom: int) -> float:
    """Return how many standard errors a 95 % interval reaches to each side, with so many degrees of freedom."""
    # Imported here, as in `clusters`.
    from scipy import stats  # noqa: PLC0415

    return float(stats.t.ppf((1 + CONFIDENCE) / 2, freedom))
