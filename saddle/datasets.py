"""Datasets of a service: import files of pictures, list, wait for, report and delete."""

import io
import json
import secrets
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.parse import quote

from saddle.errors import InvalidRequest
from saddle.schemas import Dataset, DatasetReport, Page
from saddle.transport import Transport

LARGEST_PAGE = 100
POLL_SECONDS = 1.0
LOOK_SECONDS = 960.0
"""The service looks a file over before it answers, for at most fifteen minutes."""


def _unseen(sent: int, total: int) -> None:
    """Show nothing of an upload's progress."""


class Datasets:
    """The datasets of one service. Methods raise errors.SaddleError for faults outside the program."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def add(
        self,
        path: Path,
        *,
        name: str,
        options: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        sent: Callable[[int, int], None] = _unseen,
    ) -> Dataset:
        """Upload a file, or a folder of pictures, to be imported under a name.

        `options` are those of the import: resolution, fit, channels, labels, flips_natural, background, holdout. `sent`
        is called with the bytes sent so far and their number. The idempotency key works as in `Client.create_job`.
        Raises InvalidRequest if the path cannot be read.
        """
        fields = {"name": name, "options": json.dumps(dict(options or {}))}
        headers = {"Idempotency-Key": idempotency_key or secrets.token_hex(16)}
        with _opened(path) as (file, file_name):
            response = self._transport.send(
                "POST",
                "/v1/datasets",
                form=fields,
                files={"file": (file_name, cast(BinaryIO, _Watched(file, sent)))},
                headers=headers,
                repeat=True,
                timeout_seconds=LOOK_SECONDS,
            )
        return self._transport.parse(Dataset, response)

    def list(self) -> Iterator[Dataset]:
        """Yield the datasets: imported ones, newest first, then those that are built in."""
        after = None
        while True:
            params = {"limit": LARGEST_PAGE, "after": after}
            page = self._transport.parse(Page[Dataset], self._get("/v1/datasets", params))
            yield from page.data
            after = page.next
            if not page.has_more or after is None:
                return

    def get(self, dataset_id: str) -> Dataset:
        """Return a dataset by its id or built-in name."""
        return self._transport.parse(Dataset, self._get(_path(dataset_id)))

    def find(self, name: str) -> Dataset | None:
        """Return the dataset with a name or an id; None if there is none."""
        return next((found for found in self.list() if name in {found.id, found.name}), None)

    def wait(self, dataset_id: str, *, seen: Callable[[Dataset], None]) -> Dataset:
        """Wait until an import has ended. `seen` is called with each reading, about once a second."""
        while True:
            found = self.get(dataset_id)
            seen(found)
            if found.status != "importing":
                return found
            self._transport.sleep(POLL_SECONDS)

    def report(self, dataset_id: str) -> DatasetReport:
        """Return what an imported file held and what became of each picture."""
        return self._transport.parse(DatasetReport, self._get(_path(dataset_id) + "/report"))

    def preview_png(self, dataset_id: str) -> bytes:
        """Draw the first 64 images."""
        content: bytes = self._get(_path(dataset_id) + "/preview.png", accept="image/png").content
        return content

    def cancel(self, dataset_id: str) -> Dataset:
        """Cancel an import."""
        return self._transport.parse(Dataset, self._transport.send("POST", _path(dataset_id) + "/cancel", repeat=True))

    def delete(self, dataset_id: str) -> None:
        """Delete an imported dataset, unless a job that has not ended needs it."""
        self._transport.send("DELETE", _path(dataset_id), repeat=False)

    def _get(
        self, path: str, params: Mapping[str, str | int | None] | None = None, *, accept: str = "application/json"
    ) -> Any:
        return self._transport.send("GET", path, params=params, headers={"Accept": accept}, repeat=True)


class _Watched(io.RawIOBase):
    """A file that tells how much of it was read."""

    def __init__(self, file: BinaryIO, sent: Callable[[int, int], None]) -> None:
        self._file = file
        self._sent = sent
        self._total = file.seek(0, io.SEEK_END)
        file.seek(0)

    def read(self, size: int = -1) -> bytes:
        content = self._file.read(size)
        self._sent(self._file.tell(), self._total)
        return content

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True


@contextmanager
def _opened(path: Path) -> Iterator[tuple[BinaryIO, str]]:
    """Open a file, or a folder as a zip archive of its files. Raises InvalidRequest."""
    if not path.exists():
        raise InvalidRequest(f"there is no {path}")
    if path.is_file():
        with path.open("rb") as file:
            yield file, path.name
        return
    with tempfile.TemporaryFile(prefix="saddle-") as packed:
        # Pictures are compressed already.
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED, strict_timestamps=False) as archive:
            for member in sorted(path.rglob("*")):
                if member.is_file():
                    archive.write(member, member.relative_to(path))
        yield packed, f"{path.resolve().name}.zip"


def _path(dataset_id: str) -> str:
    if dataset_id in {"", ".", ".."}:
        raise InvalidRequest(f"{dataset_id!r} is no id")
    return f"/v1/datasets/{quote(dataset_id, safe='')}"
