"""Runs: `models.training.train` on the device, called as a user of the library calls it."""

import hashlib
import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from benchmarks.gpu import agreement
from benchmarks.gpu.findings import Finding
from benchmarks.gpu.tasks import SMOOTH, Bench, noise
from models import architectures, training
from models.checkpoints import checkpoint
from models.specs import TrainingSpec

STEPS = 12
"""The number of generator steps in a run."""
STOPPED_AFTER = 5
BATCH = 32
RESUMED = ("robust", "dcgan", "wgan_gp", "sngan", "r3gan", "vae")


def check_resume(bench: Bench) -> Iterator[Finding]:
    """Check that a run that was stopped, saved, loaded and resumed equals an uninterrupted one to the bit.

    The same run repeated must equal it too.
    """
    for preset in RESUMED[:1] if bench.small else RESUMED:
        spec = _short(bench, preset, precision="auto")
        whole, again = (_outcome(_events(spec, bench)) for _ in range(2))
        asked = itertools.count(1)
        stopped = _events(spec, bench, stop=lambda asked=asked: next(asked) >= STOPPED_AFTER)
        with tempfile.TemporaryDirectory(prefix="saddle-gpu-") as folder:
            checkpoint.write(Path(folder), _last(stopped))
            resumed = _outcome(_events(spec, bench, resume=checkpoint.read(Path(folder))))
        yield Finding(f"{preset}: tensors that differ in the same run again", _differ(again, whole), 0.0)
        yield Finding(f"{preset}: tensors that differ after stop, save, load, go on", _differ(resumed, whole), 0.0)


def check_compiled(bench: Bench) -> Iterator[Finding]:
    """Check that runs with `compile`, and with `cuda_graphs`, end where the run without them ends.

    Fused kernels round in another order, so runs differ as gradients differ between formats.
    """
    cases: list[tuple[str, dict[str, Any]]] = [
        ("article", {"compile": True}),
        ("article", {"compile": True, "cuda_graphs": True}),
        ("dcgan", {"compile": True}),
        ("dcgan", {"compile": True, "cuda_graphs": True}),
    ]
    for preset, how in cases if bench.on_gpu else []:
        optimizers = {"generator_optimizer": SMOOTH, "discriminator_optimizer": SMOOTH}
        plain, compiled = (_short(bench, preset, precision="fp32", **optimizers, **changes) for changes in ({}, how))
        expected, events = _events(plain, bench), _events(compiled, bench)
        seconds = sum(event.seconds for event in events if isinstance(event, training.Compiled))
        found, reference = _way(events, compiled), _way(expected, plain)
        layers, terms = agreement.size(plain)
        bound = agreement.of_gradients(layers, agreement.FP32 * terms**0.5)
        title = f"{preset}: {' and '.join(how)}, against neither"
        yield Finding(title, agreement.apart(found, reference), bound, remark=f"first step in {seconds:.0f} s")


def _short(bench: Bench, preset: str, **changes: Any) -> TrainingSpec:
    spec = bench.spec(preset, batch_size=8 if bench.small else BATCH, **changes)
    images = STEPS * spec.batch_size * spec.discriminator_steps
    return spec.model_copy(update={"budget": spec.budget.model_copy(update={"images": images, "seconds": None})})


def _events(spec: TrainingSpec, bench: Bench, **how: Any) -> list[training.Event]:
    return list(training.train(spec, dataset=noise(spec), device=bench.device, **how))


def _last(events: list[training.Event]) -> training.Snapshot:
    return [event.snapshot for event in events if isinstance(event, training.CheckpointDue)][-1]


def _outcome(events: list[training.Event]) -> dict[str, str]:
    """Return hashes of every tensor of the last snapshot."""
    return {
        f"{part}/{name}": hashlib.sha256(tensor.cpu().contiguous().numpy().tobytes()).hexdigest()
        for part, tensors in _last(events).parts().items()
        for name, tensor in tensors.items()
    }


def _differ(found: dict[str, str], expected: dict[str, str]) -> float:
    return float(sum(found.get(name) != expected.get(name) for name in found.keys() | expected.keys()))


def _way(events: list[training.Event], spec: TrainingSpec) -> torch.Tensor:
    """Return all weights at the end, less those at the start."""
    ends = _last(events).networks
    return torch.cat(
        [
            (ends[role][name].cpu().double() - weight.detach().double()).flatten()
            for role, network in architectures.build(spec).items()
            for name, weight in network.named_parameters()
        ]
    )
