"""Duplicates are found, and stay on one side of the split."""

import hashlib

import numpy as np
import pytest
import torch

from models.data.importers import decoder, duplicates, split
from models.evaluators.memorisation import memorisation

RNG = np.random.default_rng(0)


def smooth(seed, size=32):
    coarse = np.random.default_rng(seed).integers(0, 256, (3, 5, 5)).astype(np.float64)
    ramp = np.linspace(0, 4, size)
    rows = np.stack([[np.interp(ramp, range(5), row) for row in channel] for channel in coarse])
    full = np.stack([[np.interp(ramp, range(5), column) for column in channel.T] for channel in rows])
    return full.transpose(0, 2, 1).astype(np.uint8)


def digests(images):
    return np.frombuffer(b"".join(hashlib.sha256(image.tobytes()).digest() for image in images), dtype="V32")


def looks(images):
    return np.array([int.from_bytes(decoder.look(image)) for image in images], dtype=np.uint64)


def find(images):
    stacked = np.stack(list(images))
    return duplicates.find(stacked.__getitem__, digests=digests(images), looks=looks(images))


def test_equal_and_like_images_are_grouped():
    base = [smooth(seed) for seed in range(30)]
    brighter = np.clip(base[3].astype(int) + 3, 0, 255).astype(np.uint8)
    noisy = np.clip(base[5].astype(int) + RNG.integers(-3, 4, base[5].shape), 0, 255).astype(np.uint8)
    groups = find([*base, base[0], brighter, base[0], noisy])
    assert groups.of[30:].tolist() == [0, 3, 0, 5]
    assert groups.of[:30].tolist() == list(range(30))
    assert (groups.exact, groups.near) == (2, 2)
    assert groups.examples(9) == [[0, 30, 32], [3, 31], [5, 33]]


def test_blank_images_of_other_colours_are_no_duplicates():
    groups = find([np.full((3, 32, 32), level, dtype=np.uint8) for level in (0, 100, 200)])
    assert groups.of.tolist() == [0, 1, 2]


def test_many_alike_are_grouped_in_bounded_time():
    images = [np.full((1, 28, 28), 100 + number % 50, dtype=np.uint8) for number in range(3000)]
    assert find(images).exact == 2950


@pytest.mark.parametrize(
    ("images", "share", "held"),
    [(100, 0.1, 10), (4999, 0.1, 500), (5000, 0.05, 500), (6000, 0.0, 0), (10**6, 0.1, 10_000), (15, 0.1, 2)],
)
def test_the_holdout_has_bounds(images, share, held):
    assert split.count(images, share) == held


def held_out(groups, labels, share=0.2, order=None):
    numbers = np.arange(len(groups)) if order is None else order
    each = np.frombuffer(b"".join(hashlib.sha256(b"%d" % number).digest() for number in numbers), dtype="V32")
    return split.held_out(np.asarray(groups), labels=np.asarray(labels), digests=each, share=share)


def test_the_holdout_is_stratified_and_the_same_in_any_order():
    labels = np.array([0] * 50 + [1] * 30 + [2] * 20)
    held = held_out(np.arange(100), labels)
    assert np.bincount(labels[held]).tolist() == [10, 6, 4]
    order = np.random.default_rng(1).permutation(100)
    again = held_out(np.arange(100), labels[order], order=order)
    assert set(order[again]) == set(np.flatnonzero(held))


def test_duplicates_are_on_one_side():
    groups = np.repeat(np.arange(40) * 3, 3)
    held = held_out(groups, np.zeros(120, dtype=np.int64))
    assert held.sum() == 24
    assert all(len(set(held[groups == group])) == 1 for group in set(groups))


def test_fresh_images_are_as_often_nearer_to_the_holdouts_counterpart_as_to_the_holdout():
    """Families of images that look alike are split as a whole: a random sample of training images is no match."""
    source = np.random.default_rng(0)
    families = source.integers(0, 1500, 4000)
    middles = 10 * source.normal(size=(1500, 8))
    features = torch.from_numpy(middles[families] + source.normal(size=(4000, 8)))
    _, first, group = np.unique(families, return_index=True, return_inverse=True)
    digests = np.frombuffer(b"".join(hashlib.sha256(b"%d" % number).digest() for number in range(4000)), dtype="V32")
    known = {"labels": np.zeros(4000, dtype=np.int64), "digests": digests}
    held = split.held_out(first[group], share=0.2, **known)
    alike = split.counterpart(first[group], held=held, **known)
    assert (held.sum(), alike.sum(), (held & alike).sum()) == (800, 800, 0)
    assert not set(first[group][alike]) & set(first[group][~alike]), "families are whole"

    by_chance = source.permutation(np.flatnonzero(~held))[:800]
    fresh = torch.from_numpy(middles[source.permutation(1500)[:1000]] + source.normal(size=(1000, 8)))
    shares = [
        memorisation(features[sample], features[held], fresh).share for sample in (np.flatnonzero(alike), by_chance)
    ]
    assert shares[0].low < 0.5 < shares[0].high
    assert shares[1].low > 0.6


def test_a_large_group_of_copies_is_trained_on():
    groups = np.array([0] * 15 + list(range(15, 100)))
    held = held_out(groups, np.zeros(100, dtype=np.int64))
    assert held.sum() == 20
    assert not held[:15].any()
