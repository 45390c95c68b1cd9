"""Ring and grid: Gaussians in the plane, whose modes can be counted. A point is an image of 2 channels and 1x1 pixels.

They are PacGAN's distributions (Lin et al. 2018, section 4.1), scaled into [-1, 1]. In the paper the ring has radius 1
and deviation 0.01; the grid has centres at -4, -2, ..., 4 and variance 0.0025.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models.data.images import ImageData

POINTS = {"train": 100_000, "holdout": 10_000}
SEEDS = {"train": 20_181_201, "holdout": 20_181_202}


@dataclass(frozen=True, eq=False)
class Gaussians:
    """A mixture of isotropic Gaussians with the same deviation and equal weights."""

    centres: NDArray[np.float64]
    """Shape: modes x 2."""
    deviation: float
    """The standard deviation along each axis."""

    def load(self, *, folder: Path, split: Literal["train", "holdout"]) -> ImageData:
        """Return 100,000 (train) or 10,000 (holdout) points, float32, the same every time.

        The label of point i is its mode, i mod M for M modes. `folder` is not used.
        """
        del folder
        labels = np.arange(POINTS[split], dtype=np.int64) % len(self.centres)
        noise = np.random.default_rng(SEEDS[split]).standard_normal((len(labels), 2))
        points = (self.centres[labels] + self.deviation * noise).astype(np.float32)
        return ImageData(images_NCHW=points[:, :, None, None], labels=labels)


def _ring() -> NDArray[np.float64]:
    angles = np.arange(8) * (2 * np.pi / 8)
    return 0.75 * np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _grid() -> NDArray[np.float64]:
    places = 0.4 * np.arange(-2, 3)
    return np.stack(np.meshgrid(places, places, indexing="ij"), axis=2).reshape(-1, 2)


RING = Gaussians(_ring(), deviation=0.0075)
GRID = Gaussians(_grid(), deviation=0.01)
