"""Entries of an uploaded file: pictures by name, in the file's order, each read only when it is wanted."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO, Protocol

import numpy as np
from numpy.typing import NDArray

from models.data.importers.errors import PictureRefused, SourceRefused
from models.data.importers.limits import Limits

Content = bytes | NDArray[np.generic]
"""An encoded picture, or its pixels: H x W or H x W x C."""

ARCHIVES = frozenset({".zip", ".tar", ".gz", ".tgz", ".zst", ".bz2", ".xz", ".7z", ".rar", ".jar"})
PICTURES = frozenset(
    {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".dib", ".tif", ".tiff", ".gif", ".ppm", ".pgm", ".pbm"}
    | {".pnm", ".heic", ".heif", ".avif", ".svg"}
)
"""Suffixes of files that are taken for pictures. What they hold is seen when they are decoded."""
JUNK = frozenset({"__macosx", ".ds_store", "thumbs.db", "desktop.ini", "@eadir", ".git", ".svn"})
"""Names that systems leave in folders. They are never a picture and never a class."""
LABELS_CSV = "labels.csv"
PIECE = 2**20


@dataclass(frozen=True)
class Entry:
    """One picture. `read` may be called once, before the next entry is taken. It raises PictureRefused."""

    name: str
    read: Callable[[], Content]
    label: str | None = None
    """The class that the format itself gives. None where classes come from folders or a CSV file."""


class Source(Protocol):
    """An opened file."""

    def entries(self) -> Iterator[Entry]:
        """Yield the pictures, in the same order each time. Raises SourceRefused."""

    def number(self) -> int | None:
        """Return the number of pictures, or None if only reading the whole file tells."""

    def aside(self) -> "Aside":
        """Return what was found beside the pictures. Complete once all entries were taken."""


@dataclass
class Aside:
    """The contents of an archive beside its pictures."""

    folders: set[str]
    """Folders by their own entries, so that one without pictures is known."""
    ignored: list[str]
    """Files that are no pictures."""
    labels_csv: bytes | None = None


def cleaned(name: str) -> str:
    """Return an archive member's name with forward slashes. Raises SourceRefused for a name that leaves the archive."""
    name = name.replace("\\", "/")
    parts = PurePosixPath(name).parts
    if not parts or "\0" in name or name.startswith("/") or ".." in parts or (len(parts[0]) > 1 and parts[0][1] == ":"):
        raise SourceRefused("invalid", f"{shown(name)} is no name within the archive: pack the folder anew")
    return "/".join(part for part in parts if part != ".")


def shown(name: str) -> str:
    """Return a name as a message can hold it: one line, no control characters, not too long."""
    plain = "".join(character if character.isprintable() else "�" for character in name)
    return repr(plain if len(plain) <= 200 else f"{plain[:200]}…")


def is_junk(name: str) -> bool:
    return any(part.lower() in JUNK or part.startswith("._") for part in PurePosixPath(name).parts)


def is_archive(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in ARCHIVES


def is_picture(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in PICTURES


def is_labels(name: str) -> bool:
    return PurePosixPath(name).name.lower() == LABELS_CSV


def read_bounded(file: IO[bytes], *, limits: Limits) -> bytes:
    """Read a file to its end. Raises PictureRefused if it is longer than one may be."""
    pieces, size = [], 0
    while piece := file.read(PIECE):
        size += len(piece)
        if size > limits.file_bytes:
            raise PictureRefused(f"is larger than {limits.file_bytes / 2**20:.0f} MiB")
        pieces.append(piece)
    return b"".join(pieces)


def too_many(limits: Limits) -> SourceRefused:
    message = f"the archive has more than {limits.entries:,} entries: put the images into an npz or parquet file"
    return SourceRefused("invalid", message)


class Budget:
    """Counts the entries and the unpacked bytes of an archive against its limits."""

    def __init__(self, packed_bytes: int, limits: Limits) -> None:
        self._packed = packed_bytes
        self._limits = limits
        self._unpacked = 0
        self._entries = 0

    def count(self, number: int = 1) -> None:
        """Count entries. Raises SourceRefused beyond the limit."""
        self._entries += number
        if self._entries > self._limits.entries:
            raise too_many(self._limits)

    def spend(self, size: int) -> None:
        """Count unpacked bytes. Raises SourceRefused beyond a limit."""
        self._unpacked += size
        limits = self._limits
        if self._unpacked > limits.unpacked_bytes:
            raise SourceRefused("too_large", f"it unpacks to more than {limits.unpacked_bytes / 2**30:.0f} GiB")
        if self._unpacked > max(limits.ratio_from_bytes, limits.ratio * self._packed):
            raise SourceRefused(
                "too_large",
                f"it unpacks to more than {limits.ratio:g} times its size, as an archive bomb does: "
                "pack compressed pictures such as PNG",
            )


class Archive:
    """The base of archive formats: tells pictures from what lies beside them."""

    def __init__(self, packed_bytes: int, limits: Limits) -> None:
        self.limits = limits
        self.packed_bytes = packed_bytes
        self._aside = Aside(set(), [])

    def number(self) -> int | None:
        return None

    def aside(self) -> Aside:
        return self._aside

    def sift(self, members: Iterable["Member"]) -> Iterator[Entry]:
        """Yield the pictures among an archive's members. Raises SourceRefused for a member that no archive may have."""
        budget = Budget(self.packed_bytes, self.limits)
        self._aside = Aside(set(), [])
        for member in members:
            budget.count()
            budget.spend(member.size)
            name = cleaned(member.name)
            if member.special is not None:
                raise SourceRefused("invalid", f"{shown(name)} is {member.special}: pack plain files only")
            if is_junk(name):
                continue
            if member.is_folder:
                self._aside.folders.add(name)
            elif is_archive(name):
                raise SourceRefused("invalid", f"{shown(name)} is an archive within the archive: unpack it first")
            elif is_labels(name) and self._aside.labels_csv is None:
                self._aside.labels_csv = member.read()
            elif is_picture(name):
                yield Entry(name, member.read)
            else:
                self._aside.ignored.append(name)


@dataclass(frozen=True)
class Member:
    """A member of an archive, before anything is known of it."""

    name: str
    size: int
    is_folder: bool
    special: str | None
    """Why it is neither a file nor a folder, such as "a symbolic link"; None if it is one."""
    read: Callable[[], bytes]
