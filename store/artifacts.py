"""Artifacts: folders and files under one root that are there whole or not at all."""

import errno
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from store.errors import StorageFull


@dataclass(frozen=True)
class Artifacts:
    root: Path

    def path(self, relative: str) -> Path:
        """Of an artifact; raises ValueError for a name that leaves the root."""
        path = (self.root / relative).resolve()
        if not path.is_relative_to(self.root.resolve()) or path == self.root.resolve():
            raise ValueError(f"{relative!r} leaves the artifacts' root")
        return path

    @contextmanager
    def new_folder(self, relative: str, *, min_free_bytes: int) -> Iterator[Path]:
        """A temporary folder to fill; at the block's end it stands, synced and whole, under its name.

        An exception leaves nothing. Raises StorageFull where less than so much space is free, or it runs out.
        """
        final = self.path(relative)
        temporary = final.with_name(f".{final.name}.{uuid.uuid4().hex}.partial")
        try:
            final.parent.mkdir(parents=True, exist_ok=True)
            if (free := shutil.disk_usage(final.parent).free) < min_free_bytes:
                raise StorageFull(f"{free // 2**20} MiB of disk are free, {min_free_bytes // 2**20} MiB must stay so")
            temporary.mkdir()
            yield temporary
            for file in temporary.iterdir():
                _sync(file)
            _sync(temporary)
            temporary.rename(final)
            _sync(final.parent)
        except BaseException as error:
            shutil.rmtree(temporary, ignore_errors=True)
            if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
                raise StorageFull("the disk is full") from error
            raise

    def share(self, source: str, relative: str, *, min_free_bytes: int) -> None:
        """Puts a folder's files under a second name too, whole or not at all. Both names may be deleted.

        Artifacts never change, so the files are shared where the file system can, else copied. Raises
        FileNotFoundError where the source is gone, StorageFull.
        """
        with self.new_folder(relative, min_free_bytes=min_free_bytes) as folder:
            for file in self.path(source).iterdir():
                try:
                    os.link(file, folder / file.name)
                except FileNotFoundError:
                    raise
                except OSError:  # a file system without links
                    shutil.copyfile(file, folder / file.name)

    def delete(self, relative: str) -> None:
        """Of a folder or a file; deleting what is not there is no error."""
        path = self.path(relative)
        # Renamed first, so that a reader finds the whole folder or none.
        doomed = path.with_name(f".{path.name}.{uuid.uuid4().hex}.doomed")
        try:
            path.rename(doomed)
        except FileNotFoundError:
            return
        if doomed.is_dir():
            shutil.rmtree(doomed)
        else:
            doomed.unlink()


def write_private(path: Path, text: str) -> None:
    """A small file that only its owner may read (mode 0600), there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.partial")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
