"""Agreement: the device computes what the CPU computes in float64, up to the rounding of each format.

A difference is |a - b| / |b|, where a and b are vectors of all weights, gradients or pixels.
"""

from collections.abc import Iterator
from math import sqrt
from typing import Any

import torch
from torch import Tensor

from benchmarks.gpu import steps
from benchmarks.gpu.findings import Finding
from benchmarks.gpu.steps import CPU
from benchmarks.gpu.tasks import Bench, noise
from models import architectures, presets
from models.specs import TrainingSpec

FP32, TF32, BF16 = 2.0**-24, 2.0**-11, 2.0**-8
"""The largest relative rounding error of each format, with 24, 11 and 8 bits including the leading one."""
FACTOR = 4.0
"""A factor for what the estimate of images omits: means and variances of batches, and how layers change an error."""
BATCH = 16
STILL = {"lr": 1e-12}
"""An optimizer's setting with which both networks' gradients are taken at the same weights."""


def check_presets(bench: Bench) -> Iterator[Finding]:
    """Take two steps of every preset in float64, where rounding explains no visible difference.

    Logits and losses stay float32 even there, so a gradient is off by 2^-24 of its length. Adam moves a weight by its
    rate whatever the gradient's size. It may move weights the wrong way whose gradients are no larger than that error:
    a share of about 2^-24 of all weights. The whole is then off by twice the root of the share.
    """
    for preset in presets.REGISTRY:
        spec = bench.spec(preset, batch_size=4 if bench.small else BATCH, precision="fp32")
        found, expected = (
            steps.take(spec, dataset=noise(spec), device=device, number=2, dtype=torch.float64, tf32=False)
            for device in (bench.device, CPU)
        )
        title = f"{preset}: two steps in float64, against the CPU's"
        yield Finding(title, apart(found.moved, expected.moved), 2 * sqrt(FP32))


def check_formats(bench: Bench) -> Iterator[Finding]:
    """Compare images and gradients in fp32, TF32 and bf16 with those in float64 on the same device."""
    for spec in _cases(bench):
        expected = _one_step(spec, bench, dtype=torch.float64, tf32=False)
        (layers, terms), side = size(spec), spec.dataset.facts.resolution
        formats = {"fp32": (FP32 * sqrt(terms), spec, False), "bf16": (BF16, _in_bf16(spec), False)}
        if bench.on_gpu:
            formats["TF32"] = TF32, spec, True
        for name, (unit, in_format, tf32) in formats.items():
            found = _one_step(in_format, bench, dtype=torch.float32, tf32=tf32)
            what = f"{spec.preset} {side}x{side}: {{}} in {name}, against float64"
            yield Finding(what.format("images"), apart(found.images, expected.images), of_images(layers, unit))
            bound = of_gradients(layers, unit)
            yield Finding(what.format("gradients"), apart(found.gradients, expected.gradients), bound)


def of_images(layers: int, unit: float) -> float:
    """Return how far images may be off when each layer adds a relative error of `unit`, in no common direction.

    A sum of n terms in fp32 is off by sqrt(n) 2^-24 (Higham & Mary 2019, theorem 2.4); with operands of fewer bits,
    whose products are summed in fp32, by the rounding of the two operands.
    """
    return FACTOR * sqrt(2 * layers) * unit


def of_gradients(layers: int, unit: float) -> float:
    """Return how far gradients may be off.

    They may be further off than images. A unit whose input is within `unit` of 0 may be active in one format and
    inactive in another. That is a share of about `unit` of each layer's units, whose part of the gradient is then
    present or missing. A sum of many independent parts is off by the root of the share. The parts are not independent,
    so the bound is twice that.
    """
    return 2 * sqrt(layers * unit)


def size(spec: TrainingSpec) -> tuple[int, int]:
    """Return the number of matrix products and convolutions in both networks, and the terms in their longest sum."""
    networks = architectures.build(spec)
    weights = [weight for network in networks.values() for weight in network.parameters()]
    kernels = [weight for weight in weights if weight.dim() >= 2]
    return len(kernels), max(kernel[0].numel() for kernel in kernels)


def apart(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).norm() / expected.norm())


def _cases(bench: Bench) -> Iterator[TrainingSpec]:
    how: dict[str, Any] = {
        "batch_size": 4 if bench.small else BATCH,
        "precision": "fp32",
        "generator_optimizer": STILL,
        "discriminator_optimizer": STILL,
    }
    yield bench.spec("article", **how)
    yield bench.spec("dcgan", resolution=64, **how)
    yield bench.spec("r3gan", resolution=64, **how)


def _in_bf16(spec: TrainingSpec) -> TrainingSpec:
    return spec.model_copy(update={"precision": "bf16"})


def _one_step(spec: TrainingSpec, bench: Bench, *, dtype: torch.dtype, tf32: bool) -> steps.Taken:
    return steps.take(spec, dataset=noise(spec), device=bench.device, number=1, dtype=dtype, tf32=tf32)
