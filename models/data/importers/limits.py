"""Limits of an import. They bound its time, memory and disk, whatever the file holds."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    unpacked_bytes: int = 64 * 2**30
    """The sum of all files in an archive, unpacked."""
    ratio: float = 50.0
    """How many times larger than the archive its files may be, unpacked."""
    ratio_from_bytes: int = 2**20
    """Files that unpack to less than this are never a bomb."""
    entries: int = 500_000
    """Files and folders in an archive."""
    images: int = 10_000_000
    """Images in a file that holds arrays."""
    file_bytes: int = 256 * 2**20
    """One file in an archive, unpacked."""
    pixels: int = 100_000_000
    """Width times height of one picture."""
    frames: int = 1_000
    """Frames of an animation, of which the first is used."""
    picture_seconds: float = 30.0
    """The time that one picture may take."""
    memory_bytes: int = 3 * 2**30
    """The address space of a process that reads the file."""
    message_bytes: int = 64 * 2**20
    """The longest message of such a process, beside pixels. A file of labels is the longest of all."""
