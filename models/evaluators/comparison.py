"""Comparison: a generator's images and the dataset's."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

import torch
from torch import Tensor

from models import specs
from models.data import ImageData

REAL_IMAGES = 10_000
"""Fakes are compared with the dataset's first 10,000 images."""

Measure = Callable[[Tensor], Tensor]
"""(images_NCHW in the stored format) -> a tensor computed from them, such as features or classes."""

_of_real: dict[tuple[Measure, str, torch.device], Tensor] = {}


@dataclass(frozen=True, eq=False)
class Comparison:
    """A dataset and fakes to compare with it.

    `fake_NCHW` is in the stored format, uint8 pixels or float32 points. All measures are computed on its device.
    """

    spec: specs.Dataset
    dataset: ImageData
    fake_NCHW: Tensor
    _of_fake: dict[Measure, Tensor] = field(default_factory=dict)

    def both(self, measure: Measure) -> tuple[Tensor, Tensor]:
        """Return the measure of the real images and that of the fakes.

        Both are cached: for real images by their content, for the life of the process; for fakes in this comparison.
        """
        if measure not in self._of_fake:
            self._of_fake[measure] = measure(self.fake_NCHW)
        return self._real(measure), self._of_fake[measure]

    def _real(self, measure: Measure) -> Tensor:
        device = self.fake_NCHW.device
        compared = _compared(self.dataset)
        key = measure, compared.digest, device
        if key not in _of_real:
            _of_real[key] = measure(torch.tensor(compared.images_NCHW, device=device))
        return _of_real[key]


@lru_cache(maxsize=1)
def _compared(dataset: ImageData) -> ImageData:
    """Return the images that fakes are compared with.

    Cached, so that their digest is computed once. A digest of the whole dataset would read all of its files.
    """
    return ImageData(images_NCHW=dataset.images_NCHW[:REAL_IMAGES], labels=dataset.labels[:REAL_IMAGES])
