"""Zip archives of pictures."""

import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from models.data.importers import entries
from models.data.importers.entries import Archive, Entry, Member
from models.data.importers.errors import AGAIN, PictureRefused, SourceRefused
from models.data.importers.limits import Limits

UTF8_NAME = 0x800
ENCRYPTED = 0x1
UNICODE_PATH = 0x7075
"""The extra field in which Info-ZIP keeps a name in UTF-8."""


class _Zip(Archive):
    def __init__(self, file: zipfile.ZipFile, packed_bytes: int, limits: Limits) -> None:
        super().__init__(packed_bytes, limits)
        self._file = file

    def entries(self) -> Iterator[Entry]:
        return self.sift(self._member(info) for info in self._file.infolist())

    def _member(self, info: zipfile.ZipInfo) -> Member:
        mode = info.external_attr >> 16
        special = "encrypted" if info.flag_bits & ENCRYPTED else None
        if stat.S_ISLNK(mode):
            special = "a symbolic link"
        elif stat.S_IFMT(mode) and not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            special = "a device or a pipe"
        return Member(_name(info), info.file_size, info.is_dir(), special, lambda: self._read(info))

    def _read(self, info: zipfile.ZipInfo) -> bytes:
        try:
            with self._file.open(info) as member:
                return entries.read_bounded(member, limits=self.limits)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError) as error:
            raise PictureRefused(f"cannot be unpacked: {error}") from error


@contextmanager
def opened(path: Path, limits: Limits) -> Iterator[_Zip]:
    """Open a zip archive. Raises SourceRefused."""
    try:
        file = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, struct.error, OSError, ValueError, NotImplementedError) as error:
        raise SourceRefused("invalid", f"the zip archive is damaged or cut off ({error}): {AGAIN}") from error
    except MemoryError:
        raise entries.too_many(limits) from None
    with file:
        yield _Zip(file, path.stat().st_size, limits)


def _name(info: zipfile.ZipInfo) -> str:
    """Return a member's name. Archives made on a Mac hold UTF-8 that is not marked as such."""
    if (name := _unicode_path(info.extra)) is not None:
        return name
    if info.flag_bits & UTF8_NAME:
        return info.filename
    try:
        return info.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return info.filename


def _unicode_path(extra: bytes) -> str | None:
    while len(extra) >= 4:
        kind, size = struct.unpack_from("<HH", extra)
        if kind == UNICODE_PATH and size > 5:
            return extra[9 : 4 + size].decode("utf-8", "replace")
        extra = extra[4 + size :]
    return None
