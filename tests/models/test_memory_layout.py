"""The memory layout of networks changes no training run."""

import pytest
import torch

from benchmarks.gpu import agreement, steps
from benchmarks.gpu.tasks import SMOOTH, Bench, noise
from models import presets
from models.runtime import placement

CPU = torch.device("cpu")
SMALL = Bench(CPU, small=True, seconds=0.0)


@pytest.mark.parametrize("preset", presets.REGISTRY)
def test_weights_in_channels_last_format_are_trained_as_contiguous_ones(
    preset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = SMALL.spec(
        preset, batch_size=4, precision="fp32", generator_optimizer=SMOOTH, discriminator_optimizer=SMOOTH
    )

    def moved() -> torch.Tensor:
        taken = steps.take(spec, dataset=noise(spec), device=CPU, number=2, dtype=torch.float64, tf32=False)
        return taken.moved

    found = moved()
    monkeypatch.setattr(placement, "place", lambda network, device, compiled: network.to(device))
    assert agreement.apart(found, moved()) < 1e-4
