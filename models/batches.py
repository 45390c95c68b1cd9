"""Real images in batches, as a function of the seed and the images seen."""

from dataclasses import dataclass

import torch
from torch import Tensor

from models import pixels, randomness
from models.data import ImageData


@dataclass(frozen=True, eq=False)
class Batch:
    images_NCHW: Tensor
    """float32 in [-1, 1], the caller's own."""
    labels: Tensor
    """N class numbers, int64."""


class Batches:
    """An endless sequence of epochs, each in its own order, cut into batches that may span two epochs.

    Images and labels stay on the device, images as they are stored; a batch is one gather of each.
    """

    def __init__(self, dataset: ImageData, *, device: torch.device, seed: int, batch_size: int) -> None:
        self._images_NCHW = torch.tensor(dataset.images_NCHW, device=device)
        self._labels = torch.tensor(dataset.labels, device=device)
        self._seed = seed
        self._batch_size = batch_size
        self._epoch = -1
        self._order = torch.empty(0, dtype=torch.int64)

    def at(self, images_seen: int) -> Batch:
        """The batch that follows so many images."""
        epoch, start = divmod(images_seen, len(self._labels))
        indices = self._order_of(epoch)[start : start + self._batch_size]
        if len(indices) < self._batch_size:
            rest = self._order_of(epoch + 1)[: self._batch_size - len(indices)]
            indices = torch.cat([indices, rest])
        return Batch(pixels.to_float(self._images_NCHW[indices]), self._labels[indices])

    def _order_of(self, epoch: int) -> Tensor:
        if epoch != self._epoch:
            seed = randomness.derive(self._seed, purpose="order", at=epoch)
            order = torch.randperm(len(self._labels), generator=torch.Generator().manual_seed(seed))
            self._order, self._epoch = order.to(self._labels.device), epoch
        return self._order
