"""Imported datasets on disk: one mapped array of images and one of labels, training images first, then the holdout."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from models.data.errors import DatasetCorrupt, DatasetMissing
from models.data.images import ImageData

IMAGES, LABELS, MANIFEST = "images.npy", "labels.npy", "manifest.json"
VERSION = 1


@dataclass(frozen=True)
class Manifest:
    """The shape and split of the arrays. `digest` is the SHA-256 of shape, split, classes, images and labels."""

    version: int
    images: int
    holdout_images: int
    channels: int
    resolution: int
    classes: tuple[str, ...]
    digest: str
    counterpart: int = 0
    """The number of training images at the front that were drawn as the holdout was; 0: by an earlier release."""


def write_manifest(folder: Path, manifest: Manifest) -> None:
    (folder / MANIFEST).write_text(json.dumps(asdict(manifest), ensure_ascii=False, indent=1), encoding="utf-8")


def read_manifest(folder: Path) -> Manifest:
    """Read what a folder's arrays hold. Raises DatasetMissing, DatasetCorrupt."""
    try:
        found = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        manifest = Manifest(**found | {"classes": tuple(found["classes"])})
    except FileNotFoundError as error:
        raise DatasetMissing(f"{folder} is not there: import the dataset again") from error
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DatasetCorrupt(f"{folder / MANIFEST} is damaged: {error}") from error
    if manifest.version != VERSION:
        raise DatasetCorrupt(f"{folder} was written by a later release")
    return manifest


def load(folder: Path, *, split: Literal["train", "holdout"]) -> ImageData:
    """Map a split's images (uint8, N x C x H x W) and labels (int64, N). Pixels are read when they are needed.

    Raises DatasetMissing if the files are not there, DatasetCorrupt if they contradict the manifest.
    """
    manifest = read_manifest(folder)
    images_NCHW: NDArray[np.uint8] = _mapped(folder / IMAGES)
    labels: NDArray[np.int64] = _mapped(folder / LABELS)
    total = manifest.images + manifest.holdout_images
    shape = total, manifest.channels, manifest.resolution, manifest.resolution
    if images_NCHW.shape != shape or images_NCHW.dtype != np.uint8 or labels.shape != (total,):
        raise DatasetCorrupt(f"{folder} holds {images_NCHW.dtype} of {images_NCHW.shape}, not uint8 of {shape}")
    if split == "holdout":
        return ImageData(images_NCHW=images_NCHW[manifest.images :], labels=labels[manifest.images :])
    return ImageData(
        images_NCHW=images_NCHW[: manifest.images],
        labels=labels[: manifest.images],
        counterpart=manifest.counterpart,
    )


def _mapped(path: Path) -> NDArray[Any]:
    try:
        array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError as error:
        raise DatasetMissing(f"{path} is not there: import the dataset again") from error
    except (OSError, ValueError) as error:
        raise DatasetCorrupt(f"{path} is damaged: {error}") from error
    return array
