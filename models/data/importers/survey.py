"""`python -m models.data.importers.survey`: a first look at an uploaded file, in a confined process.

It finds what no import could use: another format, names that leave the archive, links, bombs, too many entries, nothing
but broken pictures. The task comes as JSON on standard input, the answer goes to standard output.
"""

import json
import subprocess
import sys
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from models.data import importers
from models.data.importers import crew, pictures, sandbox
from models.data.importers.entries import Content, Entry
from models.data.importers.errors import PictureRefused, SourceRefused
from models.data.importers.fitting import Wish
from models.data.importers.limits import Limits
from models.specs.imports import ImportOptions

SAMPLE = 64
"""Pictures that are decoded for the survey: all of a small file, the first of a large one."""
TOLD = 3
"""Reasons of refused pictures in a message."""
SIDES = (64, 32)
"""Resolutions that auto chooses from where pictures are not equal squares."""
LEAST_SIDE, MOST_SIDE = 28, 512
SECONDS = 900.0


@dataclass(frozen=True)
class Survey:
    """A first look at a file that can be imported."""

    format: str
    entries: int
    """Pictures, or arrays' rows. They are counted, not decoded."""
    resolution: int
    """The side in pixels: as the options say or, for auto, as suits the first pictures."""


def look(path: Path, *, options: ImportOptions, limits: Limits) -> Survey:
    """Survey a file in a process of its own. Raises SourceRefused."""
    task = json.dumps({"path": str(path), "options": options.model_dump(mode="json"), "limits": asdict(limits)})
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "models.data.importers.survey"],
            input=task.encode(),
            stdout=subprocess.PIPE,
            env=crew.environment(),
            timeout=SECONDS,
            check=False,
        )
        answer = json.loads(ended.stdout)
    except subprocess.TimeoutExpired:
        raise SourceRefused("invalid", f"it cannot be read within {SECONDS:.0f} s") from None
    except ValueError:
        raise SourceRefused("invalid", f"the process that read it ended with status {ended.returncode}") from None
    if "refused" in answer:
        raise SourceRefused(answer["refused"]["code"], answer["refused"]["message"])
    return Survey(**answer)


def survey(path: Path, *, options: ImportOptions, limits: Limits) -> Survey:
    """Survey a file in this process. Raises SourceRefused."""
    form = importers.detect(path, limits)
    with form.opened(path, limits) as source:
        number, known = 0, None
        sample: list[tuple[str, Content | PictureRefused]] = []
        for number, entry in enumerate(source.entries(), start=1):
            if number <= SAMPLE:
                sample.append((entry.name, _read(entry)))
            elif (known := source.number()) is not None:
                break
        aside = source.aside()
    number = known or number
    if number == 0:
        raise SourceRefused("invalid", f"it holds no pictures: {_beside(aside.ignored)}upload {importers.READ}")
    if options.labels == "csv" and aside.labels_csv is None:
        raise SourceRefused("invalid", "there is no labels.csv: add it, with the columns file and label")
    sizes, reasons = _sizes(sample, options, limits)
    if not sizes and number <= SAMPLE:
        told = "; ".join(reasons[:TOLD]) + ("; …" if len(reasons) > TOLD else "")
        message = f"none of its {number} pictures can be used: {told}. Save them as PNG or JPEG and pack them again"
        raise SourceRefused("invalid", message)
    side = options.resolution if isinstance(options.resolution, int) else _suited(sizes)
    return Survey(form.name, number, side)


def _read(entry: Entry) -> Content | PictureRefused:
    try:
        return entry.read()
    except PictureRefused as error:
        return error


def _sizes(
    sample: list[tuple[str, Content | PictureRefused]], options: ImportOptions, limits: Limits
) -> tuple[Counter[tuple[int, int]], list[str]]:
    """Decode the sample; return the sizes of good pictures, and the reasons why others are refused."""
    wish = Wish(LEAST_SIDE, options.fit, "auto", (255, 255, 255))
    sizes: Counter[tuple[int, int]] = Counter()
    reasons = []
    for name, content in sample:
        try:
            if isinstance(content, PictureRefused):
                raise content
            if isinstance(content, bytes):
                made = pictures.decode(content, wish=wish, limits=limits)
            else:
                made = pictures.of_array(content, wish=wish)
            sizes[made.width, made.height] += 1
        except PictureRefused as error:
            reasons.append(f"{name} {error}")
    return sizes, reasons


def _suited(sizes: Counter[tuple[int, int]]) -> int:
    """Return the resolution of equal squares, else the largest for which at most half of the pictures are enlarged."""
    if len(sizes) == 1:
        ((width, height),) = sizes
        if width == height and LEAST_SIDE <= width <= MOST_SIDE:
            return width
    for side in SIDES:
        small = sum(number for size, number in sizes.items() if min(size) < side)
        if small * 2 <= sizes.total():
            return side
    return SIDES[-1]


def _beside(ignored: list[str]) -> str:
    return f"it holds {', '.join(ignored[:3])}{' …' if len(ignored) > 3 else ''}; " if ignored else ""


def main() -> None:
    task: dict[str, Any] = json.loads(sys.stdin.buffer.read())
    limits = Limits(**task["limits"])
    options = ImportOptions.model_validate(task["options"])
    sandbox.confine(memory_bytes=limits.memory_bytes)
    try:
        answer: dict[str, Any] = asdict(survey(Path(task["path"]), options=options, limits=limits))
    except SourceRefused as error:
        answer = {"refused": {"code": error.code, "message": str(error)}}
    except MemoryError:
        answer = {"refused": {"code": "invalid", "message": "reading it takes more memory than allowed"}}
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main()
