"""Messages from a process that reads an upload: JSON, and the pixels of an image after it.

The reader trusts no process that has read hostile data: nothing is unpickled, every length is bounded.
"""

import fcntl
import json
import os
import select
import struct
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any

from models.data.importers.errors import SourceRefused

HEAD = struct.Struct("<II")
PIPE_BYTES = 2**20
"""The largest pipe that Linux gives to any user."""
AHEAD_BYTES = 2**22


class Lost(Exception):
    """The process has ended, hangs or says what it must not."""

    def __init__(self, message: str, *, ended: bool = False) -> None:
        super().__init__(message)
        self.ended = ended


@dataclass(frozen=True)
class Begun:
    """The process has started and has come to its first entry."""


@dataclass(frozen=True)
class Told:
    """An entry that was decoded or refused."""

    entry: int
    name: str
    label: str | None
    refused: str | None = None
    grey: bool = False
    format: str = ""
    mode: str = ""
    width: int = 0
    height: int = 0
    conversions: tuple[str, ...] = ()
    spread: float = 0.0
    """The largest standard deviation of a channel, in levels. Near 0 the image is blank."""
    digest: str = ""
    """SHA-256 of the pixels, in hexadecimal."""
    look: str = ""
    """The perceptual hash of 8 bytes, in hexadecimal."""


@dataclass(frozen=True)
class End:
    """The end of the file, and what was found beside the pictures."""

    entries: int
    folders: tuple[str, ...]
    ignored: tuple[str, ...]
    ignored_count: int
    labels_csv: str | None


KINDS: dict[str, type[Begun | Told | End]] = {"begun": Begun, "told": Told, "end": End}


def write(file: IO[bytes], kind: str, message: Any, pixels: bytes = b"") -> None:
    """Write a message: a Told, an End, or the dict of any other kind."""
    data = message if isinstance(message, dict) else vars(message)
    content = json.dumps({"kind": kind, **data}).encode()
    file.write(HEAD.pack(len(content), len(pixels)))
    file.write(content)
    file.write(pixels)
    file.flush()


class Reader:
    """Reads the messages from a pipe. While it waits, it empties the pipes of its company, so that none of them fills.

    `company` holds all readers of a crew. One of them may be ahead by 4 MiB.
    """

    def __init__(self, descriptor: int, *, pixel_bytes: int, longest: int, company: "list[Reader]") -> None:
        self._descriptor = descriptor
        self._pixel_bytes = pixel_bytes
        self._longest = longest
        self._company = company
        self._buffer = bytearray()
        self._taken = 0
        """The number of bytes at the buffer's start that were returned."""
        self._ended = False
        company.append(self)
        with suppress(OSError):  # a user's pipes may be limited: a small one only costs time
            fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, PIPE_BYTES)

    def close(self) -> None:
        self._company.remove(self)

    def begin(self, *, seconds: float) -> None:
        """Wait for the first message, which is Begun or the refusal of the file. Raises Lost, SourceRefused."""
        self.read(seconds=seconds)

    def read(self, *, seconds: float) -> tuple[Begun | Told | End, bytes]:
        """Return the next message and the image's pixels. Raises Lost, also after `seconds`; SourceRefused."""
        size, pixels_size = HEAD.unpack(self._exactly(HEAD.size, seconds))
        if size > self._longest or pixels_size not in {0, self._pixel_bytes}:
            raise Lost("sent nonsense")
        content, pixels = self._exactly(size, seconds), self._exactly(pixels_size, seconds)
        try:
            data = json.loads(content)
            kind = data.pop("kind")
            if kind == "refused":
                raise SourceRefused(data["code"], data["message"])
            made = KINDS[kind](**data)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise Lost("sent nonsense") from error
        return made, pixels

    def _exactly(self, size: int, seconds: float) -> bytes:
        while self._waiting < size:
            if self._ended:
                raise Lost("ended", ended=True)
            self._wait(seconds)
        taken = bytes(memoryview(self._buffer)[self._taken : self._taken + size])
        self._taken += size
        return taken

    @property
    def _waiting(self) -> int:
        """The number of bytes that were read and not returned."""
        return len(self._buffer) - self._taken

    def _wait(self, seconds: float) -> None:
        """Wait until there is more in this pipe, or its end. Raises Lost after `seconds`."""
        until = time.monotonic() + seconds
        before = self._waiting
        while self._waiting == before and not self._ended:
            open_ = {
                reader._descriptor: reader
                for reader in self._company
                if not reader._ended and (reader is self or reader._waiting < AHEAD_BYTES)
            }
            ready = select.poll()
            for descriptor in open_:
                ready.register(descriptor, select.POLLIN)
            found = ready.poll(1000 * max(0.0, until - time.monotonic()))
            if not found:
                raise Lost(f"took longer than {seconds:.0f} s")
            for descriptor, _ in found:
                open_[descriptor]._fill()

    def _fill(self) -> None:
        del self._buffer[: self._taken]
        self._taken = 0
        piece = os.read(self._descriptor, PIPE_BYTES)
        self._ended = not piece
        self._buffer += piece
