"""Speed: images a second and peak memory of Saddle's loop and of a plain one, with the same networks, on one device.

The images are synthetic. Saddle uses the precision that suits the hardware (precision auto) and keeps the dataset on
the device. The plain loop is float32 with PyTorch's own settings and keeps its dataset on the host.
"""

import time
from collections.abc import Iterator
from statistics import median
from typing import Any

import torch

from benchmarks import plain
from benchmarks.gpu.findings import Finding
from benchmarks.gpu.tasks import Bench, noise
from models import architectures, training
from models.data import pixels
from models.specs import AdamOptimizer, TrainingSpec

MIB = 2**20
COMPILED: dict[str, dict[str, Any]] = {
    "article": {"compile": True, "cuda_graphs": True},
    "dcgan": {"compile": True},
    "r3gan": {},
}


def measure(bench: Bench) -> Iterator[Finding]:
    for preset, resolution, batch_size in (("article", None, 128), ("dcgan", 64, 128), ("r3gan", 64, 64)):
        spec = bench.spec(preset, resolution=resolution, batch_size=8 if bench.small else batch_size)
        shape = f"{preset}, {spec.dataset.facts.resolution}x{spec.dataset.facts.resolution}, batch {spec.batch_size}"
        ways = {"Saddle": spec}
        if bench.on_gpu and (how := COMPILED[preset]):
            ways[f"Saddle, {' and '.join(how)}"] = spec.model_copy(update=how)
        speeds = {}
        for way, one in ways.items():
            _start_memory(bench)
            speeds[way] = saddle(one, bench)
            yield Finding(f"{shape}: {way}", speeds[way], None, "images/s")
            yield from _peak(f"{shape}: {way}", bench)
        _start_memory(bench)
        speed = loop(spec, bench)
        yield Finding(f"{shape}: plain loop", speed, None, "images/s")
        yield from _peak(f"{shape}: plain loop", bench)
        yield Finding(f"{shape}: fastest of Saddle's by the plain loop", max(speeds.values()) / speed, None, "times")


def saddle(spec: TrainingSpec, bench: Bench) -> float:
    """Return images a second: the median over all ticks but the first."""
    every = spec.batch_size * spec.discriminator_steps * (2 if bench.small else 50)
    plan = {
        "budget": spec.budget.model_copy(update={"images": None, "seconds": None}),
        "metrics": spec.metrics.model_copy(update={"every_images": every}),
    }
    measured = spec.model_copy(update=plan)
    until: float | None = None
    speeds: list[float] = []

    def stop() -> bool:
        return until is not None and bool(speeds) and time.monotonic() >= until

    for event in training.train(measured, dataset=noise(spec), device=bench.device, stop=stop):
        if isinstance(event, training.Tick) and event.images_seen % every == 0:
            # The first interval includes warming up and, where the spec asks for it, compiling.
            if until is None:
                until = time.monotonic() + bench.seconds
            else:
                speeds.append(event.values["images_per_second"])
    return median(speeds)


def loop(spec: TrainingSpec, bench: Bench) -> float:
    """Return images a second, without the first steps."""
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = True
    networks, adam = architectures.build(spec), spec.generator_optimizer
    assert isinstance(adam, AdamOptimizer)
    generator, discriminator = (networks[role].to(bench.device) for role in ("generator", "discriminator"))
    images_NCHW = pixels.to_float(torch.from_numpy(noise(spec).images_NCHW))
    real = plain.images(images_NCHW, batch_size=spec.batch_size, device=bench.device)
    how: dict[str, Any] = {"latent_dim": spec.architecture.latent_dim, "lr": adam.lr, "betas": adam.betas}
    if spec.penalties:
        r1 = spec.penalties[0]
        assert r1.kind == "r1"
        how |= {"weight": r1.weight, "every_steps": r1.every_steps}
        taken = plain.relativistic(generator, discriminator, real, **how)
    else:
        taken = plain.alternate(generator, discriminator, real, **how)
    for _ in range(2 if bench.small else 50):
        next(taken)
    began = time.monotonic()
    # Each step waits for its losses.
    steps = plain.until(taken, deadline=began + bench.seconds, clock=time.monotonic)
    return steps * spec.batch_size / (time.monotonic() - began)


def _start_memory(bench: Bench) -> None:
    if bench.on_gpu:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(bench.device)


def _peak(title: str, bench: Bench) -> Iterator[Finding]:
    """Yield the peak memory of tensors. CUDA's own memory comes on top."""
    if bench.on_gpu:
        yield Finding(f"{title}, peak memory", torch.cuda.max_memory_allocated(bench.device) / MIB, None, "MiB")
