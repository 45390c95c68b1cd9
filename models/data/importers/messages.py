"""Messages from a process that reads an upload: JSON, and the pixels of an image after it.

The reader trusts no process that has read hostile data: nothing is unpickled, every length is bounded.
"""

import json
import os
import select
import struct
from dataclasses import asdict, dataclass
from typing import IO, Any

from models.data.importers.errors import SourceRefused

HEAD = struct.Struct("<II")


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
    data = message if isinstance(message, dict) else asdict(message)
    content = json.dumps({"kind": kind, **data}).encode()
    file.write(HEAD.pack(len(content), len(pixels)))
    file.write(content)
    file.write(pixels)
    file.flush()


class Reader:
    """Reads the messages from a pipe."""

    def __init__(self, descriptor: int, *, pixel_bytes: int, longest: int) -> None:
        self._descriptor = descriptor
        self._pixel_bytes = pixel_bytes
        self._longest = longest
        self._buffer = bytearray()

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
        while len(self._buffer) < size:
            ready = select.poll()
            ready.register(self._descriptor, select.POLLIN)
            if not ready.poll(1000 * seconds):
                raise Lost(f"took longer than {seconds:.0f} s")
            if not (piece := os.read(self._descriptor, 2**20)):
                raise Lost("ended", ended=True)
            self._buffer += piece
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken
