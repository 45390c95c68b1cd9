"""The interface of artifacts: sets of files behind keys. Callers use these operations alone and build no paths."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol


@dataclass(frozen=True)
class Listed:
    """An artifact as `list` found it. One that is not `whole` is left over from a put or a delete that was cut off."""

    key: str
    age_seconds: float
    whole: bool


class Artifacts(Protocol):
    """Sets of files, each whole under its key or not there at all, and never changed.

    A key is a relative path with slashes, such as `jobs/job_1/checkpoints/000000000000320-1`. A key that would lead
    elsewhere raises ValueError. The files of an artifact lie side by side, without folders.
    """

    def put(self, key: str, *, min_free_bytes: int) -> AbstractContextManager[Path]:
        """Yield a new folder to fill. At the block's end its files are stored durably under the key.

        An exception within the block leaves nothing. Raises StorageFull if less than `min_free_bytes` would be free or
        the space runs out, ValueError for a folder within the folder.
        """

    def open(self, key: str, name: str) -> BinaryIO:
        """Open one seekable file to read. It can be read to its end, even if the key is deleted meanwhile.

        Raises FileNotFoundError if the key or the file is gone.
        """

    def local_copy(self, key: str) -> Path:
        """Return a local folder that holds the files, to be read only. Raises FileNotFoundError if the key is gone.

        The folder may vanish at any time, when the key is deleted.
        """

    def share(self, source: str, key: str, *, min_free_bytes: int) -> None:
        """Put the files of `source` under a second key as well; either key may then be deleted.

        Raises FileNotFoundError if the source is gone, and StorageFull.
        """

    def list(self, prefix: str) -> Iterator[Listed]:
        """Yield the artifacts whose keys lie below a prefix, a key's part, in the keys' order."""

    def delete(self, key: str) -> None:
        """Delete an artifact, or all below a key. A key that is not there is no error."""
