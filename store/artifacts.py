"""Artifacts: folders and files under one root that are there whole or not at all."""

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

        An exception leaves nothing. Raises StorageFull where less than so much space is free.
        """
        final = self.path(relative)
        final.parent.mkdir(parents=True, exist_ok=True)
        if (free := shutil.disk_usage(final.parent).free) < min_free_bytes:
            raise StorageFull(f"{free // 2**20} MiB are free, a checkpoint must leave {min_free_bytes // 2**20} MiB")
        temporary = final.with_name(f".{final.name}.{uuid.uuid4().hex}.partial")
        temporary.mkdir()
        try:
            yield temporary
            for file in temporary.iterdir():
                _sync(file)
            _sync(temporary)
            temporary.rename(final)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        _sync(final.parent)

    def delete(self, relative: str) -> None:
        """Of a folder or a file; deleting what is not there is no error."""
        path = self.path(relative)
        if not path.exists():
            return
        # Renamed first, so that a reader finds the whole folder or none.
        doomed = path.with_name(f".{path.name}.{uuid.uuid4().hex}.doomed")
        path.rename(doomed)
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
