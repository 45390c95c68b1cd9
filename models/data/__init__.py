"""The datasets, by kind and name. Needs numpy only, not torch."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal, Protocol

from models import specs
from models.data import digits, fashion_mnist, mapped, points, stacked_fashion
from models.data.errors import DatasetCorrupt, DatasetError, DatasetMissing
from models.data.images import ImageData, Stored

__all__ = ["BUILTIN", "REGISTRY", "DatasetCorrupt", "DatasetError", "DatasetMissing", "ImageData", "Stored", "load"]

Split = Literal["train", "holdout"]


class Loader(Protocol):
    def __call__(self, *, folder: Path, split: Split) -> ImageData: ...


def load(dataset: specs.Dataset, *, folder: Path, split: Split = "train") -> ImageData:
    """Return the images of a dataset's split. The holdout is never trained on.

    `folder` holds the files of built-in datasets, or is the folder of an imported one. Raises DatasetMissing, with the
    command that fetches the files, or DatasetCorrupt if the files are damaged or not those that the spec names.
    """
    return REGISTRY[dataset.kind](dataset, folder=folder, split=split)


def _builtin(dataset: specs.BuiltinDataset, *, folder: Path, split: Split) -> ImageData:
    return BUILTIN[dataset.name](folder=folder, split=split)


def _uploaded(dataset: specs.UploadedDataset, *, folder: Path, split: Split) -> ImageData:
    if mapped.read_manifest(folder).digest != dataset.digest:
        raise DatasetCorrupt(f"{folder} holds other images than dataset {dataset.id} ({dataset.name}) when it was made")
    return mapped.load(folder, split=split)


BUILTIN: dict[str, Loader] = {
    "fashion-mnist": fashion_mnist.load,
    "digits": digits.load,
    "ring": points.RING.load,
    "grid": points.GRID.load,
    "stacked-fashion": stacked_fashion.load,
}
REGISTRY: dict[str, Callable[..., ImageData]] = {"builtin": _builtin, "uploaded": _uploaded}
