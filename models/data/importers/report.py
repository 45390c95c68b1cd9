"""Report of an import: what the file held, what became of each picture, and advice."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict

from models.data.importers.messages import Told
from models.data.importers.pictures import CONVERSIONS
from models.specs.datasets import LITTLE_DATA

MOST_LISTED = 1_000
"""Refused and ignored files that are listed; the others are counted."""
MOST_EXAMPLES = 12
BLANK_LEVELS = 2.0
"""An image whose pixels deviate by less than this is blank, or nearly so."""
UNBALANCED = 10.0
COMMON_SIZES = 5


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


class FileReason(_Part):
    name: str
    reason: str


class Conversion(_Part):
    name: str
    images: int
    what: str
    """The conversion in words, for people."""


class ClassCount(_Part):
    name: str
    images: int
    holdout_images: int


class Size(_Part):
    width: int
    height: int
    images: int


class Duplicates(_Part):
    exact: int
    """Images that equal an earlier one."""
    near: int
    """Further images that look like an earlier one."""
    examples: list[list[str]]


class Report(_Part):
    format: str
    entries: int
    images: int
    """Images to train on."""
    holdout_images: int
    resolution: int
    channels: int
    formats: dict[str, int]
    modes: dict[str, int]
    """Pillow's names of the pictures' channels and depths."""
    sizes: list[Size]
    """The most common sizes."""
    smallest: tuple[int, int]
    largest: tuple[int, int]
    conversions: list[Conversion]
    classes: list[ClassCount]
    empty_classes: list[str]
    duplicates: Duplicates
    blank: int
    """Images of one colour, or nearly so."""
    blank_examples: list[str]
    refused: int
    refused_files: list[FileReason]
    ignored: int
    ignored_files: list[str]
    """Files that are no pictures."""
    advice: list[str]


@dataclass
class Tally:
    """Counts, entry by entry."""

    formats: Counter[str] = field(default_factory=Counter)
    modes: Counter[str] = field(default_factory=Counter)
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    conversions: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    refused_files: list[FileReason] = field(default_factory=list)
    blank: int = 0
    blank_examples: list[str] = field(default_factory=list)

    def add(self, told: Told) -> None:
        if told.refused is not None:
            self.refuse(told.name, told.refused)
            return
        self.formats[told.format] += 1
        self.modes[told.mode] += 1
        self.sizes[told.width, told.height] += 1
        self.conversions.update(told.conversions)
        if told.spread < BLANK_LEVELS:
            self.blank += 1
            if len(self.blank_examples) < MOST_EXAMPLES:
                self.blank_examples.append(told.name)

    def refuse(self, name: str, reason: str) -> None:
        self.refused += 1
        if len(self.refused_files) < MOST_LISTED:
            self.refused_files.append(FileReason(name=name, reason=reason))

    def conversions_made(self, *, channels: int) -> list[Conversion]:
        names = [name for name in CONVERSIONS if self.conversions[name]]
        # Grey pictures are decoded in three channels, of which one is kept if all pictures are grey.
        kept = [name for name in names if not (name == "to colour" and channels == 1)]
        return [Conversion(name=name, images=self.conversions[name], what=CONVERSIONS[name]) for name in kept]


def advise(report: Report) -> list[str]:
    """Return advice on a dataset, for people."""
    total = report.images + report.holdout_images
    found = []
    if report.images < LITTLE_DATA:
        found.append(
            f"{total:,} images are few: the discriminator may learn them by heart. The presets robust and fast change "
            "what it sees (augment: adaptive)"
        )
    counts = [entry.images + entry.holdout_images for entry in report.classes]
    if counts and max(counts) > UNBALANCED * min(counts):
        found.append(
            f"the classes are unbalanced, from {min(counts):,} to {max(counts):,} images: samples will show the small "
            "ones as rarely"
        )
    if len(report.classes) * 10 > total:
        found.append("there are fewer than ten images in a class: are the folders really classes? If not, labels: none")
    enlarged = next((entry.images for entry in report.conversions if entry.name == "enlarged"), 0)
    if enlarged:
        found.append(
            f"pictures with fewer than {report.resolution} pixels a side were enlarged: {enlarged:,}; "
            "a smaller resolution would keep them sharp"
        )
    (narrow, low), (wide, high) = report.smallest, report.largest
    if wide * high > 16 * narrow * low:
        found.append(
            f"sizes are mixed, from {narrow}x{low} to {wide}x{high}: large pictures lose detail that small ones keep"
        )
    if report.duplicates.exact + report.duplicates.near > total / 10:
        found.append("one image in ten or more is a duplicate: samples will show those more often")
    if report.blank:
        found.append(f"images of one colour, or nearly so: {report.blank:,}; samples will be blank as often")
    return found


def common_sizes(sizes: Counter[tuple[int, int]]) -> list[Size]:
    return [Size(width=size[0], height=size[1], images=number) for size, number in sizes.most_common(COMMON_SIZES)]


def class_counts(classes: Sequence[str], images: Sequence[int], holdout: Sequence[int]) -> list[ClassCount]:
    rows = zip(classes, images, holdout, strict=True)
    return [ClassCount(name=name, images=one, holdout_images=other) for name, one, other in rows]
