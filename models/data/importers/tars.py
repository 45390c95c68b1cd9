"""Tar archives of pictures: plain, gzip or Zstandard."""

import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from models.data.importers import entries, streams
from models.data.importers.entries import Archive, Entry, Member
from models.data.importers.errors import AGAIN, PictureRefused, SourceRefused
from models.data.importers.limits import Limits


class _Tar(Archive):
    def __init__(self, path: Path, limits: Limits) -> None:
        super().__init__(path.stat().st_size, limits)
        self._path = path

    def entries(self) -> Iterator[Entry]:
        with streams.opened(self._path, self.limits) as stream:
            try:
                with tarfile.open(fileobj=stream, mode="r|") as file:
                    yield from self.sift(self._members(file))
            except tarfile.TarError as error:
                raise SourceRefused("invalid", f"the tar archive is damaged or cut off ({error}): {AGAIN}") from error

    def _members(self, file: tarfile.TarFile) -> Iterator[Member]:
        for info in file:
            file.members = []  # type: ignore[attr-defined]  # else it keeps every member for ever
            yield Member(info.name, info.size, info.isdir(), _special(info), partial(self._read, file, info))

    def _read(self, file: tarfile.TarFile, info: tarfile.TarInfo) -> bytes:
        try:
            member = file.extractfile(info)
            assert member is not None
            with member:
                return entries.read_bounded(member, limits=self.limits)
        except (tarfile.TarError, OSError) as error:
            raise PictureRefused(f"cannot be unpacked: {error}") from error


@contextmanager
def opened(path: Path, limits: Limits) -> Iterator[_Tar]:
    """Open a tar archive. Raises SourceRefused when its entries are taken."""
    yield _Tar(path, limits)


def _special(info: tarfile.TarInfo) -> str | None:
    if info.issym() or info.islnk():
        return "a link"
    if info.issparse():
        return "a sparse file"
    return None if info.isreg() or info.isdir() else "a device or a pipe"
