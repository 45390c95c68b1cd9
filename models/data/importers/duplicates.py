"""Duplicates among images: equal ones, and those that look the same after resizing, recoding or a slight change."""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BANDS = 4
"""Hashes of 64 bits are cut into four bands. Two that differ in at most three bits have a band in common."""
MOST_BITS = BANDS - 1
MOST_LEVELS = 6.0
"""Images with like hashes are near duplicates if their pixels differ by at most this in the mean."""
PAIRS = 64
"""Pairs that are compared at a time: at most 50 MB of images of 512x512."""
WIDE = 64
"""In a crowded group, each hash is compared with this many neighbours in sorted order, so that time stays bounded."""


@dataclass(frozen=True, eq=False)
class Groups:
    """Images grouped with their duplicates."""

    of: NDArray[np.int64]
    """N: the group of each image, named by the number of its first image."""
    exact: int
    """Images that equal an earlier one."""
    near: int
    """Further images that look like an earlier one."""

    def examples(self, number: int) -> list[list[int]]:
        """Return up to `number` groups of more than one image, up to four images of each."""
        order = np.argsort(self.of, kind="stable")
        starts = np.flatnonzero(np.r_[True, self.of[order][1:] != self.of[order][:-1]])
        sizes = np.diff(np.r_[starts, len(order)])
        large = starts[sizes > 1][:number]
        return [order[start : start + min(4, sizes[np.searchsorted(starts, start)])].tolist() for start in large]


def find(
    images_NCHW: Callable[[NDArray[np.int64]], NDArray[np.uint8]],
    *,
    digests: NDArray[np.void],
    looks: NDArray[np.uint64],
) -> Groups:
    """Group images by equal digests of their pixels, then by looks: 64 bits that hardly differ between like images.

    `images_NCHW` returns images by their numbers: only candidates are looked at.
    """
    _, first, inverse = np.unique(digests, return_index=True, return_inverse=True)
    group = _Union(len(digests))
    group.parent[:] = first[inverse]
    exact = len(digests) - len(first)
    single = np.sort(first)
    near = 0
    for one, other in _candidates(looks[single]):
        apart = np.array([group.find(a) != group.find(b) for a, b in _pairs(single[one], single[other])], dtype=bool)
        ours, theirs = single[one[apart]], single[other[apart]]
        like = _differ_by(images_NCHW(ours), images_NCHW(theirs)) <= MOST_LEVELS
        for a, b in _pairs(ours[like], theirs[like]):
            near += group.join(a, b)
    return Groups(np.array([group.find(image) for image in range(len(digests))], dtype=np.int64), exact, near)


def _candidates(looks: NDArray[np.uint64]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield pairs whose hashes differ in at most three bits, some at a time."""
    for band in range(BANDS):
        keys = (looks >> np.uint64(16 * band)) & np.uint64(0xFFFF)
        order = np.lexsort((looks, keys))
        starts = np.flatnonzero(np.r_[True, keys[order][1:] != keys[order][:-1]])
        longest = int(np.diff(np.r_[starts, len(order)]).max(initial=0))
        for step in range(1, min(WIDE, longest)):
            one, other = order[:-step], order[step:]
            near = keys[one] == keys[other]
            near &= np.bitwise_count(looks[one] ^ looks[other]) <= MOST_BITS
            one, other = one[near], other[near]
            for start in range(0, len(one), PAIRS):
                yield one[start : start + PAIRS], other[start : start + PAIRS]


def _pairs(one: NDArray[np.int64], other: NDArray[np.int64]) -> Iterable[tuple[int, int]]:
    return zip(one.tolist(), other.tolist(), strict=True)


def _differ_by(one_NCHW: NDArray[np.uint8], other_NCHW: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the N mean differences, in levels."""
    levels = np.maximum(one_NCHW, other_NCHW) - np.minimum(one_NCHW, other_NCHW)
    size = math.prod(levels.shape[1:])
    sums = levels.reshape(len(levels), size).sum(axis=1, dtype=np.uint32)  # three times as fast as a mean
    differences: NDArray[np.float64] = sums / size
    return differences


class _Union:
    """Disjoint sets. Each is named by its least member."""

    def __init__(self, number: int) -> None:
        self.parent = np.arange(number)

    def find(self, member: int) -> int:
        while (above := int(self.parent[member])) != member:
            self.parent[member] = self.parent[above]
            member = int(self.parent[member])
        return member

    def join(self, one: int, other: int) -> bool:
        """Unite two sets. Return whether they were apart."""
        low, high = sorted((self.find(one), self.find(other)))
        self.parent[high] = low
        return low != high
