"""Files read from their beginning to their end: plain, gzip and Zstandard, with a bound on what they unpack to."""

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

import zstandard

from models.data.importers.entries import Budget
from models.data.importers.errors import AGAIN, SourceRefused
from models.data.importers.limits import Limits

GZIP, ZSTANDARD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
LARGEST_WINDOW = 2**27
"""Zstandard's window, and so the memory that unpacking may take."""
BROKEN = (EOFError, gzip.BadGzipFile, zlib.error, zstandard.ZstdError)
"""The errors that reading a damaged or cut-off stream raises."""


class _Counted(io.RawIOBase):
    """A stream whose bytes are charged to a budget. Raises SourceRefused, also for a damaged stream."""

    def __init__(self, stream: IO[bytes] | gzip.GzipFile, budget: Budget) -> None:
        self._stream = stream
        self._budget = budget

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]  # typeshed names a buffer type that Python 3.11 does not have
        try:
            piece = self._stream.read(len(buffer))
        except BROKEN as error:
            raise SourceRefused("invalid", f"the file is damaged or cut off ({error}): {AGAIN}") from error
        self._budget.spend(len(piece))
        buffer[: len(piece)] = piece
        return len(piece)


@contextmanager
def opened(path: Path, limits: Limits) -> Iterator[IO[bytes]]:
    """Open a file, unpacked. Raises SourceRefused while it is read, if it is damaged or unpacks to too much."""
    with ExitStack() as stack:
        file = stack.enter_context(path.open("rb"))
        head = file.read(4)
        file.seek(0)
        if head.startswith(GZIP):
            stream: IO[bytes] | gzip.GzipFile = stack.enter_context(gzip.GzipFile(fileobj=file))
        elif head == ZSTANDARD:
            reader = zstandard.ZstdDecompressor(max_window_size=LARGEST_WINDOW)
            stream = stack.enter_context(reader.stream_reader(file, read_across_frames=True))
        else:
            yield file
            return
        counted = _Counted(stream, Budget(path.stat().st_size, limits))
        yield io.BufferedReader(counted, buffer_size=2**20)
