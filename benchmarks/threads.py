"""`python -m benchmarks.threads`: the cost of waiting threads, on a machine of its own and on a shared one.

OpenMP's threads spin while they wait for each other. The length is fixed when torch is loaded, so every figure comes
from a fresh process. The shared machine has one busy process a core beside the training.
"""

import os
import subprocess
import sys
import time

import torch

from models import data, presets, training
from store.settings import Settings

SECONDS = 8
POLICIES: dict[str, dict[str, str]] = {
    "default": {},
    "GOMP_SPINCOUNT=30000": {"GOMP_SPINCOUNT": "30000"},
    "OMP_WAIT_POLICY=PASSIVE": {"OMP_WAIT_POLICY": "PASSIVE"},
    "OMP_NUM_THREADS=1": {"OMP_NUM_THREADS": "1"},
}


def _images_per_second() -> float:
    spec = presets.resolve({"budget": {"images": None, "seconds": SECONDS}, "evaluation": {"metrics": []}})
    dataset = data.load(spec.dataset, folder=Settings().datasets_dir)
    began = time.monotonic()
    *_, finished = training.train(spec, dataset=dataset, device=torch.device("cpu"))
    return finished.images_seen / (time.monotonic() - began)


def _measure(environment: dict[str, str], *, busy: int) -> float:
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(busy)]
    try:
        command = [sys.executable, "-m", "benchmarks.threads", "one"]
        run = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=True)
    finally:
        for other in others:
            other.kill()
            other.wait()
    return float(run.stdout)


def main() -> None:
    cores = len(os.sched_getaffinity(0))
    print(f"{'images/s of the preset robust':<32} {'alone':>10} {'shared':>10}")
    for name, environment in POLICIES.items():
        alone, shared = (_measure(environment, busy=busy) for busy in (0, cores))
        print(f"{name:<32} {alone:>10,.0f} {shared:>10,.0f}", flush=True)


if __name__ == "__main__":
    if sys.argv[1:] == ["one"]:
        print(_images_per_second())
    else:
        main()
