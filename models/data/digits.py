"""The UCI handwritten digits that scikit-learn carries: 1,797 grey 8x8 images."""

from pathlib import Path
from typing import Literal

import numpy as np

from models.data.images import ImageData

TEST_EVERY = 6
"""Of the test split, every sixth image; the training split is the whole set, as a generator needs every image."""


def load(*, folder: Path, split: Literal["train", "test"]) -> ImageData:
    """All 1,797 images (train), or every sixth of them, 300 (test); grey levels 0..16 stretched to 0..255.

    The splits overlap: the set is too small to give any of it away. `folder` is not looked at.
    """
    del folder
    # Here, for it brings scipy: 80 MB that the API, which knows all datasets, can do without.
    from sklearn.datasets import load_digits  # noqa: PLC0415

    digits = load_digits()
    images = np.rint(digits.images * (255 / 16)).astype(np.uint8)[:, None]
    labels = digits.target.astype(np.int64)
    chosen = slice(None) if split == "train" else slice(None, None, TEST_EVERY)
    return ImageData(images_NCHW=images[chosen], labels=labels[chosen])
