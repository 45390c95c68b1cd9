"""ImageData: a dataset in the host's memory or in memory-mapped files."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Stored: TypeAlias = NDArray[np.uint8 | np.float32]
"""Images in the stored format: uint8 pixels 0..255 for pictures, float32 coordinates -1..1 for points."""

CHUNK = 1000


@dataclass(frozen=True, eq=False)
class ImageData:
    """Square images and their classes, on the host.

    Shapes: `images_NCHW`, N images of C channels (1 grey, 3 RGB; 2 the coordinates of a point, which is 1x1), H == W
    pixels; `labels` int64, N class numbers. Both may be memmaps: pictures are only read when they are accessed.
    """

    images_NCHW: Stored
    labels: NDArray[np.int64]
    counterpart: int = 0
    """The number of images at the front that were drawn as the holdout was; 0: any random sample compares with it."""

    def __post_init__(self) -> None:
        assert self.images_NCHW.ndim == 4
        assert self.images_NCHW.shape[2] == self.images_NCHW.shape[3]
        if self.images_NCHW.dtype != np.uint8:
            assert self.images_NCHW.dtype == np.float32
            assert self.images_NCHW.shape[1:] == (2, 1, 1)
            assert self.images_NCHW.min() >= -1
            assert self.images_NCHW.max() <= 1
        assert self.labels.dtype == np.int64
        assert self.labels.shape == (len(self.images_NCHW),)

    def __len__(self) -> int:
        return len(self.images_NCHW)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of shape, kind, content and labels, in hexadecimal. Equal data have equal digests."""
        kind = "" if self.images_NCHW.dtype == np.uint8 else " points"
        content = hashlib.sha256(f"{self.images_NCHW.shape!r}{kind}".encode())
        # A chunk at a time, because an array that is not contiguous is copied first.
        for start in range(0, len(self), CHUNK):
            content.update(np.ascontiguousarray(self.images_NCHW[start : start + CHUNK]).data)
        content.update(np.ascontiguousarray(self.labels, dtype="<i8").data)
        return content.hexdigest()
