"""Real images in batches, as a function of the seed and the images seen, from the device's memory or the host's."""

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.data import ImageData, pixels
from models.data.order import Order
from models.runtime import memory

LOOK_AHEAD = 4
"""Number of batches that are gathered ahead of use, each by a thread of its own."""
CHUNK_BYTES = 32 * 2**20


@dataclass(frozen=True, eq=False)
class Batch:
    images_NCHW: Tensor
    """float32 in [-1, 1]. The caller may change it."""
    labels: Tensor
    """N class numbers, int64."""


class Batches(Protocol):
    """An endless sequence of epochs, each in an order of its own, cut into batches. A batch may span two epochs."""

    def at(self, images_seen: int) -> Batch:
        """Return the batch that starts after `images_seen` images. Any order of calls works; ascending is fastest."""
        ...

    def close(self) -> None:
        """End the threads, if there are any."""
        ...


def of(dataset: ImageData, *, device: torch.device, seed: int, batch_size: int) -> Batches:
    """Return `Resident` batches if the dataset fits the device's memory, else `Streamed` ones.

    Both give the same batches.
    """
    size = dataset.images_NCHW.nbytes + dataset.labels.nbytes
    kind = Resident if memory.fits(size, free_bytes=memory.free_bytes(device)) else Streamed
    return kind(dataset, device=device, seed=seed, batch_size=batch_size)


class Resident:
    """Keeps images and labels on the device, images in the stored format. A batch is one gather of each."""

    def __init__(self, dataset: ImageData, *, device: torch.device, seed: int, batch_size: int) -> None:
        self._images_NCHW = _upload(dataset.images_NCHW, device=device)
        self._labels = _upload(dataset.labels, device=device)
        self._order = Order(len(dataset), device=device, seed=seed, batch_size=batch_size)

    def at(self, images_seen: int) -> Batch:
        indices = self._order.at(images_seen)
        return Batch(pixels.to_float(self._images_NCHW.index_select(0, indices)), self._labels.index_select(0, indices))

    def close(self) -> None:
        pass


class Streamed:
    """Leaves images and labels on the host or in mapped files, and never reads them whole.

    Threads gather the coming batches. Pixels are copied to the device as bytes. Must be closed.
    """

    def __init__(self, dataset: ImageData, *, device: torch.device, seed: int, batch_size: int) -> None:
        # Plain views, because numpy's memmap class costs time at every access.
        self._images_NCHW = np.asarray(dataset.images_NCHW)
        self._labels = np.asarray(dataset.labels)
        self._device = device
        self._order = Order(len(dataset), device=torch.device("cpu"), seed=seed, batch_size=batch_size)
        self._threads = ThreadPoolExecutor(LOOK_AHEAD, thread_name_prefix="batches")
        self._ahead: deque[_Asked] = deque()

    def at(self, images_seen: int) -> Batch:
        while self._ahead and self._ahead[0].images_seen != images_seen:
            self._ahead.popleft().gathered.cancel()
        place = self._ahead[-1].images_seen + self._order.batch_size if self._ahead else images_seen
        while len(self._ahead) <= LOOK_AHEAD:
            self._ahead.append(self._ask(place))
            place += self._order.batch_size
        stored_NCHW, labels = self._ahead.popleft().gathered.result()
        # PyTorch reuses pinned memory only when the copies from it are done.
        images_NCHW = pixels.to_float(stored_NCHW.to(self._device, non_blocking=True))
        return Batch(images_NCHW, labels.to(self._device, non_blocking=True))

    def close(self) -> None:
        self._threads.shutdown(cancel_futures=True)
        self._ahead.clear()

    def _ask(self, images_seen: int) -> "_Asked":
        indices = self._order.at(images_seen).numpy()
        # Allocated here, not in the thread: all CUDA calls stay in one thread and so on its current device.
        images_NCHW = _room(self._images_NCHW, len(indices), device=self._device)
        labels = _room(self._labels, len(indices), device=self._device)
        return _Asked(images_seen, self._threads.submit(self._gather, indices, images_NCHW, labels))

    def _gather(self, indices: NDArray[np.int64], images_NCHW: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        # Sorted, so that a mapped file is read from its beginning to its end.
        order = indices.argsort()
        ordered = indices[order]
        images_NCHW.numpy()[order] = self._images_NCHW[ordered]
        labels.numpy()[order] = self._labels[ordered]
        return images_NCHW, labels


@dataclass(frozen=True, eq=False)
class _Asked:
    images_seen: int
    gathered: Future[tuple[Tensor, Tensor]]


def _upload(stored: NDArray[Any], *, device: torch.device) -> Tensor:
    """Copy an array to the device through pinned memory, one chunk while the next is read."""
    rows = max(1, CHUNK_BYTES * len(stored) // max(1, stored.nbytes))
    uploaded = torch.empty(stored.shape, dtype=_dtype(stored), device=device)
    for start in range(0, len(stored), rows):
        chunk = stored[start : start + rows]
        room = _room(stored, len(chunk), device=device)
        room.numpy()[...] = chunk
        uploaded[start : start + rows].copy_(room, non_blocking=True)
    return uploaded


def _room(stored: NDArray[Any], number: int, *, device: torch.device) -> Tensor:
    """Return an empty host tensor for `number` images or labels, pinned if the device is a GPU."""
    return torch.empty((number, *stored.shape[1:]), dtype=_dtype(stored), pin_memory=device.type == "cuda")


def _dtype(stored: NDArray[Any]) -> torch.dtype:
    return torch.tensor(stored[:0]).dtype
