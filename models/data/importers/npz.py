"""NumPy files: an npz archive with the array `images` and, if there are classes, `labels`."""

import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from models.data.importers import arrays
from models.data.importers.entries import Aside, Budget, Entry
from models.data.importers.errors import AGAIN, SourceRefused
from models.data.importers.limits import Limits

IMAGES, LABELS = "images.npy", "labels.npy"
LABEL_BYTES = 1024
"""The longest label, in bytes of the array."""


class _Npz:
    def __init__(self, file: zipfile.ZipFile, path: Path, limits: Limits) -> None:
        self._file = file
        self._limits = limits
        self._packed_bytes = path.stat().st_size
        self._number: int | None = None

    def number(self) -> int | None:
        return self._number

    def aside(self) -> Aside:
        return Aside(set(), [name for name in self._file.namelist() if name not in {IMAGES, LABELS}])

    def entries(self) -> Iterator[Entry]:
        if IMAGES not in self._file.namelist():
            raise SourceRefused(
                "invalid", "the npz file has no array named images: save it with numpy.savez(file, images=…)"
            )
        budget = Budget(self._packed_bytes, self._limits)
        for info in self._file.infolist():
            budget.spend(info.file_size)
        try:
            with self._file.open(IMAGES) as stream:
                shape, dtype = _header(stream, self._limits)
                arrays.check(shape, dtype, self._limits)
                self._number = shape[0]
                labels = self._labels(shape[0])
                yield from arrays.rows(stream, shape=shape, dtype=dtype, limits=self._limits, labels=labels)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError) as error:
            raise SourceRefused("invalid", f"the npz file is damaged ({error}): {AGAIN}") from error

    def _labels(self, number: int) -> list[str] | None:
        if LABELS not in self._file.namelist():
            return None
        with self._file.open(LABELS) as stream:
            shape, dtype = _header(stream, self._limits)
            if shape != (number,) or dtype.kind not in "iuUS" or dtype.itemsize > LABEL_BYTES:
                raise SourceRefused(
                    "invalid", f"labels has shape {shape} of {dtype}; {number:,} whole numbers or words are wanted"
                )
            labels = np.frombuffer(stream.read(number * dtype.itemsize), dtype)
        if len(labels) < number:
            raise SourceRefused("invalid", f"labels is cut off after {len(labels):,} of {number:,}: {AGAIN}")
        return [
            value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value) for value in labels.tolist()
        ]


@contextmanager
def opened(path: Path, limits: Limits) -> Iterator[_Npz]:
    """Open an npz file. Raises SourceRefused."""
    try:
        file = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, struct.error, OSError, ValueError, NotImplementedError) as error:
        raise SourceRefused("invalid", f"the npz file is damaged or cut off ({error}): {AGAIN}") from error
    with file:
        yield _Npz(file, path, limits)


def _header(stream: IO[bytes], limits: Limits) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Read an array's header. Raises SourceRefused for one that cannot be read row by row."""
    try:
        version = npy.read_magic(stream)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, fortran_order, dtype = read(stream)
    except (ValueError, UnicodeDecodeError) as error:
        message = "an array in the npz file has a header that cannot be read: save it with numpy.savez"
        raise SourceRefused("invalid", message) from error
    if dtype.hasobject:
        raise SourceRefused("unsupported", "the npz file holds Python objects, which are never opened: save numbers")
    if fortran_order and len(shape) > 1:
        raise SourceRefused("unsupported", "the array is in Fortran order: save numpy.ascontiguousarray(images)")
    return shape, dtype
