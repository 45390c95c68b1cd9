"""Formats of uploaded files, each with the module that reads it. Needs numpy and Pillow, not torch."""

import zipfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from models.data.importers import idx, npz, parquet, streams, tars, zips
from models.data.importers.entries import Source
from models.data.importers.errors import SourceRefused
from models.data.importers.limits import Limits

HEAD_BYTES = 512
READ = "a zip or tar archive of pictures, npz, IDX or parquet"


@dataclass(frozen=True)
class Format:
    name: str
    opened: Callable[[Path, Limits], AbstractContextManager[Source]]


def detect(path: Path, limits: Limits) -> Format:
    """Return a file's format, by its content. Raises SourceRefused."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return REGISTRY["npz" if _holds_arrays(path) else "zip"]
    if head.startswith(b"PAR1"):
        return REGISTRY["parquet"]
    if head.startswith((streams.GZIP, streams.ZSTANDARD)):
        with streams.opened(path, limits) as stream:
            head = stream.read(HEAD_BYTES)
    if head.startswith(idx.MAGICS):
        return REGISTRY["idx"]
    if head[257:262] == b"ustar" or _is_old_tar(head):
        return REGISTRY["tar"]
    raise SourceRefused("unsupported", f"{_what(head)}; upload {READ}")


def _holds_arrays(path: Path) -> bool:
    """Return whether a zip archive is an npz file. Raises SourceRefused for a model saved by PyTorch."""
    try:
        with zipfile.ZipFile(path) as file:
            names = file.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return False  # damaged: the format zip opens it again, and says what is wrong
    if any(name.endswith("data.pkl") for name in names):
        raise SourceRefused("unsupported", f"it is a pickle, which is never opened; upload {READ}")
    return bool(names) and all(name.endswith(".npy") for name in names)


def _is_old_tar(head: bytes) -> bool:
    """Return whether a block is the header of a tar archive from before POSIX, by its checksum."""
    if len(head) < HEAD_BYTES:
        return False
    try:
        checksum = int(head[148:156].strip(b" \0"), 8)
    except ValueError:
        return False
    return checksum == sum(head[:148]) + 8 * 32 + sum(head[156:512])


def _what(head: bytes) -> str:
    """Return what a file is that is not read."""
    known = {
        b"\x80": "it is a pickle, which is never opened",
        b"\x93NUMPY": "it is a single array: save it with numpy.savez(file, images=…)",
        b"\x89PNG": "it is a single picture: pack a folder of pictures",
        b"\xff\xd8\xff": "it is a single picture: pack a folder of pictures",
        b"GIF8": "it is a single picture: pack a folder of pictures",
        b"7z\xbc\xaf": "it is a 7z archive, which is not read",
        b"Rar!": "it is a RAR archive, which is not read",
        b"BZh": "it is packed by bzip2, which is not read",
        b"\xfd7zXZ": "it is packed by xz, which is not read",
    }
    if not head:
        return "it is empty"
    return next((words for magic, words in known.items() if head.startswith(magic)), "its format is not known")


REGISTRY: dict[str, Format] = {
    entry.name: entry
    for entry in (
        Format("zip", zips.opened),
        Format("tar", tars.opened),
        Format("npz", npz.opened),
        Format("idx", idx.opened),
        Format("parquet", parquet.opened),
    )
}
