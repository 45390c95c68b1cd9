"""The cost of the service: training with it against training without it, and how soon clients get their answers.

Direct and served runs alternate, each first in every other pair, so that both see the same machine and its drift.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks import figures
from embedded import stack
from models import data, presets, training
from saddle.client import Client
from saddle.schemas import Job
from store.settings import Settings

ROUNDS = 7
SPEC: dict[str, Any] = {
    "budget": {"images": 250_000},
    "checkpoint": {"every_images": 100_000},
    "evaluation": {"metrics": []},
}
FETCHES = 50


def measure() -> list[figures.Row]:
    direct: list[float] = []
    served: list[float] = []
    first_metric: list[float] = []
    first_png: list[float] = []
    cached_png: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        data_dir = Path(folder)
        (data_dir / "datasets").symlink_to(Settings().datasets_dir.absolute())
        with stack.running(data_dir) as client:
            for number in range(ROUNDS):
                if number % 2 == 0:
                    direct.append(_direct_in_a_process())
                job, waited = _serve(client)
                if number % 2 == 1:
                    direct.append(_direct_in_a_process())
                served.append(_seconds_of_training(client, job))
                first_metric.append(waited)
                first_png.append(_fetch(client, job, seed=number))
                cached_png += [_fetch(client, job, seed=number) for _ in range(FETCHES)]
                print(f"round {number + 1}: direct {direct[-1]:.1f} s, served {served[-1]:.1f} s", file=sys.stderr)
    ratios = [after / before for before, after in zip(direct, served, strict=True)]
    images = SPEC["budget"]["images"]
    rounds = f"median of {ROUNDS} alternating pairs, {images:,} images each"
    return [
        figures.row("training seconds, served / direct", ratios, bound="<= 1.05", reference=1.0, remark=rounds),
        figures.row(
            "images/s, served",
            [images / seconds for seconds in served],
            reference=[images / seconds for seconds in direct],
            remark="reference: without the service",
        ),
        figures.row("POST to first metric, s", first_metric, bound="<= 6"),
        figures.row("samples.png from a new checkpoint, ms", [1000 * s for s in first_png], bound="<= 300"),
        figures.row("samples.png cached, ms", [1000 * s for s in cached_png], bound="<= 25"),
    ]


def _direct_in_a_process() -> float:
    """Return the seconds of the bare loop, in a fresh process like the service's trainer."""
    command = [sys.executable, "-m", "benchmarks.service"]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def _direct() -> float:
    spec = presets.resolve(SPEC)
    dataset = data.load(spec.dataset, folder=Settings().datasets_dir)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    began = time.monotonic()
    for event in training.train(spec, dataset=dataset, device=device):
        assert not isinstance(event, training.Repaired)
    return time.monotonic() - began


def _serve(client: Client) -> tuple[Job, float]:
    """Train a job to its end; return it and the seconds from its POST to its first metric."""
    posted = time.monotonic()
    job = client.create_job(SPEC)
    waited = 0.0
    for event in client.follow_events(job.id):
        if event.type == "metrics" and not waited:
            waited = time.monotonic() - posted
    return client.job(job.id), waited


def _seconds_of_training(client: Client, job: Job) -> float:
    """Return the seconds from the trainer's first log event to the job's end, checkpoints included.

    The first log event comes just before the training loop begins.
    """
    events = list(client.past_events(job.id))
    began = next(event.at for event in events if event.type == "log")
    return (events[-1].at - began).total_seconds()


def _fetch(client: Client, job: Job, *, seed: int) -> float:
    began = time.perf_counter()
    client.samples_png(job.id, count=64, seed=seed)
    return time.perf_counter() - began


if __name__ == "__main__":
    print(_direct())
