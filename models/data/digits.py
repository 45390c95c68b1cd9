"""The UCI handwritten digits that scikit-learn carries: 1,797 grey 8x8 images."""

from pathlib import Path
from typing import Literal

import numpy as np

from models.data.images import ImageData

HOLDOUT_EVERY = 6
"""The holdout is every sixth image. The training split is the others."""


def load(*, folder: Path, split: Literal["train", "holdout"]) -> ImageData:
    """Return 1,497 (train) or 300 (holdout) images; grey levels 0..16 are scaled to 0..255. `folder` is not used."""
    del folder
    # Imported here because it loads scipy: 80 MB that the API, which imports all datasets, does not need.
    from sklearn.datasets import load_digits  # noqa: PLC0415

    digits = load_digits()
    images = np.rint(digits.images * (255 / 16)).astype(np.uint8)[:, None]
    labels = digits.target.astype(np.int64)
    held_out = np.arange(len(labels)) % HOLDOUT_EVERY == 0
    chosen = held_out if split == "holdout" else ~held_out
    return ImageData(images_NCHW=images[chosen], labels=labels[chosen])
