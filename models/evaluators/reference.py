"""References: the real images that fakes are compared with, and their features, measured once.

Fakes are compared with the holdout, which was never trained on. Where there is none, they are compared with a sample of
the training images.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from models.data import ImageData
from models.evaluators.extractors import Done, Extractor, untold
from models.specs.figures import LEAST_HELD_OUT

MOST = 10_000
MOST_PUBLISHED = 50_000
"""Real images in the protocol of published FIDs."""
SEED = 0
VERSION = 1
"""Raised when a statistic is computed otherwise, so that kept ones are not used."""


@dataclass(frozen=True, eq=False)
class Reference:
    """A limited number of real images: a seeded sample with the classes in proportion."""

    images: ImageData
    cache: Path | None
    """The folder in which features are kept for other processes; None: they are kept in this process alone."""
    _kept: dict[tuple[str, str, torch.device], Tensor] = field(default_factory=dict)

    @classmethod
    def of(cls, images: ImageData, *, number: int = MOST, cache: Path | None) -> "Reference":
        """Draw the sample from a split. The same split gives the same sample."""
        chosen = stratified(images.labels, number)
        return cls(ImageData(images_NCHW=images.images_NCHW[chosen], labels=images.labels[chosen]), cache)

    def __len__(self) -> int:
        return len(self.images)

    @cached_property
    def digest(self) -> str:
        return self.images.digest

    def features(self, extractor: Extractor, *, device: torch.device, done: Done = untold) -> Tensor:
        """Return the N x D features of the images, in the order of the images."""

        def measured() -> Tensor:
            return extractor.of(torch.tensor(np.asarray(self.images.images_NCHW), device=device), done=done)

        return self.statistic("features", measured, extractor, device=device)

    def statistic(
        self, name: str, compute: Callable[[], Tensor], extractor: Extractor, *, device: torch.device
    ) -> Tensor:
        """Return a statistic of the features. It is read from the cache, or computed and kept."""
        key = name, extractor.name, device
        if key not in self._kept:
            self._kept[key] = compute() if self.cache is None else self._in_cache(key, compute, extractor)
        return self._kept[key]

    def _in_cache(
        self, key: tuple[str, str, torch.device], compute: Callable[[], Tensor], extractor: Extractor
    ) -> Tensor:
        """Read a tensor, or compute and write it. A file appears whole, by renaming."""
        assert self.cache is not None
        name, _, device = key
        content = f"{self.digest} {extractor.digest} {device.type} {name} {VERSION}"
        path = self.cache / f"{hashlib.sha256(content.encode()).hexdigest()}.safetensors"
        try:
            return load_file(path, device=str(device))["tensor"]
        except (OSError, SafetensorError, KeyError):
            found = compute()
        self.cache.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(f".{np.random.default_rng().integers(2**63):x}.partial")
        save_file({"tensor": found.cpu().contiguous()}, temporary)
        temporary.replace(path)
        return found


@dataclass(frozen=True, eq=False)
class References:
    """The real images that fakes are compared with."""

    real: Reference
    train: Reference
    """As many training images, drawn as the holdout was. The same as `real` where nothing is held out."""
    held_out: bool

    @classmethod
    def of(
        cls, train: ImageData, holdout: ImageData | None, *, most: int = MOST, cache: Path | None = None
    ) -> "References":
        """A holdout of fewer than 100 images is too small to compare with: training images stand in for it."""
        if holdout is None or len(holdout) < LEAST_HELD_OUT:
            own = Reference.of(train, number=most, cache=cache)
            return cls(real=own, train=own, held_out=False)
        real = Reference.of(holdout, number=most, cache=cache)
        return cls(real=real, train=Reference.of(_alike(train), number=len(real), cache=cache), held_out=True)


def _alike(train: ImageData) -> ImageData:
    """Return the training images that were drawn as the holdout was; without such, all."""
    if not train.counterpart:
        return train
    return ImageData(images_NCHW=train.images_NCHW[: train.counterpart], labels=train.labels[: train.counterpart])


def stratified(labels: NDArray[np.int64], number: int) -> NDArray[np.int64]:
    """Return the places of `number` images, with the classes in proportion; all if there are fewer.

    The order is random, so that blocks are samples too: in a file of folders, images are sorted by class.
    """
    rng = np.random.default_rng(SEED)
    if len(labels) <= number:
        return rng.permutation(len(labels))
    # A random order within each class, and of each class the first of that order: its share of the whole.
    order = rng.permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    _, starts, counts = np.unique(labels[order], return_index=True, return_counts=True)
    exact = counts * (number / len(labels))
    quotas = np.floor(exact).astype(np.int64)
    for place in np.argsort(-(exact - quotas), kind="stable")[: number - int(quotas.sum())]:
        quotas[place] += 1
    chosen = [order[start : start + quota] for start, quota in zip(starts, quotas, strict=True)]
    return rng.permutation(np.concatenate(chosen))
