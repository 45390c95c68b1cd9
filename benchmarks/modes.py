"""The number of modes found where they are known: 8 and 25 Gaussians in the plane, and 1,000 triples of garments."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import torch

from benchmarks import figures, recipes
from models import presets
from store.settings import Settings

POINT_SEEDS = (0, 1, 2, 3, 4)
POINT_SAMPLES = 10_000
STACKED_SEEDS = (0, 1, 2)
STACKED_SECONDS = 600.0
# N samples of a perfect generator over 1,000 modes have a divergence of about 999 / 2N, not 0.
STACKED_SAMPLES = 26_000
# Modes and the share of high quality, where known: Lin et al. 2018, table 1.
PACGAN: dict[str, tuple[float, float | None]] = {"ring": (7.9, None), "grid": (24.8, 0.936)}
# Modes and divergence of Stacked MNIST: Huang et al. 2024, table 1.
STACKED_MNIST = (1000, 0.078)


def measure_points() -> list[figures.Row]:
    return [*_points("ring", modes=8), *_points("grid", modes=25)]


def _points(name: str, *, modes: int) -> list[figures.Row]:
    # Networks this small run best on one thread each.
    run = partial(_in_a_process, name, seconds=None, samples=POINT_SAMPLES, threads=1)
    with ThreadPoolExecutor(os.cpu_count()) as cores:
        found = list(cores.map(run, POINT_SEEDS))
    covered, quality = ([one[key] for one in found] for key in ("modes", "high_quality"))
    pacgan_modes, pacgan_quality = PACGAN[name]
    seeds = f"seeds {', '.join(map(str, POINT_SEEDS))}; reference: PacGAN (Lin et al. 2018)"
    return [
        figures.row(f"{name}: modes of {modes}", covered, reference=pacgan_modes, remark=seeds),
        figures.row(f"{name}: modes of {modes}, worst seed", [min(covered)], bound=f">= {modes}"),
        figures.row(f"{name}: share of high quality", quality, bound=">= 0.95", reference=pacgan_quality),
        figures.row(f"{name}: share of high quality, worst seed", [min(quality)], bound=">= 0.95"),
    ]


def measure_stacked() -> list[figures.Row]:
    run = partial(_in_a_process, "stacked-fashion", seconds=STACKED_SECONDS, samples=STACKED_SAMPLES, threads=None)
    found = [run(seed) for seed in STACKED_SEEDS]
    modes, divergence = STACKED_MNIST
    seeds = f"seeds {', '.join(map(str, STACKED_SEEDS))}, {STACKED_SECONDS:.0f} s of training, channels share layers"
    return [
        figures.row(
            "stacked-fashion: modes of 1000",
            [one["modes"] for one in found],
            bound=">= 990",
            reference=modes,
            remark=f"{seeds}; reference: Stacked MNIST, R3GAN's losses (Huang et al. 2024), GPU-days",
        ),
        figures.row(
            "stacked-fashion: KL divergence",
            [one["kl"] for one in found],
            bound="<= 0.15",
            reference=divergence,
            remark=f"of {STACKED_SAMPLES:,} samples, of which {999 / 2 / STACKED_SAMPLES:.3f} are chance",
        ),
    ]


def _in_a_process(
    name: str, seed: int, *, seconds: float | None, samples: int, threads: int | None
) -> Mapping[str, float]:
    command = [sys.executable, "-m", "benchmarks.modes", json.dumps([name, seed, seconds, samples])]
    environment = {**os.environ, **({} if threads is None else {"OMP_NUM_THREADS": str(threads)})}
    run = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(run.stdout)
    return found


def main(arguments: Sequence[str]) -> int:
    """Train one run and print its figures as JSON."""
    name, seed, seconds, samples = json.loads(arguments[0])
    part = {
        "dataset": {"kind": "builtin", "name": name},
        "seed": seed,
        "evaluation": {"samples": samples},
    }
    if seconds is not None:
        part["budget"] = {"images": None, "seconds": seconds}
    began = time.monotonic()
    outcome = recipes.run(presets.resolve(part), folder=Settings().datasets_dir, device=torch.device("cpu"))
    took = time.monotonic() - began
    figures_found = dict(outcome.quality)
    print(f"{name}, seed {seed}: {figures_found}, {outcome.images_seen:,} images, {took:.0f} s", file=sys.stderr)
    print(json.dumps(figures_found))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
