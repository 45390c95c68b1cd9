"""`python -m models.data.importers.decoder`: reads its share of an uploaded file, confined, and tells of each picture.

The task comes as JSON on standard input. Entries are dealt out in blocks: block b goes to decoder b mod N of N. Each
decoder walks the whole file, so that none has to be told where the others are.
"""

import hashlib
import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.data import importers
from models.data.importers import messages, pictures, sandbox
from models.data.importers.entries import Entry, Source
from models.data.importers.errors import PictureRefused, SourceRefused
from models.data.importers.fitting import Wish
from models.data.importers.limits import Limits
from models.data.importers.messages import Begun, End, Told

BLOCK = 16
MOST_IGNORED = 1_000
"""Names of ignored files that are told; the others are only counted."""


@dataclass(frozen=True)
class Task:
    path: str
    format: str
    wish: Wish
    limits: Limits
    rank: int
    number: int
    """The number of decoders."""
    first: int
    """The first entry that is not told yet."""
    lost: dict[int, str]
    """Entries that ended or held up an earlier process, and how. They are refused unseen."""


def run(task: Task, out: IO[bytes]) -> None:
    """Tell of each entry of this decoder's share, then of the end."""
    try:
        with importers.REGISTRY[task.format].opened(Path(task.path), task.limits) as source:
            number, begun = 0, False
            for number, entry in enumerate(source.entries(), start=1):
                place = number - 1
                if not begun and place >= task.first:
                    messages.write(out, "begun", Begun())
                    begun = True
                if begun and place // BLOCK % task.number == task.rank:
                    _tell(place, entry, task, out)
            if not begun:
                messages.write(out, "begun", Begun())
            messages.write(out, "end", _end(source, number))
    except SourceRefused as error:
        messages.write(out, "refused", {"code": error.code, "message": str(error)})


def _tell(place: int, entry: Entry, task: Task, out: IO[bytes]) -> None:
    pixels = b""
    try:
        if place in task.lost:
            raise PictureRefused(task.lost[place])
        content = entry.read()
        if isinstance(content, bytes):
            picture = pictures.decode(content, wish=task.wish, limits=task.limits)
        else:
            picture = pictures.of_array(content, wish=task.wish)
        pixels = picture.pixels_CHW.tobytes()
        told = Told(
            entry=place,
            name=entry.name,
            label=entry.label,
            grey=picture.grey,
            format=picture.format,
            mode=picture.mode,
            width=picture.width,
            height=picture.height,
            conversions=picture.conversions,
            spread=float(picture.pixels_CHW.std(axis=(1, 2)).max()),
            digest=hashlib.sha256(pixels).hexdigest(),
            look=look(picture.pixels_CHW).hex(),
        )
    except PictureRefused as error:
        told = Told(entry=place, name=entry.name, label=entry.label, refused=str(error))
    messages.write(out, "told", told, pixels)


def look(pixels_CHW: NDArray[np.uint8]) -> bytes:
    """Return 8 bytes that hardly change with size, format or brightness: which of two neighbours is brighter."""
    image = Image.fromarray(pixels_CHW[0] if len(pixels_CHW) == 1 else pixels_CHW.transpose(1, 2, 0)).convert("L")
    small = np.asarray(image.resize((9, 8), Image.Resampling.BOX))
    return np.packbits(small[:, 1:] > small[:, :-1]).tobytes()


def _end(source: Source, entries: int) -> End:
    aside = source.aside()
    csv = None if aside.labels_csv is None else aside.labels_csv.decode("utf-8-sig", "replace")
    ignored = tuple(aside.ignored[:MOST_IGNORED])
    return End(entries, tuple(sorted(aside.folders)), ignored, len(aside.ignored), csv)


def dumped(task: Task) -> bytes:
    return json.dumps(asdict(task)).encode()


def loaded(content: bytes) -> Task:
    data = json.loads(content)
    wish = data["wish"] | {"background": tuple(data["wish"]["background"])}
    lost = {int(place): reason for place, reason in data["lost"].items()}
    return Task(**data | {"wish": Wish(**wish), "limits": Limits(**data["limits"]), "lost": lost})


def main() -> None:
    task = loaded(sys.stdin.buffer.read())
    sandbox.confine(memory_bytes=task.limits.memory_bytes)
    with os.fdopen(os.dup(1), "wb", buffering=2**20) as out:
        run(task, out)


if __name__ == "__main__":
    main()
