"""IDX files of images, as MNIST and its like are published: N x H x W bytes, most often gzipped."""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np

from models.data.importers import arrays, streams
from models.data.importers.entries import Aside, Entry
from models.data.importers.errors import AGAIN, SourceRefused
from models.data.importers.limits import Limits

MAGICS = (b"\x00\x00\x08\x03", b"\x00\x00\x08\x04")
"""uint8 values of rank 3 or 4."""


class _Idx:
    def __init__(self, path: Path, limits: Limits) -> None:
        self._path = path
        self._limits = limits
        self._number: int | None = None

    def number(self) -> int | None:
        return self._number

    def aside(self) -> Aside:
        return Aside(set(), [])

    def entries(self) -> Iterator[Entry]:
        with streams.opened(self._path, self._limits) as stream:
            magic = stream.read(4)
            if magic not in MAGICS:
                raise SourceRefused("unsupported", "it is no IDX file of images: rank 3 or 4 of uint8 is read")
            rank = magic[3]
            shape = struct.unpack(f">{rank}I", _exactly(stream, 4 * rank))
            self._number = shape[0]
            yield from arrays.rows(stream, shape=shape, dtype=np.dtype(np.uint8), limits=self._limits)


@contextmanager
def opened(path: Path, limits: Limits) -> Iterator[_Idx]:
    """Open an IDX file, plain or gzipped. Raises SourceRefused when its entries are taken."""
    yield _Idx(path, limits)


def _exactly(stream: IO[bytes], size: int) -> bytes:
    if len(content := stream.read(size)) < size:
        raise SourceRefused("invalid", f"the file is cut off: {AGAIN}")
    return content
