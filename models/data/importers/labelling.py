"""Classes of imported pictures: from their folders, from a CSV file, or from the format itself."""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from models.data.importers.errors import SourceRefused

SPLITS = frozenset({"train", "training", "test", "testing", "val", "valid", "validation"})
"""Folders that divide a dataset and are no classes."""
BESIDE = 'lies beside the folders of the classes: move it into one, or import with labels "none"'
NOT_LISTED = "is not in labels.csv: add it, or remove the picture"
NO_LABEL = "has no label"


@dataclass(frozen=True)
class Labels:
    """The class of each picture."""

    classes: tuple[str, ...]
    """The names, in the order of their numbers. Empty: the pictures have no classes."""
    numbers: tuple[int | None, ...]
    """The class of each picture. None: it has none although the others do, and is refused."""
    lacking: str
    """The reason of such a refusal."""


def none(number: int) -> Labels:
    return Labels((), (0,) * number, "")


def given(labels: Sequence[str | None]) -> Labels:
    """Return the classes that a format gives."""
    return _numbered(labels, lacking=NO_LABEL)


def by_folders(names: Sequence[str]) -> Labels:
    """Return the classes by folder: the first that not all pictures have in common, passing over train, test and such.

    Pictures in a single folder have no classes.
    """
    folders = [PurePosixPath(name).parts[:-1] for name in names]
    depth = _common(folders)
    tops = {parts[depth] for parts in folders if len(parts) > depth}
    if len(tops) > 1 and all(top.lower() in SPLITS for top in tops):
        depth += 1
    return _numbered([parts[depth] if len(parts) > depth else None for parts in folders], lacking=BESIDE)


def by_csv(content: str, names: Sequence[str]) -> Labels:
    """Return the classes that a CSV file with the columns file and label gives. Raises SourceRefused."""
    try:
        rows = csv.DictReader(io.StringIO(content, newline=""), strict=True)
        columns = {column.strip().lower(): column for column in rows.fieldnames or ()}
        if not {"file", "label"} <= set(columns):
            raise SourceRefused("invalid", "labels.csv must begin with the line file,label")
        found = {str(row[columns["file"]]).replace("\\", "/").removeprefix("./"): row[columns["label"]] for row in rows}
    except csv.Error as error:
        raise SourceRefused("invalid", f"labels.csv cannot be read: {error}") from error
    by_name = {PurePosixPath(name).name: label for name, label in found.items()}
    common = _common([PurePosixPath(name).parts[:-1] for name in names])

    def look_up(name: str) -> str | None:
        within = "/".join(PurePosixPath(name).parts[common:])
        return found.get(name) or found.get(within) or by_name.get(PurePosixPath(name).name) or None

    return _numbered([look_up(name) for name in names], lacking=NOT_LISTED)


def _numbered(labels: Sequence[str | None], *, lacking: str) -> Labels:
    words = [None if label is None else _clean(label) for label in labels]
    classes = tuple(sorted({word for word in words if word is not None}, key=_natural))
    if len(classes) < 2 and None not in words:
        return none(len(words))
    if not classes:
        return none(len(words))
    number = {name: place for place, name in enumerate(classes)}
    return Labels(classes, tuple(None if word is None else number[word] for word in words), lacking)


def _common(folders: Sequence[tuple[str, ...]]) -> int:
    """Return the number of leading folders that all paths have in common."""
    if not folders:
        return 0
    first, last = min(folders), max(folders)
    depth = 0
    while depth < min(len(first), len(last)) and first[depth] == last[depth]:
        depth += 1
    return depth


def _natural(name: str) -> list[tuple[int, str]]:
    """Return a key by which class2 comes before class10."""
    return [(int(part), "") if part.isdecimal() else (-1, part.lower()) for part in re.split(r"([0-9]+)", name)] + [
        (-1, name)
    ]


def _clean(label: str) -> str:
    """Return a class's name without control characters and not too long."""
    plain = "".join(character if character.isprintable() else "�" for character in label.strip())
    return plain[:100] or "unnamed"
