"""Artifacts in a local folder: a folder each, its key the path below the root."""

import errno
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from store import disk
from store.artifacts.interface import Listed
from store.errors import StorageFull

PARTIAL = ".partial"
DOOMED = ".doomed"


@dataclass(frozen=True)
class LocalArtifacts:
    """The backend of one machine, or of machines that share a file system. It implements `Artifacts`."""

    root: Path

    @contextmanager
    def put(self, key: str, *, min_free_bytes: int) -> Iterator[Path]:
        final = self._path(key)
        temporary = _hidden(final, PARTIAL)
        try:
            final.parent.mkdir(parents=True, exist_ok=True)
            if (free := shutil.disk_usage(final.parent).free) < min_free_bytes:
                raise StorageFull(f"{free // 2**20} MiB of disk are free, {min_free_bytes // 2**20} MiB must stay so")
            temporary.mkdir()
            yield temporary
            for file in temporary.iterdir():
                if file.is_dir():
                    raise ValueError(f"{key} would hold a folder, {file.name}: an artifact holds files only")
                disk.sync(file)
            disk.sync(temporary)
            temporary.rename(final)
            disk.sync(final.parent)
        except BaseException as error:
            shutil.rmtree(temporary, ignore_errors=True)
            if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
                raise StorageFull("the disk is full") from error
            raise

    def open(self, key: str, name: str) -> BinaryIO:
        if "/" in name or name in {"", ".", ".."}:
            raise ValueError(f"{name!r} is no file's name")
        return (self._path(key) / name).open("rb")

    def local_copy(self, key: str) -> Path:
        """Return the artifact's own folder, not a copy."""
        path = self._path(key)
        if not path.is_dir():
            raise FileNotFoundError(errno.ENOENT, "no such artifact", key)
        return path

    def share(self, source: str, key: str, *, min_free_bytes: int) -> None:
        """Link the files to the second key where the file system can, and copy them elsewhere."""
        with self.put(key, min_free_bytes=min_free_bytes) as folder:
            for file in self._path(source).iterdir():
                try:
                    os.link(file, folder / file.name)
                except FileNotFoundError:
                    raise
                except OSError:  # a file system without links
                    shutil.copyfile(file, folder / file.name)

    def list(self, prefix: str) -> Iterator[Listed]:
        return self._list(self._path(prefix))

    def delete(self, key: str) -> None:
        path = self._path(key)
        # Renamed first, so that a reader finds the whole folder or none.
        doomed = _hidden(path, DOOMED)
        try:
            path.rename(doomed)
        except FileNotFoundError:
            return
        if doomed.is_dir():
            shutil.rmtree(doomed)
        else:
            doomed.unlink()

    def _path(self, key: str) -> Path:
        """Return a key's path. Raises ValueError for a key that leaves the root."""
        path = (self.root / key).resolve()
        if not path.is_relative_to(self.root.resolve()) or path == self.root.resolve():
            raise ValueError(f"{key!r} leaves the artifacts' root")
        return path

    def _list(self, folder: Path) -> Iterator[Listed]:
        """Yield the folders below this one that hold files alone. An empty folder is no artifact."""
        folders, _ = _content(folder)
        for child in folders:
            whole = not (child.name.startswith(".") and child.suffix in {PARTIAL, DOOMED})
            inner, files = _content(child)
            if not whole or (files and not inner):
                key = str(child.relative_to(self.root.resolve()))
                yield Listed(key, age_seconds=_age_seconds(child), whole=whole)
            else:
                yield from self._list(child)


def _hidden(path: Path, suffix: str) -> Path:
    """Return a new name beside a path, for files that are not visible yet or no longer."""
    return path.with_name(f".{path.name}.{uuid.uuid4().hex}{suffix}")


def _content(folder: Path) -> tuple[list[Path], list[Path]]:
    """Return the folders and the files within a folder; nothing if it has gone meanwhile."""
    try:
        with os.scandir(folder) as entries:  # which says of each whether it is a folder, without a look at its inode
            found = sorted((Path(entry.path), entry.is_dir()) for entry in entries)
    except FileNotFoundError:
        return [], []
    return [path for path, is_folder in found if is_folder], [path for path, is_folder in found if not is_folder]


def _age_seconds(path: Path) -> float:
    """Return the seconds since the last change; 0 if it has gone meanwhile."""
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
