"""The command `python -m benchmarks.ways`: images a second of presets' training, in several ways, alternately.

The ways are a preset as it is, with its steps compiled, and with denormals kept where training flushes them. Denormals
appear once units have died, so the first half of a measurement is left out.
"""

import argparse
import contextlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from unittest import mock

from benchmarks import figures, throughput
from models import data, presets
from models.runtime import denormals
from models.specs import TrainingSpec

ROUNDS = 5
STEPS = 200


@dataclass(frozen=True)
class Way:
    title: str
    compiled: bool
    flushed: bool

    def speed(self, spec: TrainingSpec, dataset: data.ImageData, *, steps: int) -> float:
        """Return images a second, without the first steps and compiling."""
        done = spec.model_copy(update={"compile": self.compiled})
        kept = mock.patch.object(denormals, "flushed", contextlib.nullcontext)
        with contextlib.nullcontext() if self.flushed else kept:
            return throughput.saddle(done, dataset, steps=steps)[0]


USUAL = Way("as it is", compiled=False, flushed=True)
WAYS = (
    Way("compiled", compiled=True, flushed=True),
    Way("denormals kept", compiled=False, flushed=False),
    Way("compiled, denormals kept", compiled=True, flushed=False),
)


def measure(names: Sequence[str], *, rounds: int, steps: int) -> list[figures.Row]:
    rows = []
    for name in names:
        spec, dataset = throughput.task({"preset": name})
        speeds: dict[Way, list[float]] = {way: [] for way in (USUAL, *WAYS)}
        for _ in range(rounds):
            for way, raw in speeds.items():
                raw.append(way.speed(spec, dataset, steps=steps))
        reference = speeds.pop(USUAL)
        rows += [figures.row(f"images/s, {name}, {way.title}", raw, reference=reference) for way, raw in speeds.items()]
        print(figures.table(rows[-len(WAYS) :]), file=sys.stderr, flush=True)
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ways", description=__doc__)
    parser.add_argument(
        "--presets", nargs="+", choices=presets.REGISTRY, default=["article", "robust", "fast", "dcgan"]
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--steps", type=int, default=STEPS, help="measured, after as many that are not")
    arguments = parser.parse_args()
    rows = measure(arguments.presets, rounds=arguments.rounds, steps=arguments.steps)
    print(f"The reference is the preset {USUAL.title}, in the same turns.\n\n{figures.table(rows)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
