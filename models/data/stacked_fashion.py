"""Stacked Fashion-MNIST: three garments as red, green and blue. A classifier can count its thousand modes.

It follows Stacked MNIST (Metz et al. 2017, section 3.3.1), with garments instead of digits.
"""

from pathlib import Path
from typing import Literal

import numpy as np

from models.data import fashion_mnist
from models.data.images import ImageData

SEED = 20_170_801


def load(*, folder: Path, split: Literal["train", "holdout"]) -> ImageData:
    """Return 60,000 (train) or 10,000 (holdout) RGB 28x28 images.

    Each channel is Fashion-MNIST's split in an order of its own. The label is 100 a + 10 b + c for garments a, b, c in
    red, green and blue. Raises DatasetMissing or DatasetCorrupt.
    """
    garments = fashion_mnist.load(folder=folder, split=split)
    rng = np.random.default_rng(SEED)
    orders_N3 = np.stack([rng.permutation(len(garments)) for _ in range(3)], axis=1)
    return ImageData(
        images_NCHW=garments.images_NCHW[:, 0][orders_N3],
        labels=garments.labels[orders_N3] @ np.array([100, 10, 1]),
    )
