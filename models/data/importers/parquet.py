"""Parquet files with a column of encoded pictures, as Hugging Face publishes them. Needs the extra parquet."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.data.importers.entries import Aside, Entry
from models.data.importers.errors import AGAIN, PictureRefused, SourceRefused
from models.data.importers.limits import Limits

if TYPE_CHECKING:
    import pyarrow.parquet

IMAGE_COLUMNS, LABEL_COLUMNS = ("image", "img", "images"), ("label", "labels", "class")
BATCH = 64
"""Rows that are in memory at a time."""


class _Parquet:
    def __init__(self, file: "pyarrow.parquet.ParquetFile", limits: Limits) -> None:
        self._file = file
        self._limits = limits
        names = file.schema_arrow.names
        self._image = next((name for name in IMAGE_COLUMNS if name in names), None)
        self._label = next((name for name in LABEL_COLUMNS if name in names), None)

    def number(self) -> int | None:
        return int(self._file.metadata.num_rows)

    def aside(self) -> Aside:
        names = self._file.schema_arrow.names
        return Aside(set(), [f"column {name}" for name in names if name not in {self._image, self._label}])

    def entries(self) -> Iterator[Entry]:
        if self._image is None:
            raise SourceRefused("invalid", f"the parquet file has no column {' or '.join(IMAGE_COLUMNS)}")
        if self._file.metadata.num_rows > self._limits.images:
            raise SourceRefused("invalid", f"the file has more than {self._limits.images:,} images")
        columns = [self._image] + ([self._label] if self._label else [])
        class_names = _class_names(self._file.schema_arrow.metadata, self._label)
        number = 0
        try:
            for batch in self._file.iter_batches(BATCH, columns=columns):
                for row in batch.to_pylist():
                    label = None if self._label is None else _label(row[self._label], class_names)
                    yield Entry(f"{number:09d}", partial(_bytes, row[self._image]), label)
                    number += 1
        except (OSError, ValueError) as error:
            raise SourceRefused("invalid", f"the parquet file is damaged ({_said(error)}): {AGAIN}") from error


@contextmanager
def opened(path: Path, limits: Limits) -> Iterator[_Parquet]:
    """Open a parquet file. Raises SourceRefused, also where the extra is not installed."""
    try:
        import pyarrow.parquet  # noqa: PLC0415  an optional extra
    except ImportError:
        message = "parquet files need the extra parquet on the server: pip install 'saddle-gan[parquet]'"
        raise SourceRefused("unsupported", message) from None
    try:
        file = pyarrow.parquet.ParquetFile(path)
    except (OSError, ValueError) as error:
        raise SourceRefused("invalid", f"the parquet file is damaged or cut off ({_said(error)}): {AGAIN}") from error
    with file:
        yield _Parquet(file, limits)


def _bytes(value: Any) -> bytes:
    content = value.get("bytes") if isinstance(value, dict) else value
    if not isinstance(content, bytes):
        raise PictureRefused("holds no bytes: a path or a list of numbers is not read")
    return content


def _label(value: Any, class_names: list[str] | None) -> str | None:
    if value is None:
        return None
    if class_names is not None and isinstance(value, int) and 0 <= value < len(class_names):
        return class_names[value]
    return str(value)


def _class_names(metadata: dict[bytes, bytes] | None, column: str | None) -> list[str] | None:
    """Return the names of classes that Hugging Face's datasets keep in the schema."""
    try:
        features = json.loads((metadata or {})[b"huggingface"])["info"]["features"]
        names = features[column]["names"]
        return [str(name) for name in names]
    except (KeyError, TypeError, ValueError):
        return None


def _said(error: Exception) -> str:
    """Return the first line of an error of pyarrow's, which may have many."""
    return str(error).strip().split("\n", 1)[0].rstrip(".")
