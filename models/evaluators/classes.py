"""Class balance: whether each class is drawn as often as it should be, also by a generator without labels.

An image has the class of its nearest real image. Real images are judged alike, by the nearest other one, so that
classes that look alike do no harm.
"""

import torch
from torch import Tensor

from models.evaluators import measured
from models.evaluators.measured import Known, Measured, NotMeasurable, computed

LEAST_EXPECTED = 10
"""A class of which fewer samples are expected is never called missing."""
MISSING_BELOW = 0.2
ROWS = 1_000


def balance(real: Tensor, labels: Tensor, fake: Tensor, *, known: Known = computed) -> dict[str, Measured]:
    """Return `class_distance` and `missing_classes` for N x D features and the N classes of the real images.

    `class_distance` is the total variation between the classes' shares among samples and among real images: the share
    of samples whose class would have to be another. A class is missing if a fifth of the expected samples have it, or
    fewer.

    Raises NotMeasurable for fewer than 100 images, and if all real images have one class.
    """
    measured.require(real, least=100, of="real images")
    measured.require(fake, least=100, of="samples")
    if not (labels != labels[0]).any():
        raise NotMeasurable("the real images have one class alone")
    real, fake = (some.float() - real.float().mean(0) for some in (real, fake))
    real_classes = labels[known("nearest other image", lambda: _nearest(real, real, itself=False)).long()]
    fake_classes = labels[_nearest(fake, real)]
    number = int(labels.max()) + 1
    expected = _shares(real_classes, number)
    found = _shares(fake_classes, number)
    value = _distance(found, expected)
    blocks = [_distance(_shares(block, number), expected) for block in fake_classes.chunk(20)]
    counted = expected * len(fake) >= LEAST_EXPECTED
    missing = float((found[counted] < MISSING_BELOW * expected[counted]).sum())
    return {
        "class_distance": measured.by_blocks(value, blocks),
        "missing_classes": Measured(missing, missing, missing),
    }


def _nearest(points: Tensor, real: Tensor, *, itself: bool = True) -> Tensor:
    """Return the number of each point's nearest real image; of real images, without `itself`, that of another one."""
    lengths = real.square().sum(1)
    found = []
    for start in range(0, len(points), ROWS):
        squares = torch.addmm(lengths, points[start : start + ROWS], real.T, alpha=-2)
        if not itself:
            rows = torch.arange(len(squares), device=real.device)
            squares[rows, start + rows] = torch.inf
        found.append(squares.argmin(1))
    return torch.cat(found)


def _shares(classes: Tensor, number: int) -> Tensor:
    return torch.bincount(classes, minlength=number).double() / len(classes)


def _distance(found: Tensor, expected: Tensor) -> float:
    return 0.5 * (found - expected).abs().sum().item()
