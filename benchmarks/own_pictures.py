"""Quality on pictures of one's own: emoji of 64x64 after 20 minutes, beside a plain DCGAN that had the same time.

The archives come from `make emoji`. Each is imported as a service does; each run has a process of its own, which counts
its start, its data and its evaluations. Both are judged by the holdout, which neither was trained on. This takes two
hours: what was interrupted goes on where it stopped, within a day.
"""

import argparse
import dataclasses
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import figures, kept, plain
from models import architectures, evaluators, presets, training
from models.data import ImageData, mapped, pixels
from models.data.importers import importing
from models.data.importers.importing import Imported
from models.data.importers.limits import Limits
from models.evaluators import References
from models.generation import sampling
from models.specs import DatasetFacts, TrainingSpec, UploadedDataset
from models.specs.imports import ImportOptions
from store.settings import Settings

SECONDS = 1200.0
SEEDS = (0, 1, 2)
SIDE = 64
SAMPLES = 2_000
FEW = 300
PRESETS = {"saddle": presets.DEFAULT, "plain": "dcgan"}
METRICS = ("kid", "fd64", "precision_recall", "coverage", "memorisation")


@dataclass(frozen=True)
class Outcome:
    seed: int
    images_seen: int
    figures: dict[str, float]


def measure() -> list[figures.Row]:
    """Measure the default preset on all four designs, beside the plain loop."""
    return _measured(f"emoji {SIDE}x{SIDE}", emoji(), images=None)


def measure_few() -> list[figures.Row]:
    """Measure the default preset on a few pictures of one design, beside the plain loop."""
    return _measured(f"{FEW} emoji of one design", emoji("twemoji"), images=FEW)


def _measured(what: str, archive: Path, *, images: int | None) -> list[figures.Row]:
    with tempfile.TemporaryDirectory(prefix="saddle-pictures-") as place:
        folder = Path(place)
        bring_in(archive, folder, side=SIDE)
        # The two alternate, so that both see the same machine and its drift.
        found: dict[str, list[Outcome]] = {who: [] for who in RUNS}
        for seed in SEEDS:
            for who, outcomes in found.items():
                outcomes.append(_outcome(who, folder, seed, images=images))
    return rows(found["saddle"], found["plain"], what=what)


def rows(ours: Sequence[Outcome], theirs: Sequence[Outcome], *, what: str) -> list[figures.Row]:
    def both(name: str) -> tuple[list[float], list[float]]:
        mine, plains = ([one.figures[name] for one in some] for some in (ours, theirs))
        return mine, plains

    made = []
    for name, bound in (("kid", "<= 0.5"), ("fd64", "<= 0.5"), ("recall", ">= 2")):
        mine, plains = both(name)
        ratios = [_ratio(one, other) for one, other in zip(mine, plains, strict=True)]
        figure = f"{what}, {SECONDS / 60:.0f} min, {name}, preset robust / plain DCGAN"
        values = f"{', '.join(f'{one:.3g}' for one in mine)} and {', '.join(f'{one:.3g}' for one in plains)}"
        made.append(figures.row(figure, ratios, bound=bound, remark=values))
    mine, plains = both("memorised_low")
    figure = f"{what}, share nearer to training images than to as many held out: the 95 % interval's lower end"
    shares = ", ".join(f"{one.figures['memorised']:.3f}" for one in ours)
    made.append(figures.row(figure, mine, bound="<= 0.5", reference=plains, remark=f"shares {shares}"))
    return made


def _ratio(one: float, other: float) -> float:
    """Return the ratio of two figures; two of 0 are equal."""
    if one == other:
        return 1.0
    return one / other if other else float("inf")


def emoji(name: str = "emoji") -> Path:
    """Return one of the archives that `make emoji` makes."""
    archive = Settings().data_dir / "emoji" / f"{name}.zip"
    if not archive.exists():
        raise SystemExit(f"error: {archive} is not there: run `make emoji` first")
    return archive


def bring_in(archive: Path, folder: Path, *, side: int) -> Imported:
    """Import an archive into a folder."""
    *_, last = importing.run(
        archive,
        form="zip",
        options=ImportOptions(resolution=side),
        resolution=side,
        folder=folder,
        processes=2,
        limits=Limits(),
    )
    assert isinstance(last, Imported)
    return last


def splits(folder: Path, *, images: int | None = None) -> tuple[UploadedDataset, ImageData, ImageData]:
    """Return the dataset as a spec names it, its training images and its holdout.

    With `images`, so many of both at random are trained on, and all others are held out.
    """
    train, holdout = (mapped.load(folder, split=split) for split in ("train", "holdout"))
    if images is not None:
        train, holdout = _dealt(train, holdout, images=images)
    facts = DatasetFacts(
        resolution=train.images_NCHW.shape[2],
        channels=train.images_NCHW.shape[1],
        images=len(train),
        holdout_images=len(holdout),
        classes=int(train.labels.max()) + 1,
        flips_natural=False,
        features="imagenet",
    )
    return UploadedDataset(id=f"ds_{'0' * 26}", name="emoji", digest=train.digest, facts=facts), train, holdout


def _dealt(train: ImageData, holdout: ImageData, *, images: int) -> tuple[ImageData, ImageData]:
    pooled = ImageData(
        images_NCHW=np.concatenate([train.images_NCHW, holdout.images_NCHW]),
        labels=np.concatenate([train.labels, holdout.labels]),
    )
    order = np.random.default_rng(0).permutation(len(pooled))
    chosen, others = (
        ImageData(images_NCHW=pooled.images_NCHW[part], labels=pooled.labels[part])
        for part in (order[:images], order[images:])
    )
    return chosen, others


def _outcome(who: str, folder: Path, seed: int, *, images: int | None) -> Outcome:
    """Make a run, unless its outcome is kept."""
    spec = _spec(who, splits(folder, images=images)[0], seed=seed, seconds=SECONDS)
    what = f"{who} {SAMPLES} {spec.model_dump_json()}"
    found = kept.find(what)
    if found is None:
        found = dataclasses.asdict(_in_a_process(who, folder, seed, images=images))
        kept.keep(what, found)
    outcome = Outcome(**found)
    print(f"{who}: {outcome}", file=sys.stderr, flush=True)
    return outcome


def _spec(who: str, dataset: UploadedDataset, *, seed: int, seconds: float) -> TrainingSpec:
    part: dict[str, Any] = {
        "preset": PRESETS[who],
        "dataset": {"kind": "uploaded", "id": dataset.id},
        "seed": seed,
        "budget": {"images": None, "seconds": seconds},
    }
    return presets.resolve(part, find=lambda _: dataset)


def _in_a_process(who: str, folder: Path, seed: int, *, images: int | None) -> Outcome:
    command = [sys.executable, "-m", "benchmarks.own_pictures", who, str(folder), "--seed", str(seed)]
    command += [] if images is None else ["--images", str(images)]
    told = subprocess.run([*command, "--began", str(time.time())], stdout=subprocess.PIPE, text=True, check=True).stdout
    return Outcome(**json.loads(told))


def saddle(
    folder: Path, *, images: int | None, seed: int, seconds: float, began: float, device: torch.device
) -> Outcome:
    dataset, train, holdout = splits(folder, images=images)
    spec = _spec("saddle", dataset, seed=seed, seconds=seconds - (time.time() - began))
    references = References.of(train, holdout)
    last = None
    for event in training.train(spec, dataset=train, references=references, device=device):
        match event:
            case training.Evaluated():
                told = {name: round(value, 4) for name, value in event.values.items()}
                print(f"{time.time() - began:.0f} s, {event.images_seen:,} images: {told}", file=sys.stderr, flush=True)
            case training.CheckpointDue():
                last = event.snapshot
            case training.Repaired():
                print(event, file=sys.stderr)
    assert last is not None
    generator = sampling.from_snapshot(last, device=device)
    return _judged(generator.module, spec, references, seed=seed, images_seen=last.progress.images_seen)


def dcgan(
    folder: Path, *, images: int | None, seed: int, seconds: float, began: float, device: torch.device
) -> Outcome:
    """Train Radford et al.'s networks and settings as example code does."""
    dataset, train, holdout = splits(folder, images=images)
    spec = _spec("plain", dataset, seed=seed, seconds=seconds)
    torch.manual_seed(seed)
    networks = {role: network.to(device) for role, network in architectures.build(spec).items()}
    whole = pixels.to_float(torch.tensor(train.images_NCHW))
    batches = plain.images(whole, batch_size=spec.batch_size, device=device)
    adam = spec.generator_optimizer.model_dump()
    steps = plain.alternate(
        networks["generator"],
        networks["discriminator"],
        batches,
        latent_dim=spec.architecture.latent_dim,
        lr=adam["lr"],
        betas=adam["betas"],
    )
    taken = plain.until(steps, deadline=began + seconds)
    references = References.of(train, holdout)
    return _judged(networks["generator"], spec, references, seed=seed, images_seen=spec.batch_size * taken)


def _judged(
    generator: torch.nn.Module, spec: TrainingSpec, references: References, *, seed: int, images_seen: int
) -> Outcome:
    drawn = evaluators.draw(generator, spec=spec, references=references, samples=SAMPLES, seed=seed + 1)
    found = evaluators.measure(METRICS, dataset=spec.dataset, references=references, fake_NCHW=drawn)
    low = found.figures["memorised"].low
    return Outcome(seed, images_seen, found.values | {"memorised_low": low})


RUNS: dict[str, Callable[..., Outcome]] = {"saddle": saddle, "plain": dcgan}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.own_pictures", description=__doc__)
    parser.add_argument("who", choices=RUNS)
    parser.add_argument("folder", type=Path, help="an imported dataset")
    parser.add_argument("--images", type=int, help="train on so many of them")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--device", type=torch.device, default=torch.device("cpu"))
    parser.add_argument("--began", type=float, default=time.time(), help="when the process was started, Unix time")
    arguments: dict[str, Any] = vars(parser.parse_args())
    outcome = RUNS[arguments.pop("who")](arguments.pop("folder"), **arguments)
    print(json.dumps(dataclasses.asdict(outcome)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
