"""Batches: every image once an epoch, with its class, as a function of the seed and the images seen."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from models import data, pixels
from models.batches import Batches

CPU = torch.device("cpu")
VALUES = np.arange(100, dtype=np.uint8)
NUMBERED = data.ImageData(images_NCHW=VALUES.reshape(100, 1, 1, 1), labels=VALUES.astype(np.int64) * 7)


def shown(batches: Batches, images_seen: int) -> list[int]:
    numbers: list[int] = pixels.to_uint8(batches.at(images_seen).images_NCHW).flatten().tolist()
    return numbers


def test_an_epoch_shows_every_image_once_in_an_order_of_its_own() -> None:
    batches = Batches(NUMBERED, device=CPU, seed=1, batch_size=30)
    numbers = [number for seen in range(0, 300, 30) for number in shown(batches, seen)]
    epochs = [numbers[start : start + 100] for start in (0, 100, 200)]
    assert [sorted(epoch) for epoch in epochs] == [list(range(100))] * 3
    assert epochs[0] != epochs[1] != epochs[2]
    assert shown(batches, 90) == numbers[90:120]


@given(places=st.lists(st.integers(0, 1000), min_size=1, max_size=5), seed=st.integers(0, 3))
def test_a_batch_depends_on_the_seed_and_its_place_alone_and_carries_its_classes(places: list[int], seed: int) -> None:
    batches = Batches(NUMBERED, device=CPU, seed=seed, batch_size=30)
    for place in places:
        batch = batches.at(place)
        fresh = Batches(NUMBERED, device=CPU, seed=seed, batch_size=30).at(place)
        assert torch.equal(batch.images_NCHW, fresh.images_NCHW)
        assert batch.labels.dtype == torch.int64
        assert torch.equal(batch.labels, 7 * pixels.to_uint8(batch.images_NCHW).flatten().long())


def test_points_come_unrounded_and_changing_a_batch_leaves_the_data_alone() -> None:
    points = np.random.default_rng(0).uniform(-1, 1, (100, 2, 1, 1)).astype(np.float32)
    batches = Batches(data.ImageData(images_NCHW=points, labels=np.arange(100)), device=CPU, seed=0, batch_size=100)
    batch = batches.at(0)
    assert np.array_equal(batch.images_NCHW.numpy(), points[batch.labels.numpy()])
    batch.images_NCHW.zero_()
    assert batches.at(0).images_NCHW.abs().min() > 0
