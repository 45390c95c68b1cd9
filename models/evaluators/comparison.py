"""Comparison: a generator's images beside the data's."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

import torch
from torch import Tensor

from models import specs
from models.data import ImageData

REAL_IMAGES = 10_000
"""Fakes are compared with so many of the dataset's images, its first."""

Measure = Callable[[Tensor], Tensor]
"""What a network or a rule says of images_NCHW, as they are stored."""

_of_real: dict[tuple[Measure, str, torch.device], Tensor] = {}


@dataclass(frozen=True, eq=False)
class Comparison:
    """`fake_NCHW` lies on the device where everything is computed: uint8 pixels, float32 points."""

    spec: specs.Dataset
    dataset: ImageData
    fake_NCHW: Tensor
    _of_fake: dict[Measure, Tensor] = field(default_factory=dict)

    def both(self, measure: Measure) -> tuple[Tensor, Tensor]:
        """The measure of the real images, taken once a process for equal data, and of the fakes, taken once."""
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
    """The part that counts. Kept, so that its digest is taken once; the whole dataset's would read it all."""
    return ImageData(images_NCHW=dataset.images_NCHW[:REAL_IMAGES], labels=dataset.labels[:REAL_IMAGES])
