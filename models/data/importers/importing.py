"""Import an uploaded file: decode its pictures, group duplicates, hold some out, and write the mapped arrays.

Memory holds a few numbers a picture, never the pictures. An interrupted import leaves a folder that the caller deletes;
it is done again from the start, and ends with the same bytes.
"""

import hashlib
from array import array
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

import numpy as np
from numpy.typing import NDArray

from models.data import mapped
from models.data.importers import crew, duplicates, labelling, report, split
from models.data.importers.errors import SourceRefused
from models.data.importers.fitting import Wish
from models.data.importers.labelling import Labels
from models.data.importers.limits import Limits
from models.data.importers.messages import End, Told
from models.data.importers.report import Duplicates, Report, Tally
from models.data.mapped import Manifest
from models.specs.imports import ImportOptions

LEAST_IMAGES = 10
"""Fewer pictures are refused: nothing can be learned from them."""
RAW, REPORT, MEAN, EXAMPLES = "raw", "report.json", "mean.npy", 8
CHUNK = 256


@dataclass(frozen=True)
class Progress:
    """Where an import stands."""

    entries: int
    refused: int


@dataclass(frozen=True)
class Imported:
    """The end of an import; its files are written."""

    manifest: Manifest
    report: Report


def run(
    path: Path,
    *,
    form: str,
    options: ImportOptions,
    resolution: int,
    folder: Path,
    processes: int,
    limits: Limits,
) -> Generator[Progress | Imported, None, None]:
    """Import a file into a folder. Yield the progress after each picture; last, what was imported.

    `resolution` is that of the options or, for auto, what the survey found. Raises SourceRefused, CrewFailed.
    """
    wish = Wish(resolution, options.fit, options.channels, _colour(options.background))
    decoding = _Decoding(1 if options.channels == 1 else 3, resolution)
    with (folder / RAW).open("wb", buffering=2**20) as raw:
        for told, pixels in crew.decoded(path, form=form, wish=wish, limits=limits, processes=processes):
            if isinstance(told, End):
                decoding.end = told
            else:
                decoding.add(told, pixels, raw)
                yield Progress(decoding.entries, decoding.tally.refused)
    imported = _finish(decoding, form=form, options=options, folder=folder)
    (folder / RAW).unlink()
    yield imported


class _Decoding:
    """Remembers a few numbers of each accepted picture."""

    def __init__(self, channels: int, resolution: int) -> None:
        self.shape = channels, resolution, resolution
        self.tally = Tally()
        self.entries = 0
        self.names: list[str] = []
        self.given: list[str | None] = []
        self.end: End | None = None
        self.all_grey = True
        self._digests = bytearray()
        self._looks = array("Q")

    def add(self, told: Told, pixels: bytes, raw: IO[bytes]) -> None:
        self.entries += 1
        self.tally.add(told)
        if told.refused is not None:
            return
        raw.write(pixels)
        self.names.append(told.name)
        self.given.append(told.label)
        self.all_grey &= told.grey
        self._digests += bytes.fromhex(told.digest)
        self._looks.append(int(told.look, 16))

    @property
    def digests(self) -> NDArray[np.void]:
        """N x 32 bytes, SHA-256 of the pixels."""
        return np.frombuffer(bytes(self._digests), dtype="V32")

    @property
    def looks(self) -> NDArray[np.uint64]:
        return np.array(self._looks, dtype=np.uint64)


def _finish(decoding: _Decoding, *, form: str, options: ImportOptions, folder: Path) -> Imported:
    """Label, group and split the decoded pictures, and write the arrays and the report. Raises SourceRefused."""
    assert decoding.end is not None
    labels = _labels(decoding, options.labels)
    kept = np.array([number is not None for number in labels.numbers], dtype=bool)
    for place in np.flatnonzero(~kept):
        decoding.tally.refuse(decoding.names[place], labels.lacking)
    rows = np.flatnonzero(kept)
    if len(rows) < LEAST_IMAGES:
        raise too_few(len(rows), decoding.tally)
    numbers = np.array([labels.numbers[row] for row in rows], dtype=np.int64)
    raw_NCHW = np.memmap(folder / RAW, np.uint8, "r", shape=(len(kept), *decoding.shape))
    groups = duplicates.find(
        lambda places: np.asarray(raw_NCHW[rows[places]]), digests=decoding.digests[rows], looks=decoding.looks[rows]
    )
    held = split.held_out(groups.of, labels=numbers, digests=decoding.digests[rows], share=options.holdout)
    alike = split.counterpart(groups.of, labels=numbers, digests=decoding.digests[rows], held=held)
    order = np.concatenate([np.flatnonzero(part) for part in (alike, ~alike & ~held, held)])
    channels = 1 if decoding.all_grey and options.channels != 3 else decoding.shape[0]
    manifest = _write(
        folder,
        raw_NCHW,
        rows[order],
        numbers[order],
        channels=channels,
        holdout=int(held.sum()),
        counterpart=int(alike.sum()),
        classes=labels.classes,
    )
    made = _report(decoding, labels, groups, manifest, numbers=numbers, held=held, rows=rows, form=form)
    (folder / REPORT).write_text(made.model_dump_json(), encoding="utf-8")
    return Imported(manifest, made)


def _labels(decoding: _Decoding, wish: Literal["folders", "csv", "none"]) -> Labels:
    assert decoding.end is not None
    if wish == "none":
        return labelling.none(len(decoding.names))
    if wish == "csv":
        if decoding.end.labels_csv is None:
            raise SourceRefused("invalid", "there is no labels.csv: add it, with the columns file and label")
        return labelling.by_csv(decoding.end.labels_csv, decoding.names)
    if any(label is not None for label in decoding.given):
        return labelling.given(decoding.given)
    return labelling.by_folders(decoding.names)


def too_few(number: int, tally: Tally) -> SourceRefused:
    reasons = "; ".join(f"{entry.name}: {entry.reason}" for entry in tally.refused_files[:EXAMPLES])
    told = f". Refused: {reasons}" if reasons else ""
    return SourceRefused("invalid", f"{number} pictures can be used; at least {LEAST_IMAGES} are needed{told}")


def _write(
    folder: Path,
    raw_NCHW: NDArray[np.uint8],
    order: NDArray[np.int64],
    labels: NDArray[np.int64],
    *,
    channels: int,
    holdout: int,
    counterpart: int,
    classes: tuple[str, ...],
) -> Manifest:
    """Write images and labels in their final order, the mean picture and the manifest."""
    shape = len(order), channels, *raw_NCHW.shape[2:]
    content = hashlib.sha256(repr((shape, holdout, classes)).encode())
    total = np.zeros(shape[1:], dtype=np.float64)
    images_NCHW = np.lib.format.open_memmap(folder / mapped.IMAGES, "w+", np.uint8, shape)
    for start in range(0, len(order), CHUNK):
        part_NCHW = raw_NCHW[order[start : start + CHUNK], :channels]
        images_NCHW[start : start + CHUNK] = part_NCHW
        content.update(np.ascontiguousarray(part_NCHW).data)
        total += part_NCHW.sum(0, dtype=np.float64)
    images_NCHW.flush()
    content.update(np.ascontiguousarray(labels, dtype="<i8").data)
    np.save(folder / mapped.LABELS, labels)
    np.save(folder / MEAN, np.rint(total / len(order)).astype(np.uint8))
    manifest = Manifest(
        mapped.VERSION,
        len(order) - holdout,
        holdout,
        channels,
        shape[2],
        classes,
        content.hexdigest(),
        counterpart=counterpart,
    )
    mapped.write_manifest(folder, manifest)
    return manifest


def _report(
    decoding: _Decoding,
    labels: Labels,
    groups: duplicates.Groups,
    manifest: Manifest,
    *,
    numbers: NDArray[np.int64],
    held: NDArray[np.bool_],
    rows: NDArray[np.int64],
    form: str,
) -> Report:
    tally, end = decoding.tally, decoding.end
    assert end is not None
    counts = [np.bincount(numbers[side], minlength=len(labels.classes)).tolist() for side in (~held, held)]
    sizes = sorted(tally.sizes, key=lambda size: (size[0] * size[1], size))
    examples = [[decoding.names[rows[place]] for place in group] for group in groups.examples(EXAMPLES)]
    made = Report(
        format=form,
        entries=decoding.entries,
        images=manifest.images,
        holdout_images=manifest.holdout_images,
        resolution=manifest.resolution,
        channels=manifest.channels,
        formats=dict(tally.formats.most_common()),
        modes=dict(tally.modes.most_common()),
        sizes=report.common_sizes(tally.sizes),
        smallest=sizes[0],
        largest=sizes[-1],
        conversions=tally.conversions_made(channels=manifest.channels),
        classes=report.class_counts(labels.classes, *counts) if labels.classes else [],
        empty_classes=_empty(end.folders, decoding.names, labels),
        duplicates=Duplicates(exact=groups.exact, near=groups.near, examples=examples),
        blank=tally.blank,
        blank_examples=tally.blank_examples,
        refused=tally.refused,
        refused_files=tally.refused_files,
        ignored=end.ignored_count,
        ignored_files=list(end.ignored),
        advice=[],
    )
    return made.model_copy(update={"advice": report.advise(made)})


def _empty(folders: tuple[str, ...], names: list[str], labels: Labels) -> list[str]:
    """Return the folders without pictures that stand beside those of the classes."""
    if not labels.classes:
        return []
    used = {name.rpartition("/")[0] for name in names}
    places = {folder.rpartition("/")[0] for folder in used if folder.rpartition("/")[2] in labels.classes}
    return sorted(
        folder.rpartition("/")[2]
        for folder in folders
        if folder.rpartition("/")[0] in places
        and not any(one == folder or one.startswith(f"{folder}/") for one in used)
    )


def _colour(code: str) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(code.removeprefix("#"))
    return red, green, blue
