"""Fashion-MNIST: four gzipped IDX files, verified by the SHA-256 of their uncompressed content."""

import gzip
import hashlib
import struct
import zlib
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models.data.errors import DatasetCorrupt, DatasetMissing
from models.data.images import ImageData

FOLDER_NAME = "fashion-mnist"
SYSTEM_FOLDER = Path("/usr/share/datasets/fashion-mnist")
"""The folder in which Debian's package dataset-fashion-mnist installs the files."""

SHA256 = {
    "train-images-idx3-ubyte.gz": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte.gz": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte.gz": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte.gz": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
"""SHA-256 of the uncompressed content: the home page and Debian compress the same data differently."""

_PREFIX = {"train": "train", "holdout": "t10k"}


def load(*, folder: Path, split: Literal["train", "holdout"]) -> ImageData:
    """Return 60,000 (train) or 10,000 (holdout) grey 28x28 images, from `folder/fashion-mnist` or the system's folder.

    Raises DatasetMissing or DatasetCorrupt. Source: Xiao et al. 2017, arXiv:1708.07747.
    """
    images = _read(f"{_PREFIX[split]}-images-idx3-ubyte.gz", folder)
    labels = _read(f"{_PREFIX[split]}-labels-idx1-ubyte.gz", folder)
    return ImageData(images_NCHW=images[:, None], labels=labels.astype(np.int64))


def _read(name: str, folder: Path) -> NDArray[np.uint8]:
    for place in (folder / FOLDER_NAME, SYSTEM_FOLDER):
        path = place / name
        if path.is_file():
            return _parse(verified(path))
    raise DatasetMissing(
        f"Fashion-MNIST is in neither {folder / FOLDER_NAME} nor {SYSTEM_FOLDER}: "
        f"run `python -m models.data.fetch {folder}`"
    )


def verified(path: Path) -> bytes:
    """Return one of the four files, uncompressed. Raises DatasetCorrupt if its content is not the published one."""
    try:
        content = gzip.decompress(path.read_bytes())
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DatasetCorrupt(_damaged(path)) from error
    if hashlib.sha256(content).hexdigest() != SHA256[path.name]:
        raise DatasetCorrupt(_damaged(path))
    return content


def _damaged(path: Path) -> str:
    return f"{path} is damaged: delete it, then run `python -m models.data.fetch {path.parent.parent}`"


def _parse(content: bytes) -> NDArray[np.uint8]:
    """Parse IDX: two zero bytes, type 8 (uint8), rank, then the sizes as big-endian uint32, then the values."""
    rank = content[3]
    shape = struct.unpack_from(f">{rank}I", content, 4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * rank).reshape(shape)
