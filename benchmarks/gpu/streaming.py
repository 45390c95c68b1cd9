"""Streaming: a dataset on the host gives the same batches as one on the device."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import torch

from benchmarks.gpu.findings import Finding
from benchmarks.gpu.tasks import IMAGES, Bench, noise
from models.data.batches import Resident, Streamed

BATCH = 120
"""A batch size that does not divide the number of images, so that batches span two epochs."""
BUSY = 2048
"""The rows of a matrix whose square keeps a GPU busy, so that copies queue up behind it."""


def check_streaming(bench: Bench) -> Iterator[Finding]:
    """Compare every batch of two epochs, and some out of order, while the device is busy.

    The host's memory must not be used again before it has been copied.
    """
    dataset = noise(bench.spec("dcgan", resolution=64))
    how: dict[str, Any] = {"device": bench.device, "seed": 0, "batch_size": BATCH}
    order = [*range(0, 2 * IMAGES, BATCH), 7, 5 * BATCH, 0]
    if bench.small:
        order = [*order[::10], IMAGES - 1]
    work = torch.ones(64 if bench.small else BUSY, 64 if bench.small else BUSY, device=bench.device)
    differ = torch.zeros((), device=bench.device)
    with closing(Resident(dataset, **how)) as resident, closing(Streamed(dataset, **how)) as streamed:
        kept = []
        for place in order:
            work = (work @ work).clamp(max=1)
            kept.append((streamed.at(place), place))
        for batch, place in kept:
            expected = resident.at(place)
            differ += (batch.images_NCHW != expected.images_NCHW).sum() + (batch.labels != expected.labels).sum()
    yield Finding(f"{len(order)} streamed batches: pixels and labels that differ", float(differ), 0.0)
