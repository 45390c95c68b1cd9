"""ImageData: a dataset in memory."""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class ImageData:
    """Square images and their classes, on the host.

    Shapes: `images_NCHW` uint8, N images of C channels (1 grey, 3 RGB), H == W pixels; `labels` int64, N class numbers.
    """

    images_NCHW: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def __post_init__(self) -> None:
        assert self.images_NCHW.dtype == np.uint8
        assert self.images_NCHW.ndim == 4
        assert self.labels.shape == (len(self.images_NCHW),)

    def __len__(self) -> int:
        return len(self.images_NCHW)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of shape, pixels and labels, in hexadecimal: equal content, equal digest."""
        content = hashlib.sha256(repr(self.images_NCHW.shape).encode())
        content.update(np.ascontiguousarray(self.images_NCHW).data)
        content.update(np.ascontiguousarray(self.labels, dtype="<i8").data)
        return content.hexdigest()
