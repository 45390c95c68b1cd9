"""Uploaded datasets: two mapped arrays in a folder named by the dataset's id."""

from pathlib import Path
from typing import Literal

import numpy as np

from models import specs
from models.data.errors import DatasetCorrupt, DatasetMissing
from models.data.images import ImageData

IMAGES, LABELS = "images.npy", "labels.npy"


def load(dataset: specs.UploadedDataset, *, folder: Path, split: Literal["train", "test"]) -> ImageData:
    """Map `FOLDER/ID/SPLIT/images.npy` (uint8, N x C x H x W) and `labels.npy` (int64, N); pixels are read when needed.

    Raises DatasetMissing if the files do not exist, DatasetCorrupt if they are damaged or contradict the facts.
    """
    place = folder / dataset.id / split
    try:
        images_NCHW = np.load(place / IMAGES, mmap_mode="r", allow_pickle=False)
        labels = np.load(place / LABELS, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError as error:
        raise DatasetMissing(f"dataset {dataset.id} ({dataset.name}) is not in {folder}: upload it again") from error
    except (OSError, ValueError) as error:
        raise DatasetCorrupt(f"{place} is damaged: {error}") from error
    facts = dataset.facts
    shape = facts.channels, facts.resolution, facts.resolution
    if images_NCHW.shape[1:] != shape or (split == "train" and len(images_NCHW) != facts.images):
        raise DatasetCorrupt(f"{place} holds {images_NCHW.shape}, not {facts.images} images of {shape}")
    return ImageData(images_NCHW=images_NCHW, labels=labels)
