"""Images as the rows of one array, read one at a time from a stream. The array is never in memory as a whole."""

import math
from collections.abc import Iterator, Sequence
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from models.data.importers.entries import Entry
from models.data.importers.errors import AGAIN, SourceRefused
from models.data.importers.limits import Limits

LAYOUT = "N x H x W, N x H x W x C or N x C x H x W with 1, 3 or 4 channels"


def rows(
    stream: IO[bytes],
    *,
    shape: Sequence[int],
    dtype: np.dtype[Any],
    limits: Limits,
    labels: Sequence[str] | None = None,
) -> Iterator[Entry]:
    """Yield the images in a stream of a C-ordered array. Raises SourceRefused."""
    check(shape, dtype, limits)
    row_shape = tuple(shape[1:])
    size = math.prod(row_shape) * dtype.itemsize
    for number in range(shape[0]):
        content = stream.read(size)
        if len(content) < size:
            raise SourceRefused("invalid", f"the file is cut off after {number:,} of {shape[0]:,} images: {AGAIN}")

        def read(content: bytes = content) -> NDArray[Any]:
            return channels_last(np.frombuffer(content, dtype).reshape(row_shape))

        yield Entry(f"{number:09d}", read, None if labels is None else labels[number])


def check(shape: Sequence[int], dtype: np.dtype[Any], limits: Limits) -> None:
    """Raise SourceRefused for an array that holds no images."""
    if dtype.hasobject:
        raise SourceRefused("unsupported", "the array holds Python objects, which are never opened: save plain numbers")
    if dtype.kind not in "buif":
        raise SourceRefused("unsupported", f"the array holds {dtype}, not numbers: save uint8")
    good = len(shape) == 3 or (len(shape) == 4 and (shape[3] in {1, 3, 4} or shape[1] in {1, 3, 4}))
    if not good or min(shape[1:]) < 1:
        raise SourceRefused("invalid", f"an array of shape {tuple(shape)} holds no images: {LAYOUT} is read")
    if shape[0] > limits.images:
        raise SourceRefused(
            "invalid", f"the array has {shape[0]:,} images; at most {limits.images:,} are read: save a part of them"
        )
    if math.prod(shape[1:]) > limits.pixels:
        raise SourceRefused(
            "invalid", f"an image of shape {tuple(shape[1:])} has more than {limits.pixels:,} values: make it smaller"
        )


def channels_last(image: NDArray[Any]) -> NDArray[Any]:
    """Return H x W or H x W x C for an image in one of the layouts."""
    if image.ndim == 3 and image.shape[2] not in {1, 3, 4}:
        return image.transpose(1, 2, 0)
    return image
