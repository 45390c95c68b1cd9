"""The command `python -m benchmarks.throughput`: images a second of Saddle's loop and of a plain one, alternately.

Both train the same networks with the same rates and batch size on the same pixels: the article's pair, and a DCGAN of
64 channels on garments padded to 32x32. Saddle uses the precision that suits the hardware (precision auto). The
article's pair is measured compiled, and as the preset has it.
"""

import argparse
import statistics
import sys
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from benchmarks import figures, plain
from models import architectures, data, presets, training
from models.data import pixels
from models.specs import AdamOptimizer, TrainingSpec
from store.settings import Settings

ROUNDS = 7
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Case:
    title: str
    part: dict[str, Any]
    padding: int
    """The number of black pixels on each side."""
    steps: int
    """The number of steps in one measurement."""
    bound: str


CASES = (
    Case("article MLP, batch 128", {"preset": "article", "compile": True}, padding=0, steps=200, bound=">= 2.5"),
    Case("article MLP, batch 128, not compiled", {"preset": "article"}, padding=0, steps=200, bound=""),
    Case(
        "DCGAN 32x32, 64 channels, batch 64",
        {"preset": "dcgan", "architecture": {"channels": 64}, "batch_size": 64},
        padding=2,
        steps=25,
        bound=">= 1.6",
    ),
)


def measure(cases: tuple[Case, ...] = CASES, *, rounds: int = ROUNDS) -> list[figures.Row]:
    rows = []
    for case in cases:
        spec, dataset = task(case.part, padding=case.padding)
        ours, theirs, compiling = [], [], []
        for _ in range(rounds):
            speed, seconds = saddle(spec, dataset, steps=case.steps)
            ours.append(speed)
            compiling.append(seconds)
            theirs.append(loop(spec, dataset, steps=case.steps))
        ratios = [one / other for one, other in zip(ours, theirs, strict=True)]
        turns = f"plain float32 loop in turns, {torch.get_num_threads()} threads"
        if spec.compile:
            turns += f"; compiled first, in {compiling[0]:.0f} s, then in {statistics.median(compiling[1:]):.0f} s"
        rows += [
            figures.row(f"images/s against a plain loop, {case.title}", ratios, bound=case.bound, reference=1.0),
            figures.row(f"images/s, {case.title}", ours, reference=theirs, remark=turns),
        ]
        print(figures.table(rows[-2:]), file=sys.stderr, flush=True)
    return rows


def task(part: dict[str, Any], *, padding: int = 0) -> tuple[TrainingSpec, data.ImageData]:
    """Return a spec that evaluates nothing, and its dataset with `padding` black pixels on each side."""
    spec = presets.resolve(part | {"evaluation": {"metrics": []}})
    dataset = data.load(spec.dataset, folder=Settings().datasets_dir)
    edge = (padding, padding)
    padded = data.ImageData(np.pad(dataset.images_NCHW, ((0, 0), (0, 0), edge, edge)), dataset.labels)
    # `model_copy` does not apply the rule that a dataset has its own resolution.
    facts = spec.dataset.facts.model_copy(update={"resolution": spec.dataset.facts.resolution + 2 * padding})
    return spec.model_copy(update={"dataset": spec.dataset.model_copy(update={"facts": facts})}), padded


def saddle(spec: TrainingSpec, dataset: data.ImageData, *, steps: int) -> tuple[float, float]:
    """Return images a second between two ticks, without the first steps, and the seconds of compiling before."""
    images = steps * spec.batch_size
    budget = spec.budget.model_copy(update={"images": 2 * images, "seconds": None})
    metrics = spec.metrics.model_copy(update={"every_images": images})
    measured = spec.model_copy(update={"budget": budget, "metrics": metrics})
    events = list(training.train(measured, dataset=dataset, device=CPU))
    *_, tick = [event for event in events if isinstance(event, training.Tick)]
    compiling = sum(event.seconds for event in events if isinstance(event, training.Compiled))
    return tick.values["images_per_second"], compiling


def loop(spec: TrainingSpec, dataset: data.ImageData, *, steps: int) -> float:
    """Return images a second, without the first steps."""
    networks, adam = architectures.build(spec), spec.generator_optimizer
    assert isinstance(adam, AdamOptimizer)
    real = plain.images(pixels.to_float(torch.tensor(dataset.images_NCHW)), batch_size=spec.batch_size)
    taken = plain.alternate(
        networks["generator"],
        networks["discriminator"],
        real,
        latent_dim=spec.architecture.latent_dim,
        lr=adam.lr,
        betas=adam.betas,
    )
    for _ in range(steps // 4):
        next(taken)
    start = time.monotonic()
    for _ in range(steps):
        next(taken)
    return steps * spec.batch_size / (time.monotonic() - start)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.throughput", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="at least 2")
    print(figures.table(measure(rounds=parser.parse_args().rounds)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
