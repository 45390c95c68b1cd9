"""The command `python -m benchmarks.gallery`: trains every preset for some seconds and writes docs/gallery.

With `--presets`, `--modes` and `--emoji` only some of the runs are made; the rows of the others stay as they are. A run
that diverges has a row that says so. `--emoji` needs the archive of `make emoji`.
"""

import argparse
import shlex
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks import gallery_page, machine, own_pictures, recipes
from benchmarks.gallery_page import Row
from models import data, presets, training
from models.generation import pictures, sampling
from models.specs import TrainingSpec

GARMENTS = presets.DEFAULT_DATASET
EMOJI_METRICS = ["kid", "fd64", "precision_recall", "coverage", "memorisation"]
MODES = ("ring", "grid", "stacked-fashion")
SAMPLES = 64
COLUMNS = 8
PAGE = "README.md"
ROWS = "gallery.json"
SIDES = (32, 64)
ORDER = [
    *((GARMENTS, preset) for preset in presets.REGISTRY),
    *((f"emoji-{side}", presets.DEFAULT) for side in SIDES),
    *((dataset, presets.DEFAULT) for dataset in MODES),
]


@dataclass(frozen=True)
class Wish:
    """A run to make."""

    preset: str
    dataset: str
    seconds: float
    seed: int
    side: int | None = None
    """The resolution of emoji; None: a built-in dataset."""


def make(wish: Wish, *, datasets: Path, command: str) -> tuple[Row, bytes | None]:
    """Train; return the row, and the picture as a PNG if there is one."""
    if wish.side is None:
        spec = recipes.timed(wish.preset, dataset=wish.dataset, seconds=wish.seconds, seed=wish.seed, changes={})
        return _trained(wish, spec, folder=datasets, command=command)
    with tempfile.TemporaryDirectory(prefix="saddle-gallery-") as place:
        own_pictures.bring_in(own_pictures.emoji(), Path(place), side=wish.side)
        dataset, *_ = own_pictures.splits(Path(place))
        part = {
            "preset": wish.preset,
            "dataset": {"kind": "uploaded", "id": dataset.id},
            "seed": wish.seed,
            "budget": {"images": None, "seconds": wish.seconds},
            "evaluation": {"metrics": EMOJI_METRICS, "samples": 2_000},
        }
        spec = presets.resolve(part, find=lambda _: dataset)
        return _trained(wish, spec, folder=Path(place), command=command)


def _trained(wish: Wish, spec: TrainingSpec, *, folder: Path, command: str) -> tuple[Row, bytes | None]:
    png, diverged = None, None
    quality: dict[str, float] = {}
    began = time.monotonic()
    try:
        outcome = recipes.run(spec, folder=folder, device=torch.device("cpu"))
        images_seen, seconds, quality = outcome.images_seen, outcome.seconds, dict(outcome.quality)
        png = draw(outcome.generator)
    except training.Diverged as failure:
        images_seen, seconds, diverged = failure.images_seen, time.monotonic() - began, str(failure)
    row = Row(
        preset=wish.preset,
        dataset=wish.dataset,
        purpose=presets.REGISTRY[wish.preset].purpose,
        convolutional=_is_convolutional(spec),
        seed=wish.seed,
        seconds=round(seconds, 1),
        images_seen=images_seen,
        quality={name: round(value, 4) for name, value in quality.items()},
        diverged=diverged,
        command=command,
        machine=machine.this(),
    )
    return row, png


def draw(generator: sampling.LoadedGenerator) -> bytes:
    """Draw a PNG as the service draws it by default."""
    count = pictures.SCATTER_POINTS if generator.spec.dataset.facts.holds_points else SAMPLES
    stored_NHWC = sampling.images_NHWC(generator, seed=0, count=count)
    source = (
        f"generated; preset {generator.spec.preset}, {generator.images_seen} images of {generator.spec.dataset.name}"
    )
    texts = {"Software": "Saddle", "Source": source}
    return pictures.png(pictures.picture_HWC(stored_NHWC, columns=COLUMNS), texts=texts)


def keep(row: Row, png: bytes | None, *, folder: Path) -> None:
    """Write a run's picture and row, and write the page anew."""
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / gallery_page.picture(row, garments=GARMENTS)
    if png is None:
        place.unlink(missing_ok=True)
    else:
        place.write_bytes(png)
    rows_file = folder / ROWS
    old = gallery_page.ROWS.validate_json(rows_file.read_bytes()) if rows_file.exists() else []
    rows = gallery_page.merged(old, [row], order=ORDER)
    rows_file.write_bytes(gallery_page.ROWS.dump_json(rows, indent=2) + b"\n")
    (folder / PAGE).write_text(gallery_page.page(rows, garments=GARMENTS), encoding="utf-8")


def _is_convolutional(spec: TrainingSpec) -> bool:
    return getattr(spec.architecture, "backbone", spec.architecture).kind != "mlp"


def _wishes(arguments: argparse.Namespace) -> list[Wish]:
    """Return the runs that the arguments name, or all of them."""
    everything = arguments.presets is None and arguments.modes is None and arguments.emoji is None
    names = list(presets.REGISTRY) if everything else arguments.presets or []
    datasets = MODES if everything else arguments.modes or []
    seconds, seed = arguments.seconds, arguments.seed
    return [
        *(Wish(name, GARMENTS, seconds, seed) for name in names),
        *(Wish(presets.DEFAULT, f"emoji-{side}", seconds, seed, side) for side in arguments.emoji or []),
        *(Wish(presets.DEFAULT, name, seconds, seed) for name in datasets),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gallery", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="of training, each")
    parser.add_argument("--presets", nargs="+", choices=list(presets.REGISTRY), help="these alone, on Fashion-MNIST")
    parser.add_argument("--modes", nargs="+", choices=MODES, help="the default preset on these alone")
    parser.add_argument("--emoji", nargs="+", type=int, choices=SIDES, help="the default preset on emoji of this side")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--datasets", type=Path, default=Path(".saddle/datasets"), help="the datasets folder")
    parser.add_argument("--folder", type=Path, default=Path("docs/gallery"), help="where page and pictures go")
    arguments = parser.parse_args()
    command = shlex.join(["python", "-m", "benchmarks.gallery", *sys.argv[1:]])
    wishes = _wishes(arguments)
    for number, wish in enumerate(wishes, start=1):
        title = f"[{number}/{len(wishes)}] {wish.preset} on {wish.dataset}"
        print(f"{title}, {wish.seconds:g} s …", file=sys.stderr, flush=True)
        try:
            row, png = make(wish, datasets=arguments.datasets, command=command)
        except data.DatasetError as error:
            print(error, file=sys.stderr)
            return 1
        keep(row, png, folder=arguments.folder)
        figures = "  ".join(f"{name} {value:.3f}" for name, value in row.quality.items())
        print(f"{title}: {row.images_seen:,} images  {row.diverged or figures}", file=sys.stderr, flush=True)
    print(arguments.folder / PAGE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
