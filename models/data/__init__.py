"""The datasets, by kind and name. Needs numpy only, not torch."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal, Protocol

from models import specs
from models.data import digits, fashion_mnist, points, stacked_fashion, uploaded
from models.data.errors import DatasetCorrupt, DatasetError, DatasetMissing
from models.data.images import ImageData, Stored

__all__ = ["BUILTIN", "REGISTRY", "DatasetCorrupt", "DatasetError", "DatasetMissing", "ImageData", "Stored", "load"]

Split = Literal["train", "test"]


class Loader(Protocol):
    def __call__(self, *, folder: Path, split: Split) -> ImageData: ...


def load(dataset: specs.Dataset, *, folder: Path, split: Split = "train") -> ImageData:
    """Return the dataset's images, read from `folder`.

    Raises DatasetMissing, with the command that fetches the files, or DatasetCorrupt if the files are damaged.
    """
    return REGISTRY[dataset.kind](dataset, folder=folder, split=split)


def _builtin(dataset: specs.BuiltinDataset, *, folder: Path, split: Split) -> ImageData:
    return BUILTIN[dataset.name](folder=folder, split=split)


BUILTIN: dict[str, Loader] = {
    "fashion-mnist": fashion_mnist.load,
    "digits": digits.load,
    "ring": points.RING.load,
    "grid": points.GRID.load,
    "stacked-fashion": stacked_fashion.load,
}
REGISTRY: dict[str, Callable[..., ImageData]] = {"builtin": _builtin, "uploaded": uploaded.load}
