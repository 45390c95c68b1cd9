"""Feature extractors by name, each with a digest by which figures of different weights are told apart."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from models.evaluators.extractors import efficientnet, garments, inception, random_convolutions
from models.evaluators.extractors.errors import ExtractorMissing

__all__ = ["REGISTRY", "Done", "Extractor", "ExtractorMissing", "untold"]

VERSION = 1
"""Raised when an extractor's computation changes, so that kept features are not mixed with others."""
Done = Callable[[int], None]
"""Called with the number of images whose features were measured since the last call. It may raise to stop."""


def untold(images: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Extractor:
    """A function of images. `features` takes uint8 images_NCHW and returns N x D features, float32, on their device."""

    name: str
    dimensions: int
    features: Callable[[Tensor], Tensor]
    weights: Callable[[], bytes]
    """Return what the digest is made of."""
    chunk: int = 100
    """Images at a time: their activations fit into a cache."""

    @property
    def digest(self) -> str:
        """SHA-256 of the weights and the version, in hexadecimal."""
        return _digest(self.name)

    @torch.no_grad()
    def of(self, images_NCHW: Tensor, *, done: Done = untold) -> Tensor:
        """Return the features of any number of images."""
        found = []
        for chunk in torch.split(images_NCHW, self.chunk):
            found.append(self.features(chunk))
            done(len(chunk))
        return torch.cat(found)


@cache
def _digest(name: str) -> str:
    return hashlib.sha256(f"{name} {VERSION}\n".encode() + REGISTRY[name].weights()).hexdigest()


REGISTRY: dict[str, Extractor] = {
    entry.name: entry
    for entry in (
        Extractor("garments", garments.FEATURES, garments.features, garments.WEIGHTS.read_bytes),
        Extractor("garment_classes", 3, lambda images: garments.classes(images).float(), garments.WEIGHTS.read_bytes),
        Extractor(
            "imagenet",
            efficientnet.FEATURES,
            efficientnet.features,
            efficientnet.weights,
            chunk=8,
        ),
        Extractor(
            "inception",
            inception.FEATURES,
            inception.features,
            lambda: inception.weights_file().read_bytes(),
            chunk=8,
        ),
        Extractor(
            "random",
            random_convolutions.FEATURES,
            random_convolutions.features,
            lambda: str(random_convolutions.SEED).encode(),
        ),
    )
}
