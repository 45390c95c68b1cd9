"""Import of photos, beside a plain loop over Pillow; and batches from the imported store, beside resident ones."""

import io
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_sample_images

from benchmarks import figures
from models.data import ImageData, batches, mapped
from models.data.importers import importing, pictures
from models.data.importers.fitting import Wish
from models.data.importers.importing import Imported
from models.data.importers.limits import Limits
from models.specs.imports import ImportOptions

PHOTOS = 10_000
SIDE = 64
REPETITIONS = 3
STORED = 1_000_000
COMPARED = 200_000
"""Images of the comparison with batches from memory: few enough that both copies fit in it."""
BATCH = 64
BATCHES = 2_000
WHITE = (255, 255, 255)
SOURCES = [Image.fromarray(image) for image in load_sample_images().images]
"""Two photos of 640x427 pixels that scikit-learn carries."""


def measure() -> list[figures.Row]:
    rows = []
    with tempfile.TemporaryDirectory(prefix="saddle-imports-") as place:
        folder = Path(place)
        for kinds, bound in (("JPEG and PNG", ">= 1.8"), ("JPEG", ">= 3")):
            path = make_photos(folder / "photos.zip", kinds.split(" and "))
            plain, ours = [], []
            for _ in range(REPETITIONS):
                plain.append(_seconds(partial(plain_loop, path)))
                ours.append(_seconds(partial(import_photos, path, folder / "imported")))
            ratios = [one / other for one, other in zip(plain, ours, strict=True)]
            remark = f"seconds: {statistics.median(plain):.1f} and {statistics.median(ours):.1f}"
            figure = f"import of {PHOTOS:,} photos ({kinds}) to {SIDE}x{SIDE}, plain loop / ours"
            rows.append(figures.row(figure, ratios, bound=bound, remark=remark))
        rows.append(
            figures.row("JPEG photos, mean difference from full resampling, levels", [deviation()], bound="<= 1")
        )
    return [*rows, *measure_store()]


def photo(number: int) -> Image.Image:
    """Return a photo of about 500x400 pixels, another for each number."""
    rng = np.random.default_rng(number)
    whole = SOURCES[number % len(SOURCES)]
    width, height = int(rng.integers(450, 550)), int(rng.integers(370, 425))
    left, top = int(rng.integers(0, 640 - width)), int(rng.integers(0, 427 - height))
    return whole.crop((left, top, left + width, top + height))


def make_photos(path: Path, kinds: list[str]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as file:
        for number in range(PHOTOS):
            kind = kinds[number % len(kinds)]
            content = io.BytesIO()
            photo(number).save(content, kind, **({"quality": 90} if kind == "JPEG" else {"compress_level": 3}))
            file.writestr(f"{number % 5}/{number:05d}.{kind.lower()}", content.getvalue())
    return path


def plain_loop(path: Path) -> NDArray[np.uint8]:
    """Decode, cut, shrink and keep every photo, as one writes it down."""
    images = np.empty((PHOTOS, SIDE, SIDE, 3), dtype=np.uint8)
    with zipfile.ZipFile(path) as file:
        for number, name in enumerate(file.namelist()):
            images[number] = shrunk(Image.open(io.BytesIO(file.read(name))))
    return images


def shrunk(image: Image.Image) -> NDArray[np.uint8]:
    image = image.convert("RGB")
    square = min(image.size)
    left, top = (image.width - square) // 2, (image.height - square) // 2
    cut = image.crop((left, top, left + square, top + square))
    return np.asarray(cut.resize((SIDE, SIDE), Image.Resampling.LANCZOS))


def import_photos(path: Path, folder: Path) -> Imported:
    """Import as a worker does, with report, duplicates and holdout."""
    folder.mkdir(exist_ok=True)
    *_, last = importing.run(
        path,
        form="zip",
        options=ImportOptions(resolution=SIDE),
        resolution=SIDE,
        folder=folder,
        processes=len(os.sched_getaffinity(0)),
        limits=Limits(),
    )
    assert isinstance(last, Imported)
    assert last.report.refused == 0
    return last


def deviation() -> float:
    """Return how much JPEGs differ from full resampling, in levels, in the mean over 200 photos."""
    found = []
    for number in range(200):
        content = io.BytesIO()
        photo(number).save(content, "JPEG", quality=90)
        wish = Wish(SIDE, "crop", 3, WHITE)
        ours = pictures.decode(content.getvalue(), wish=wish, limits=Limits()).pixels_CHW.transpose(1, 2, 0)
        read = Image.open(content).convert("RGB")
        square = min(read.size)
        left, top = (read.width - square) / 2, (read.height - square) / 2
        box = (left, top, left + square, top + square)
        full = np.asarray(read.resize((SIDE, SIDE), Image.Resampling.LANCZOS, box=box), dtype=np.int16)
        found.append(np.abs(ours - full).mean())
    return float(np.mean(found))


# The store


def measure_store() -> list[figures.Row]:
    command = [sys.executable, "-m", "benchmarks.imports"]
    told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    small, large, *ratios = (float(word) for word in told)
    remark = f"anonymous memory that {BATCHES:,} batches add; reference: the same of {COMPARED:,} images"
    size = f"{SIDE}x{SIDE}x3"
    return [
        figures.row(f"batches of {STORED:,} stored images of {size}, MiB", [large], reference=small, remark=remark),
        figures.row(f"images/s of batches, stored and mapped / resident, {size}", ratios, bound=">= 0.9"),
    ]


def write_store(folder: Path, number: int) -> ImageData:
    """Write images as an import does. Their content does not matter."""
    shape = number, 3, SIDE, SIDE
    images = np.lib.format.open_memmap(folder / mapped.IMAGES, "w+", np.uint8, shape)
    block = np.random.default_rng(0).integers(0, 256, (1_000, *shape[1:]), dtype=np.uint8)
    for start in range(0, number, len(block)):
        images[start : start + len(block)] = block
    images.flush()
    np.save(folder / mapped.LABELS, np.zeros(number, dtype=np.int64))
    mapped.write_manifest(folder, mapped.Manifest(mapped.VERSION, number, 0, 3, SIDE, (), "0" * 64))
    return mapped.load(folder, split="train")


def seconds_of(source: batches.Batches) -> float:
    """Return the seconds that batches take, after some that start threads and read the file."""
    for number in range(100):
        source.at(number * BATCH)
    return _seconds(lambda: [source.at((100 + number) * BATCH) for number in range(BATCHES)])


def _anonymous_mib() -> float:
    """Return the memory of this process that is no file's, now."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main() -> int:
    """Print what batches add to the memory, for few and for many images, then the ratios of speeds."""
    how: dict[str, Any] = {"device": torch.device("cpu"), "seed": 0, "batch_size": BATCH}
    with tempfile.TemporaryDirectory(prefix="saddle-store-") as place:
        dataset = write_store(Path(place), STORED)
        few = ImageData(images_NCHW=dataset.images_NCHW[:COMPARED], labels=dataset.labels[:COMPARED])
        for data in (few, dataset):
            with closing(batches.Streamed(data, **how)) as streamed:
                before = _anonymous_mib()
                seconds_of(streamed)
                print(_anonymous_mib() - before)
        with closing(batches.Resident(few, **how)) as resident:
            for _ in range(REPETITIONS):
                with closing(batches.Streamed(few, **how)) as streamed:
                    mapped_seconds, resident_seconds = seconds_of(streamed), seconds_of(resident)
                print(resident_seconds / mapped_seconds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
