"""Split: which images are held out from training, as a function of the images alone."""

import numpy as np
from numpy.typing import NDArray

MOST = 10_000
LEAST, LEAST_FROM = 500, 5_000
"""At least 500 are held out of 5,000 images or more."""


def count(images: int, share: float) -> int:
    """Return the number of images to hold out. With a share of 0 none are."""
    if share == 0:
        return 0
    wanted = min(MOST, round(share * images))
    return max(LEAST, wanted) if images >= LEAST_FROM else wanted


def held_out(
    groups: NDArray[np.int64], *, labels: NDArray[np.int64], digests: NDArray[np.void], share: float
) -> NDArray[np.bool_]:
    """Return which of N images are held out: of each class about the same share, and duplicates on one side.

    A group of duplicates is placed by the least digest of its images, so that the order of files does not matter. It
    counts for the class of its first image. Large groups are held out only where there are too few others, because a
    holdout of copies tells little.
    """
    return _drawn(groups, labels, digests, count(len(groups), share))


def counterpart(
    groups: NDArray[np.int64], *, labels: NDArray[np.int64], digests: NDArray[np.void], held: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Return as many training images as are held out, drawn in the same way: the ones that the holdout stands for.

    An image that is in neither is as often nearer to one as to the other. A random sample of the training images would
    hold a few images of many groups of duplicates, the holdout all images of few: fresh images would be nearer to the
    sample.
    """
    drawn = np.zeros_like(held)
    rest = np.flatnonzero(~held)
    drawn[rest] = _drawn(groups[rest], labels[rest], digests[rest], int(held.sum()))
    return drawn


def _drawn(
    groups: NDArray[np.int64], labels: NDArray[np.int64], digests: NDArray[np.void], total: int
) -> NDArray[np.bool_]:
    _, first, group, sizes = np.unique(groups, return_index=True, return_inverse=True, return_counts=True)
    order = np.argsort(_least_digest(group, digests, len(first)), kind="stable")
    chosen: list[int] = []
    for label, quota in enumerate(_quotas(np.bincount(labels), total)):
        own = order[labels[first[order]] == label]
        chosen += _fill(own.tolist(), sizes, quota)
    return np.isin(group, chosen)


def _fill(candidates: list[int], sizes: NDArray[np.int64], quota: int) -> list[int]:
    """Return candidates whose sizes add up to the quota, as nearly as may be; small ones first."""
    chosen: dict[int, None] = {}
    left = quota
    for largest in (max(2, quota // 10), quota):
        for candidate in candidates:
            size = int(sizes[candidate])
            if size <= min(left, largest) and candidate not in chosen:
                chosen[candidate] = None
                left -= size
    return list(chosen)


def _least_digest(group: NDArray[np.int64], digests: NDArray[np.void], number: int) -> NDArray[np.int64]:
    """Return the rank of each group's least digest."""
    rank = np.empty(len(digests), dtype=np.int64)
    rank[np.argsort(digests, kind="stable")] = np.arange(len(digests))
    least = np.full(number, len(digests), dtype=np.int64)
    np.minimum.at(least, group, rank)
    return least


def _quotas(counts: NDArray[np.int64], total: int) -> list[int]:
    """Divide the holdout among the classes by their sizes, by the largest remainders."""
    exact = counts * (total / max(1, counts.sum()))
    quotas = np.floor(exact).astype(np.int64)
    for label in np.argsort(-(exact - quotas), kind="stable")[: total - int(quotas.sum())]:
        quotas[label] += 1
    return [int(quota) for quota in quotas]
