"""The UCI handwritten digits that scikit-learn carries: 1,797 grey 8x8 images."""

from pathlib import Path
from typing import Literal

import numpy as np

from models.data.images import ImageData

TEST_EVERY = 6
"""The test split is every sixth image. The training split is the whole set, because a generator needs every image."""


def load(*, folder: Path, split: Literal["train", "holdout"]) -> ImageData:
    """Return all 1,797 images (train), or every sixth of them, 300 (holdout); grey levels 0..16 are scaled to 0..255.

    The splits overlap, because the set is too small to hold images back from training. `folder` is not used.
    """
    del folder
    # Imported here because it loads scipy: 80 MB that the API, which imports all datasets, does not need.
    from sklearn.datasets import load_digits  # noqa: PLC0415

    digits = load_digits()
    images = np.rint(digits.images * (255 / 16)).astype(np.uint8)[:, None]
    labels = digits.target.astype(np.int64)
    chosen = slice(None) if split == "train" else slice(None, None, TEST_EVERY)
    return ImageData(images_NCHW=images[chosen], labels=labels[chosen])
