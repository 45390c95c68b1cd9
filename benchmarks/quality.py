"""Image quality after a fixed time that includes everything: the process's start, imports, data, evaluation.

Saddle's preset and a plain WGAN-GP, the best of the widely copied scripts, alternate: a pair for each seed, each in a
process of its own. The judge then evaluates 10,000 samples of each, and generators that Saddle kept on the way.
"""

import argparse
import dataclasses
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks import figures, plain
from benchmarks.judge import Verdict, judge
from models import data, presets, training
from models.data import fashion_mnist, pixels
from models.evaluators import References
from models.generation import sampling
from store.settings import Settings

SECONDS = 150.0
FAST_SECONDS = 45.0
SEEDS = (0, 1, 2)
GOOD_FID = 11.9
PUBLISHED_SECONDS = 600
KEPT_EVERY_IMAGES = 50_000
SAMPLES = 10_000
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Outcome:
    """The result of a run. `good_after`: the seconds until the FID was GOOD_FID or less; None if never or unknown."""

    seed: int
    images_seen: int
    verdict: Verdict
    good_after: float | None
    evaluation_share: float
    """The share of the seconds that the run's own evaluations took."""


def measure() -> list[figures.Row]:
    """Measure the default preset beside the plain loop."""
    ours, theirs = [], []
    for seed in SEEDS:
        ours.append(_in_a_process("saddle", preset=presets.DEFAULT, seed=seed, seconds=SECONDS))
        theirs.append(_in_a_process("plain", preset=presets.DEFAULT, seed=seed, seconds=SECONDS))
    name = f"preset {presets.DEFAULT}, {SECONDS:.0f} s"
    seen = ", ".join(f"{one.images_seen:,}" for one in ours)
    remark = f"seeds {', '.join(map(str, SEEDS))}; {seen} images; reference: a plain WGAN-GP in turns"
    fids, plain_fids = ([one.verdict.fid for one in some] for some in (ours, theirs))
    return [
        figures.row(f"FID, {name}", fids, bound="<= 4.5", reference=plain_fids, remark=remark),
        figures.row(f"FID of the worst seed, {name}", [max(fids)], bound="<= 6", reference=max(plain_fids)),
        figures.row(
            f"precision, {name}",
            [one.verdict.precision for one in ours],
            reference=[one.verdict.precision for one in theirs],
        ),
        figures.row(
            f"recall, {name}", [one.verdict.recall for one in ours], reference=[one.verdict.recall for one in theirs]
        ),
        _good_after(presets.DEFAULT, ours),
        figures.row(f"share of evaluation, {name}", [one.evaluation_share for one in ours], bound="<= 0.03"),
    ]


def measure_fast() -> list[figures.Row]:
    ours = [_in_a_process("saddle", preset="fast", seed=seed, seconds=FAST_SECONDS) for seed in SEEDS]
    return [
        figures.row(f"FID, preset fast, {FAST_SECONDS:.0f} s", [one.verdict.fid for one in ours]),
        _good_after("fast", ours),
    ]


def _good_after(preset: str, outcomes: Sequence[Outcome]) -> figures.Row:
    return figures.row(
        f"seconds until FID <= {GOOD_FID}, preset {preset}",
        [one.good_after or float("inf") for one in outcomes],
        bound="<= 30",
        reference=PUBLISHED_SECONDS,
        remark="reference: quoted, of the best published script",
    )


def _in_a_process(who: str, *, preset: str, seed: int, seconds: float) -> Outcome:
    command = [sys.executable, "-m", "benchmarks.quality", who, "--preset", preset, "--seed", str(seed)]
    command += ["--seconds", str(seconds), "--began", str(time.time())]
    found = json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
    outcome = Outcome(**found | {"verdict": Verdict(**found["verdict"])})
    print(f"{who} {preset if who == 'saddle' else 'WGAN-GP'}: {outcome}", file=sys.stderr, flush=True)
    return outcome


def saddle(*, preset: str, seed: int, seconds: float, began: float) -> Outcome:
    spec = presets.resolve({"preset": preset})
    folder = Settings().datasets_dir
    dataset, holdout = (data.load(spec.dataset, folder=folder, split=split) for split in ("train", "holdout"))
    wish = {"preset": preset, "seed": seed, "checkpoint": {"every_images": KEPT_EVERY_IMAGES}}
    spec = presets.resolve(wish | {"budget": {"images": None, "seconds": seconds - (time.time() - began)}})
    references = References.of(dataset, holdout)
    kept: list[tuple[float, training.Snapshot]] = []
    evaluating, told = 0.0, time.time()
    for event in training.train(spec, dataset=dataset, references=references, device=CPU):
        match event:
            case training.Evaluated():
                evaluating += time.time() - told
            case training.CheckpointDue():
                kept.append((time.time() - began, event.snapshot))
            case training.Repaired():
                print(event, file=sys.stderr)
        told = time.time()
    images_seen = kept[-1][1].progress.images_seen
    good_after = next((after for after, snapshot in kept if _judged(snapshot).fid <= GOOD_FID), None)
    return Outcome(seed, images_seen, _judged(kept[-1][1]), good_after, evaluating / seconds)


def _judged(snapshot: training.Snapshot) -> Verdict:
    generator = sampling.from_snapshot(snapshot, device=CPU)
    images_NHWC = sampling.images_NHWC(generator, seed=0, count=SAMPLES)
    return judge(images_NHWC, folder=Settings().datasets_dir)


def wgan_gp(*, preset: str, seed: int, seconds: float, began: float) -> Outcome:
    del preset
    torch.manual_seed(seed)
    dataset = fashion_mnist.load(folder=Settings().datasets_dir, split="train")
    generator, critic = plain.small_pair()
    batches = plain.images(pixels.to_float(torch.tensor(dataset.images_NCHW)), batch_size=64)
    steps = plain.until(plain.wgan_gp(generator, critic, batches), deadline=began + seconds)
    return Outcome(seed, 64 * steps, judge(_drawn(generator), folder=Settings().datasets_dir), None, 0.0)


@torch.no_grad()
def _drawn(generator: torch.nn.Module) -> NDArray[np.uint8]:
    images_NCHW = generator.eval()(torch.randn(SAMPLES, plain.LATENTS))
    drawn: NDArray[np.uint8] = pixels.to_uint8(images_NCHW).permute(0, 2, 3, 1).numpy()
    return drawn


RUNS: dict[str, Callable[..., Outcome]] = {"saddle": saddle, "plain": wgan_gp}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality", description=__doc__)
    parser.add_argument("who", choices=RUNS)
    parser.add_argument("--preset", default=presets.DEFAULT)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--began", type=float, default=time.time(), help="when the process was started, Unix time")
    arguments = vars(parser.parse_args())
    outcome: Any = RUNS[arguments.pop("who")](**arguments)
    print(json.dumps(dataclasses.asdict(outcome)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
