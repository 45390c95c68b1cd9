"""The order in which a run sees a dataset's images. Each epoch shows every image once, in an order of its own."""

import torch
from torch import Tensor

from models.runtime import randomness


class Order:
    """The indices of each batch, as a function of the seed and the images seen. A batch may span two epochs.

    The order of the current epoch is cached.
    """

    def __init__(self, images: int, *, device: torch.device, seed: int, batch_size: int) -> None:
        self.batch_size = batch_size
        self._images = images
        self._device = device
        self._seed = seed
        self._epoch = -1
        self._order = torch.empty(0, dtype=torch.int64)

    def at(self, images_seen: int) -> Tensor:
        """Return the indices of the batch that starts after `images_seen` images."""
        epoch, start = divmod(images_seen, self._images)
        indices = self._of(epoch)[start : start + self.batch_size]
        if len(indices) < self.batch_size:
            rest = self._of(epoch + 1)[: self.batch_size - len(indices)]
            indices = torch.cat([indices, rest])
        return indices

    def _of(self, epoch: int) -> Tensor:
        if epoch != self._epoch:
            seed = randomness.derive(self._seed, purpose="order", at=epoch)
            order = torch.randperm(self._images, generator=torch.Generator().manual_seed(seed))
            self._order, self._epoch = order.to(self._device), epoch
        return self._order
