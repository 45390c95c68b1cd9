"""The command `python -m benchmarks.recipes`: trains a preset for some seconds with each seed and prints the results.

The figures are Saddle's own, in the dataset's own features. `--samples FILE.npz` keeps the last seed's images for
another judge, under the key `images`: N x H x W x C, uint8.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from models import data, evaluators, presets, training
from models.evaluators import References
from models.generation import sampling
from models.specs import TrainingSpec

IMAGES_SAVED = 10_000


@dataclass(frozen=True)
class Outcome:
    seed: int
    images_seen: int
    seconds: float
    """The seconds of training."""
    images_per_second: float
    """The median over the ticks of the second half."""
    quality: Mapping[str, float]
    generator: sampling.LoadedGenerator


def run(spec: TrainingSpec, *, folder: Path, device: torch.device) -> Outcome:
    """Train to the end of the budget without evaluations, then evaluate as the spec says, against the holdout."""
    dataset = data.load(spec.dataset, folder=folder)
    holdout = data.load(spec.dataset, folder=folder, split="holdout")
    speeds: list[float] = []
    last: training.CheckpointDue | None = None
    unjudged = spec.model_copy(update={"evaluation": spec.evaluation.model_copy(update={"metrics": ()})})
    for event in training.train(unjudged, dataset=dataset, device=device):
        match event:
            case training.Tick():
                speeds.append(event.values["images_per_second"])
            case training.CheckpointDue():
                last = event
            case training.Repaired():
                print(event, file=sys.stderr)
            case _:
                pass
    assert last is not None, "every run that ends has a last checkpoint"
    generator = sampling.from_snapshot(last.snapshot, device=device)
    speed = statistics.median(speeds[len(speeds) // 2 :])
    judged = evaluators.evaluate(generator.module, spec=spec, references=References.of(dataset, holdout))
    seconds = last.snapshot.progress.training_seconds
    return Outcome(spec.seed, last.images_seen, seconds, speed, judged.values, generator)


def timed(preset: str, *, dataset: str, seconds: float, seed: int, changes: Mapping[str, Any]) -> TrainingSpec:
    """Return a preset's spec with a budget of seconds, judged by 10,000 images. The changes are laid over it."""
    part: dict[str, Any] = {
        "preset": preset,
        "dataset": {"kind": "builtin", "name": dataset},
        "budget": {"images": None, "seconds": seconds},
        "seed": seed,
        "evaluation": {"samples": 10_000},
    }
    return presets.resolve(part | dict(changes))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recipes", description=__doc__)
    parser.add_argument("--preset", default=presets.DEFAULT)
    parser.add_argument("--dataset", default=presets.DEFAULT_DATASET)
    parser.add_argument("--seconds", type=float, default=150.0)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--changes", default="{}", help="JSON laid over the preset's spec")
    parser.add_argument("--datasets", type=Path, default=Path(".saddle/datasets"), help="the datasets folder")
    parser.add_argument("--samples", type=Path, help="where the last seed's images go")
    arguments = parser.parse_args()
    for seed in arguments.seeds:
        start = time.monotonic()
        spec = timed(
            arguments.preset,
            dataset=arguments.dataset,
            seconds=arguments.seconds,
            seed=seed,
            changes=json.loads(arguments.changes),
        )
        outcome = run(spec, folder=arguments.datasets, device=torch.device("cpu"))
        figures = "  ".join(f"{name} {value:.3f}" for name, value in outcome.quality.items())
        print(
            f"seed {seed}: {outcome.images_seen:,} images  {outcome.images_per_second:,.0f} images/s  {figures}"
            f"  ({time.monotonic() - start:.0f} s in all)",
            flush=True,
        )
    if arguments.samples is not None:
        np.savez(arguments.samples, images=sampling.images_NHWC(outcome.generator, seed=0, count=IMAGES_SAVED))
    return 0


if __name__ == "__main__":
    sys.exit(main())
